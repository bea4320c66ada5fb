"""Writing to SQLite: one statement per row, prepared once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, cast

from sqlalchemy import Engine

from replicator.pipeline.contract import Progress
from replicator.targets.sql.conversion import Conversion
from replicator.targets.sql.dialect import (
    Reference,
    Shape,
    Step,
    TargetColumn,
    TargetTable,
    Values,
)
from replicator.targets.sql.policy import Tally
from replicator.targets.sql.queries import query
from replicator.targets.sql.savepoints import Savepoints
from replicator.targets.sql.sqlite import values
from replicator.targets.sql.sqlite.definition import SQLiteDefinition
from replicator.targets.sql.sqlite.failures import judged
from replicator.targets.sql.sqlite.statements import Statements
from triggers.model import Column


class SQLiteDialect:
    """See `Dialect`. The origin is a row of `outbox_origin`, where captured tables have one."""

    def __init__(self) -> None:
        self.tally = Tally()
        self._connection: sqlite3.Connection | None = None
        self._origin: str | None = None
        self._marks_origin = False
        self._statements: dict[Shape, Statements] = {}
        self._savepoints = Savepoints()

    @property
    def connection(self) -> sqlite3.Connection:
        """The open connection."""
        assert self._connection is not None
        return self._connection

    def connect(self, engine: Engine, origin: str | None) -> None:
        """Open the file; foreign keys are checked."""
        self._origin = origin
        with judged():
            proxy = engine.raw_connection()
            self._connection = cast("sqlite3.Connection", proxy.driver_connection)
            proxy.detach()
            self.connection.isolation_level = None
            self._rows("PRAGMA foreign_keys = ON")

    def close(self) -> None:
        """Close the file."""
        connection, self._connection = self._connection, None
        self._statements.clear()
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def find_table(self, name: str) -> TargetTable | None:
        """Read a table."""
        with judged():
            found = self._rows(_query("find"), (name, name))
            if not found:
                return None
            ((plain,),) = found
            rows = self._rows(_query("columns"), (plain,))
            columns = {
                column: TargetColumn(
                    column,
                    kind,
                    bool(required),
                    bool(generated),
                    nullable=not not_null,  # a column of the key, too
                    strict=bool(strict),
                )
                for column, kind, required, generated, place, not_null, strict in rows
            }
            indexes: dict[str, list[str | None]] = {}
            for index, partial, column, folds in self._rows(_query("unique_indexes"), (plain,)):
                indexes.setdefault(index, []).append(None if partial or folds else column)
        primary = {place: column for column, _, _, _, place, _, _ in rows if place}
        key = tuple(primary[place] for place in sorted(primary))
        keys = [tuple(n for n in names if n) for names in indexes.values() if None not in names]
        if key:
            keys = [key, *(other for other in keys if other != key)]
        return TargetTable(
            identity=plain.lower(),
            quoted=SQLiteDefinition().quote(plain),
            columns=columns,
            keys=tuple(keys),
            unique_indexes=len(keys),
            has_primary_key=bool(key),
        )

    def references(self, tables: Sequence[TargetTable]) -> list[Reference]:  # noqa: ARG002
        """Read all foreign keys."""
        with judged():
            rows = self._rows(_query("references"))
        return [
            Reference(child.lower(), parent.lower(), bool(acts)) for child, parent, acts in rows
        ]

    def missing_privileges(self, table: TargetTable) -> list[str]:  # noqa: ARG002
        """There are none in SQLite."""
        return []

    def read_progress(self, delivery: str) -> Progress | None:
        """Read the progress; make its table first where it is missing."""
        with judged():
            self._marks_origin = self._rows(_query("origin_exists")) == [(1,)]
            self._rows(_query("progress_table"))
            rows = self._rows(_query("progress_read"), (delivery,))
        return Progress(*rows[0]) if rows else None

    def begin(self, delivery: str, previous: Progress | None, reached: Progress) -> bool:
        """Take the write lock, compare and set, mark the origin."""
        self.tally.begin()
        self._savepoints.forget()
        new = (reached.epoch, reached.batch_no, reached.mark, delivery)
        with judged():
            self.connection.execute("BEGIN IMMEDIATE")
            if previous is None:
                moved = self.connection.execute(_query("progress_first"), new)
            else:
                old = (previous.epoch, previous.batch_no, previous.mark)
                moved = self.connection.execute(_query("progress_next"), (*new, *old))
            if self._marks_origin:
                self.connection.execute(_query("origin"), (self._origin,))
        return moved.rowcount == 1

    def commit(self) -> None:
        """Unmark the origin and commit."""
        with judged():
            if self._marks_origin:
                self.connection.execute(_query("origin_end"))
            self.connection.execute("COMMIT")

    def rollback(self) -> None:
        """Roll back."""
        with suppress(sqlite3.Error):
            self.connection.rollback()

    def savepoint(self, name: str) -> None:
        """Set a savepoint."""
        self.tally.savepoint(name)
        with judged():
            for statement in self._savepoints.set(name):
                self.connection.execute(statement)

    def rollback_to_savepoint(self, name: str) -> None:
        """Roll back to a savepoint and end it."""
        self.tally.roll_back(name)
        with judged():
            for statement in self._savepoints.roll_back(name):
                self.connection.execute(statement)

    def insert_all(self, shape: Shape, rows: Iterable[Values]) -> None:
        """As `upsert_all`: a conflict costs nothing to look for."""
        self.upsert_all(shape, rows)

    def upsert_all(self, shape: Shape, rows: Iterable[Values]) -> None:
        """Upsert row by row."""
        with judged():
            self.connection.executemany(self._statements_for(shape).upsert, rows)

    def delete_all(self, shape: Shape, keys: Sequence[Values]) -> None:
        """Delete row by row."""
        with judged():
            self.connection.executemany(self._statements_for(shape).delete, keys)

    def empty(self, table: TargetTable) -> None:
        """Delete all rows."""
        with judged():
            self.connection.execute(f"DELETE FROM {table.quoted}")

    def write(self, steps: Sequence[Step]) -> None:
        """Write single rows."""
        with judged():
            for step in steps:
                self._write(step)

    def conversion(self, column: Column, target: TargetColumn) -> Conversion:
        """See `values.conversion`."""
        return values.conversion(column, target)

    def _write(self, step: Step) -> None:
        statements = self._statements_for(step.shape)
        if step.op == "delete":
            self.connection.execute(statements.delete, step.values)
            return
        if not step.shape.insertable:
            key = step.shape.key_of(step.values)
            others = [step.values[step.shape.columns.index(c)] for c in step.shape.others]
            if self.connection.execute(statements.update, (*others, *key)).rowcount:
                return
        self.connection.execute(statements.upsert, step.values)

    def _statements_for(self, shape: Shape) -> Statements:
        statements = self._statements.get(shape)
        if statements is None:
            statements = self._statements[shape] = Statements.of(shape)
        return statements

    def _rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self.connection.execute(statement, parameters).fetchall()


def _query(name: str) -> str:
    return query("sqlite", name)
