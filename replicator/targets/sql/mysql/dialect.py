"""Writing to MySQL and MariaDB: multi-row statements, sized for the server's packets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import count
from typing import Any, cast

import pymysql
from pymysql.constants import ER
from pymysql.cursors import Cursor
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
from replicator.targets.sql.mysql import raw, values
from replicator.targets.sql.mysql.definition import MySQLDefinition
from replicator.targets.sql.mysql.failures import judged
from replicator.targets.sql.mysql.literals import tuple_of
from replicator.targets.sql.mysql.statements import Statements
from replicator.targets.sql.policy import Tally
from replicator.targets.sql.queries import query
from triggers.model import Column

_STATEMENT_BYTES = 1 << 20  # more makes nothing faster
_KEYS_PER_DELETE = 500  # MariaDB turns lists of 1,000 and more into subqueries


class MySQLDialect:
    """See `Dialect`."""

    def __init__(self) -> None:
        self.tally = Tally()
        self._connection: pymysql.Connection[Cursor] | None = None
        self._statements: dict[Shape, Statements] = {}
        self._numbers = count(1)
        self._packet = _STATEMENT_BYTES

    @property
    def connection(self) -> pymysql.Connection[Cursor]:
        """The open connection."""
        assert self._connection is not None
        return self._connection

    def connect(self, engine: Engine, origin: str | None) -> None:
        """Connect and set the session up; the origin's mark lasts as long as the session."""
        with judged():
            proxy = engine.raw_connection()
            self._connection = cast("pymysql.Connection[Cursor]", proxy.driver_connection)
            proxy.detach()
            self._execute(_query("session"))
            if origin is not None:
                self._execute(_query("origin"), (origin,))
            ((self._packet,),) = self._rows(_query("packet"))
            self.connection.commit()

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        self._statements.clear()
        if connection is not None:
            with suppress(pymysql.Error):
                connection.close()

    def find_table(self, name: str) -> TargetTable | None:
        """Read a table by `table` or `database.table`."""
        schema, _, plain = name.rpartition(".")
        with judged():
            rows = self._rows(_query("find"), (None, name))
            if not rows and schema:
                rows = self._rows(_query("find"), (schema, plain))
            if not rows:
                return None
            place = cast("tuple[str, str]", rows[0])
            columns = self._rows(_query("columns"), place)
            indexes: dict[str, list[str | None]] = {}
            for index, column, prefix in self._rows(_query("unique_indexes"), place):
                indexes.setdefault(index, []).append(None if prefix else column)
        return TargetTable(
            identity=_identity(*place),
            quoted=_identity(*place),
            columns={
                name: TargetColumn(
                    name,
                    _text(kind),
                    required=bool(required) and "auto_increment" not in extra.lower(),
                    generated=bool(generated),
                    folds=bool(folds),
                    nullable=bool(nullable),
                    charset=charset,
                )
                for name, kind, required, generated, extra, folds, nullable, charset in columns
            },
            keys=tuple(
                tuple(name for name in names if name is not None)
                for names in indexes.values()
                if None not in names
            ),
            unique_indexes=len(indexes),
            has_primary_key="PRIMARY" in indexes,
        )

    def references(self, tables: Sequence[TargetTable]) -> list[Reference]:
        """Read the foreign keys from and to these tables."""
        known = {table.identity for table in tables}
        if not known:
            return []
        schemas = {_split(identity)[0].replace("``", "`") for identity in known}
        with judged():
            rows = self._rows(_query("references"), {"schemas": list(schemas)})
        found = (
            Reference(_identity(cs, child), _identity(ps, parent), acts=bool(acts))
            for cs, child, ps, parent, acts in rows
        )
        return [one for one in found if one.child in known or one.parent in known]

    def missing_privileges(self, table: TargetTable) -> list[str]:  # noqa: ARG002
        """Not cheaply known here: grants exist on five levels."""
        return []

    def read_progress(self, delivery: str) -> Progress | None:
        """Read the progress; make its table first where it is missing."""
        with judged():
            if self._rows(_query("progress_exists")) == ((0,),):
                self._execute(_query("progress_table"))
            rows = self._rows(_query("progress_read"), (delivery,))
            self.connection.commit()
        return Progress(*rows[0]) if rows else None

    def begin(self, delivery: str, previous: Progress | None, reached: Progress) -> bool:
        """Compare and set; the transaction begins with it."""
        self.tally.begin()
        new = (reached.epoch, reached.batch_no, reached.mark, delivery)
        with judged():
            if previous is not None:
                old = (previous.epoch, previous.batch_no, previous.mark)
                return self._execute(_query("progress_next"), (*new, *old)) == 1
            try:
                return self._execute(_query("progress_first"), new) == 1
            except pymysql.err.IntegrityError as error:
                if error.args[0] == ER.DUP_ENTRY:
                    return False
                raise

    def commit(self) -> None:
        """Commit."""
        with judged():
            self.connection.commit()

    def rollback(self) -> None:
        """Roll back."""
        with suppress(pymysql.Error):
            self.connection.rollback()

    def savepoint(self, name: str) -> None:
        """Set a savepoint."""
        self.tally.savepoint(name)
        with judged():
            self._execute(f"SAVEPOINT {name}")

    def rollback_to_savepoint(self, name: str) -> None:
        """Roll back to a savepoint."""
        self.tally.roll_back(name)
        with judged():
            self._execute(f"ROLLBACK TO SAVEPOINT {name}")

    def insert_all(self, shape: Shape, rows: Iterable[Values]) -> None:
        """Multi-row INSERT."""
        with judged():
            self._insert(self._statements_for(shape).insert, rows)

    def reads_raw(self, column: Column, target: TargetColumn) -> bool:
        """See `TakesRaw.reads_raw`."""
        return raw.reads(column.native.lower(), target.type)

    def insert_raw(self, shape: Shape, rows: bytes, count: int) -> None:
        """One INSERT."""
        with judged():
            statement = self._statements_for(shape).insert + rows.decode()
            if self._execute(statement) != count:
                raise Refused("rows are missing")

    def upsert_all(self, shape: Shape, rows: Iterable[Values]) -> None:
        """Multi-row upserts where the key is the only unique index, else by way of a stage."""
        statements = self._statements_for(shape)
        with judged():
            if shape.only_unique:
                self._insert(statements.insert, rows, statements.on_duplicate)
                return
            self._execute(statements.create_stage)
            self._execute(statements.empty_stage)
            self._insert(statements.insert_stage, rows)
            if statements.update_staged:
                self._execute(statements.update_staged)
            self._execute(statements.insert_staged)

    def delete_all(self, shape: Shape, keys: Sequence[Values]) -> None:
        """Delete by lists of keys."""
        statements = self._statements_for(shape)
        with judged():
            for start in range(0, len(keys), _KEYS_PER_DELETE):
                self._execute(statements.delete_many(keys[start : start + _KEYS_PER_DELETE]))

    def empty(self, table: TargetTable) -> None:
        """Delete all rows; TRUNCATE would commit."""
        with judged():
            self._execute(f"DELETE FROM {table.quoted}")

    def write(self, steps: Sequence[Step]) -> None:
        """Write single rows, a round trip or two for each."""
        with judged():
            for step in steps:
                statements = self._statements_for(step.shape)
                if step.op == "delete":
                    self._execute(statements.delete_many([step.values]))
                elif step.shape.only_unique and step.shape.insertable:
                    self._insert(statements.insert, [step.values], statements.on_duplicate)
                elif self._execute(statements.update_one(step.values)) == 0:
                    self._insert(statements.insert, [step.values])

    def conversion(self, column: Column, target: TargetColumn) -> Conversion:
        """See `values.conversion`."""
        return values.conversion(column, target)

    def _insert(self, head: str, rows: Iterable[Values], tail: str = "") -> None:
        for listed in self._portions(rows):
            self._execute(head + listed + tail)

    def _portions(self, rows: Iterable[Values]) -> Iterator[str]:
        """Rows as SQL, in portions that fit into a packet."""
        room = min(self._packet // 5, _STATEMENT_BYTES)  # a character takes up to four bytes
        portion: list[str] = []
        size = 0
        for row in rows:
            text = tuple_of(row)
            if portion and size + len(text) > room:
                yield ",".join(portion)
                portion, size = [], 0
            portion.append(text)
            size += len(text) + 1
        if portion:
            yield ",".join(portion)

    def _statements_for(self, shape: Shape) -> Statements:
        statements = self._statements.get(shape)
        if statements is None:
            statements = Statements.of(shape, f"`replicator_stage_{next(self._numbers)}`")
            self._statements[shape] = statements
        return statements

    def _execute(self, statement: str, parameters: Any = None) -> int:
        if len(statement) > self._packet // 5 and len(statement.encode()) + 1 >= self._packet:
            raise Refused("the row is larger than the server's max_allowed_packet")
        with self.connection.cursor() as cursor:
            return cursor.execute(statement, parameters)

    def _rows(self, statement: str, parameters: Any = None) -> tuple[tuple[Any, ...], ...]:
        with self.connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return tuple(cursor.fetchall())


def _identity(schema: str, table: str) -> str:
    quote = MySQLDefinition().quote
    return f"{quote(schema)}.{quote(table)}"


def _split(identity: str) -> tuple[str, str]:
    schema, _, table = identity[1:-1].partition("`.`")
    return schema, table


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _query(name: str) -> str:
    return query("mysql", name)
