"""Writing to PostgreSQL: COPY into a temporary table, then one statement per table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import count
from typing import Any, cast

import psycopg
from psycopg import sql
from sqlalchemy import Engine

from replicator.pipeline.contract import Progress
from replicator.targets.sql.conversion import Conversion, Refused
from replicator.targets.sql.dialect import (
    Reference,
    Shape,
    Step,
    TargetColumn,
    TargetTable,
    Values,
)
from replicator.targets.sql.policy import Tally
from replicator.targets.sql.postgresql import values
from replicator.targets.sql.postgresql.definition import PostgreSQLDefinition
from replicator.targets.sql.postgresql.failures import judged
from replicator.targets.sql.postgresql.statements import Statements
from replicator.targets.sql.queries import query
from replicator.targets.sql.savepoints import Savepoints
from triggers.model import Column

_PLAIN = re.compile(
    r"smallint|integer|bigint|oid|numeric(\(.*\))?|real|double precision|boolean|uuid|bytea|jsonb?|"
    r"text|character( varying)?(\(\d+\))?|date|interval|"
    r"time(stamp)?(\(\d\))? with(out)? time zone"
)
"""Types whose text is that of every server, in sessions with the settings of this program."""


class PostgreSQLDialect:
    """See `Dialect`. Single rows go through psycopg's pipeline mode: one round trip for many."""

    def __init__(self) -> None:
        self.tally = Tally()
        self._connection: psycopg.Connection[Any] | None = None
        self._origin: str | None = None
        self._statements: dict[Shape, Statements] = {}
        self._savepoints = Savepoints()
        self._numbers = count(1)

    @property
    def connection(self) -> psycopg.Connection[Any]:
        """The open connection."""
        assert self._connection is not None
        return self._connection

    def connect(self, engine: Engine, origin: str | None) -> None:
        """Connect and set the session up."""
        self._origin = origin
        with judged():
            proxy = engine.raw_connection()
            self._connection = cast("psycopg.Connection[Any]", proxy.driver_connection)
            proxy.detach()
            self._execute(_query("session"))
            self.connection.commit()

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        self._statements.clear()
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()

    def find_table(self, name: str) -> TargetTable | None:
        """Read a table by `table` or `schema.table`."""
        quoted = PostgreSQLDefinition().quote_table(name)
        with judged():
            found = self._execute(_query("find"), (quoted,)).fetchone()
            if found is None:
                return None
            identifier, identity = found
            columns = self._execute(_query("columns"), (identifier,)).fetchall()
            indexes = self._execute(_query("unique_indexes"), (identifier,)).fetchall()
        return TargetTable(
            identity=identity,
            quoted=identity,
            columns={
                row[0]: replace(TargetColumn(*row[:-1]), members=tuple(row[-1])) for row in columns
            },
            keys=tuple(tuple(names) for _, usable, names in indexes if usable),
            unique_indexes=len(indexes),
            has_primary_key=any(primary for primary, _, _ in indexes),
        )

    def references(self, tables: Sequence[TargetTable]) -> list[Reference]:
        """Read the foreign keys from and to these tables."""
        names = [table.identity for table in tables]
        with judged():
            rows = self._execute(_query("references"), {"tables": names}).fetchall()
        return [Reference(*row) for row in rows]

    def missing_privileges(self, table: TargetTable) -> list[str]:
        """GRANT statements that the connected user lacks."""
        with judged():
            row = self._execute(_query("privileges"), (table.identity,)).fetchone()
        assert row is not None
        user, database, temporary, missing = row
        quote = PostgreSQLDefinition().quote
        grants = []
        if missing:
            grants.append(f"GRANT {', '.join(missing)} ON {table.quoted} TO {quote(user)};")
        if not temporary:
            grants.append(f"GRANT TEMPORARY ON DATABASE {quote(database)} TO {quote(user)};")
        return grants

    def read_progress(self, delivery: str) -> Progress | None:
        """Read the progress; make its table first where it is missing."""
        with judged():
            exists = self._execute(_query("progress_exists")).fetchone()
            if exists == (False,):
                # Somebody else may be making it at this moment.
                with suppress(
                    psycopg.errors.UniqueViolation,
                    psycopg.errors.DuplicateTable,
                    psycopg.errors.DuplicateObject,
                ):
                    self._execute(_query("progress_table"))
                self.connection.commit()
            row = self._execute(_query("progress_read"), (delivery,)).fetchone()
            self.connection.commit()
        return None if row is None else Progress(*row)

    def begin(self, delivery: str, previous: Progress | None, reached: Progress) -> bool:
        """Compare and set, mark the origin, and have constraints checked by each statement."""
        self.tally.begin()
        self._savepoints.forget()
        new = (reached.epoch, reached.batch_no, reached.mark, delivery)
        with judged(), self.connection.pipeline():
            if previous is None:
                moved = self._execute(_query("progress_first"), new)
            else:
                old = (previous.epoch, previous.batch_no, previous.mark)
                moved = self._execute(_query("progress_next"), (*new, *old))
            self._execute(_query("origin"), (self._origin,))
            self._execute("SET CONSTRAINTS ALL IMMEDIATE")
        return moved.rowcount == 1

    def commit(self) -> None:
        """Commit."""
        with judged():
            self.connection.commit()

    def rollback(self) -> None:
        """Roll back."""
        with suppress(psycopg.Error):
            self.connection.rollback()

    def savepoint(self, name: str) -> None:
        """Set a savepoint."""
        self.tally.savepoint(name)
        with judged():
            for statement in self._savepoints.set(name):
                self._execute(statement)

    def rollback_to_savepoint(self, name: str) -> None:
        """Roll back to a savepoint and end it."""
        self.tally.roll_back(name)
        with judged():
            for statement in self._savepoints.roll_back(name):
                self._execute(statement)

    def insert_all(self, shape: Shape, rows: Iterable[Values]) -> None:
        """COPY straight into the table, where its policies allow that."""
        with judged():
            self._copy(self._statements_for(shape).copy_in, rows)

    def reads_raw(self, column: Column, target: TargetColumn) -> bool:
        """See `TakesRaw.reads_raw`: what COPY writes depends on nothing but the type."""
        widened = target.type == "text" and column.native.startswith("character varying")
        same = widened or column.native == target.type
        return same and _PLAIN.fullmatch(target.type) is not None

    def insert_raw(self, shape: Shape, rows: bytes, count: int) -> None:
        """COPY straight into the table."""
        with judged():
            copied = self._copy_in(self._statements_for(shape).copy_in, lambda c: c.write(rows))
        if copied != count:
            raise Refused("rows are missing")

    def upsert_all(self, shape: Shape, rows: Iterable[Values]) -> None:
        """COPY into the stage, then INSERT ... ON CONFLICT."""
        with judged():
            statements = self._stage(shape, rows)
            self._execute(statements.merge)

    def delete_all(self, shape: Shape, keys: Sequence[Values]) -> None:
        """COPY the keys into the stage, then DELETE ... USING."""
        with judged():
            statements = self._stage(shape, keys)
            self._execute(statements.delete_staged)

    def empty(self, table: TargetTable) -> None:
        """Delete all rows; TRUNCATE would lock out readers and pass over foreign-key actions."""
        with judged():
            self._execute(f"DELETE FROM {table.quoted}")

    def write(self, steps: Sequence[Step]) -> None:
        """Write single rows, in one round trip when none of them needs an answer first."""
        if not all(step.op == "delete" or step.shape.insertable for step in steps):
            with judged():
                for step in steps:
                    self._write(step)
            return
        with judged(), self.connection.pipeline() as pipeline:
            try:
                for step in steps:
                    self._write(step)
            except psycopg.Error:
                with suppress(psycopg.Error):  # the server skipped what came after the error
                    pipeline.sync()
                raise

    def conversion(self, column: Column, target: TargetColumn) -> Conversion:
        """See `values.conversion`."""
        return values.conversion(column, target)

    def _write(self, step: Step) -> None:
        statements = self._statements_for(step.shape)
        row = [values.text_of(value) for value in step.values]
        if step.op == "delete":
            self._execute(statements.delete, row)
        elif step.shape.insertable:
            self._execute(statements.upsert, row)
        else:
            key = step.shape.key_of(row)
            others = [row[step.shape.columns.index(column)] for column in step.shape.others]
            if self._execute(statements.update, (*others, *key)).rowcount == 0:
                self._execute(statements.upsert, row)

    def _stage(self, shape: Shape, rows: Iterable[Values]) -> Statements:
        statements = self._statements_for(shape)
        with self.connection.pipeline():
            self._execute(statements.create_stage)
            self._execute(statements.empty_stage)
        self._copy(statements.copy, rows)
        return statements

    def _copy(self, statement: str, rows: Iterable[Values]) -> None:
        def write(copy: psycopg.Copy) -> None:
            write_row = copy.write_row
            for row in rows:
                write_row(row)

        self._copy_in(statement, write)

    def _copy_in(self, statement: str, write: Callable[[psycopg.Copy], None]) -> int:
        """Return how many rows the server has got."""
        try:
            with self.connection.cursor() as cursor:
                with cursor.copy(sql.SQL(cast("Any", statement))) as copy:
                    write(copy)
                return cursor.rowcount
        except psycopg.errors.FeatureNotSupported:
            raise Refused("the table takes no COPY", unique=True) from None

    def _statements_for(self, shape: Shape) -> Statements:
        statements = self._statements.get(shape)
        if statements is None:
            statements = Statements.of(shape, f"replicator_stage_{next(self._numbers)}")
            self._statements[shape] = statements
        return statements

    def _execute(self, statement: str, parameters: Any = None) -> psycopg.Cursor[Any]:
        return self.connection.execute(sql.SQL(cast("Any", statement)), parameters)


def _query(name: str) -> str:
    return query("postgresql", name)
