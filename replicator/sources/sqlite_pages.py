"""Reading tables of SQLite page by page."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from decimal import Decimal

from sqlalchemy import Engine

from replicator.canonical import Digest, Field, Form
from replicator.canonical import sqlite as canonical
from replicator.change import Block, Row
from replicator.errors import DeliveryStopped, SourceUnavailable
from replicator.pipeline.reader import blocks
from replicator.sources.connection import DriverConnection
from replicator.sources.pages import Bound, LineParts, PageReader, bounds_between, key_only, where
from replicator.sources.sqlite import mended
from replicator.transform import errors
from replicator.transform.model import Result
from replicator.transform.sqlite import SqliteSql
from triggers.dialects import sqlite_catalog as catalog
from triggers.dialects.sqlite import SqliteDialect
from triggers.model import Table

INFINITIES = {"Infinity": "9e999", "-Infinity": "-9e999"}


class SqlitePages(PageReader):
    """See `PageReader`."""

    def __init__(self, engine: Engine, dialect: SqliteDialect) -> None:
        self._held = DriverConnection(engine)
        self._dialect = dialect

    def boundary(
        self, table: Table, after: bytes | None, rows: int, last: bytes | None = None
    ) -> bytes | None:
        """See `PageReader.boundary`."""
        above = bounds_between(after, last)
        query = f"{self._select(key_only(table), above)} LIMIT 1 OFFSET {rows - 1}"
        for (key,) in self._read(query, table):
            return bytes(key)
        return None

    def between(
        self, table: Table, after: bytes | None, last: bytes | None, result: Result | None = None
    ) -> list[Block]:
        """See `PageReader.between`."""
        return self._rows(table, bounds_between(after, last), result)

    def digest(
        self,
        table: Table,
        after: bytes | None,
        last: bytes | None,
        forms: Mapping[str, Form],
        result: Result | None = None,
    ) -> Digest | None:
        """See `PageReader.digest`."""
        fields = [Field(f"s.{catalog.quote(name)}", form) for name, form in forms.items()]
        bounds = bounds_between(after, last)
        canonical.register(self._connection())
        if result is None:
            clause = where(_conditions(table, bounds, "s"))
            rows = f"{catalog.quote(table.name)} AS s{clause}"
            [(found,)] = self._read(canonical.digest(fields, rows), table)
            return canonical.read_digest(found)
        transforms = SqliteSql()
        condition = " AND ".join(_conditions(table, bounds, transforms.alias(table)))
        rows = f"({transforms.results(result, condition=condition)}) AS s"
        try:
            query = canonical.digest(fields, rows)
            [(found,)] = self._connection().execute(query).fetchall()
        except sqlite3.Error as error:
            raise errors.of_sqlite(error) from error
        return canonical.read_digest(found)

    def find(self, table: Table, keys: Sequence[Row], result: Result | None = None) -> list[Block]:
        """See `PageReader.find`."""
        found: list[Block] = []
        for key in keys:
            found += self._rows(table, [("=", key)], result)
        return found

    def estimate(self, table: Table) -> int:
        """See `PageReader.estimate`."""
        [(count,)] = self._read(f"SELECT count(*) FROM {catalog.quote(table.name)}", table)
        return int(count)

    def close(self) -> None:
        """See `PageReader.close`."""
        self._held.discard()

    def _rows(self, table: Table, bounds: Sequence[Bound], result: Result | None) -> list[Block]:
        if result is not None:
            return self._results(result, bounds)
        return _lines(table, self._read(self._select(table, bounds), table))

    def _results(self, result: Result, bounds: Sequence[Bound]) -> list[Block]:
        table = result.table
        transforms = SqliteSql()
        alias = transforms.alias(table)
        query = transforms.select(
            result,
            condition=" AND ".join(_conditions(table, bounds, alias)),
            tail=f"ORDER BY {_keys(table, alias)}",
        )
        try:
            return _lines(table, self._connection().execute(query).fetchall())
        except sqlite3.Error as error:
            raise errors.of_sqlite(error) from error

    def _select(self, table: Table, bounds: Sequence[Bound]) -> str:
        clause = where(_conditions(table, bounds, "s"))
        return (
            f"SELECT {self._dialect.image('s', table.columns)}"
            f" FROM {catalog.quote(table.name)} AS s{clause} ORDER BY {_keys(table, 's')}"
        )

    def _read(self, query: str, table: Table) -> list[tuple[bytes]]:
        """Read all at once: an open read may keep the application from writing."""
        try:
            return self._connection().execute(query).fetchall()
        except sqlite3.OperationalError as error:
            message = f"reading table {table.name} failed: {error}"
            if str(error).startswith("no such"):
                raise DeliveryStopped(message, "replicator triggers status tells more") from error
            raise SourceUnavailable(message) from error

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection = self._held.get()
        connection.text_factory = bytes
        return connection


def _lines(table: Table, images: Sequence[tuple[bytes]]) -> list[Block]:
    parts = LineParts.of(table)
    return list(blocks(mended(parts.head + image + parts.tail) for (image,) in images))


def _keys(table: Table, alias: str) -> str:
    return ", ".join(f"{alias}.{catalog.quote(name)}" for name in table.key)


def _conditions(table: Table, bounds: Sequence[Bound], alias: str) -> list[str]:
    return [
        f"({_keys(table, alias)}) {operator} ({', '.join(_literal(key[n]) for n in table.key)})"
        for operator, key in bounds
    ]


def _literal(value: object) -> str:
    """Write a value of the wire format as SQL without affinity: the column's decides."""
    match value:
        case str() if value in INFINITIES:
            return INFINITIES[value]
        case str() if value.startswith("\\x"):
            return f"x'{bytes.fromhex(value[2:]).hex()}'"
        case str():
            text = value.removeprefix("\\").encode().hex()
            return f"+CAST(x'{text}' AS TEXT)"
        case Decimal() | int():
            return str(value)
        case _:
            raise AssertionError(type(value))
