"""Reading tables of SQLite page by page."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from decimal import Decimal

from sqlalchemy import Engine

from replicator.change import Block, Row
from replicator.errors import SourceUnavailable
from replicator.pipeline.reader import blocks
from replicator.sources.connection import DriverConnection
from replicator.sources.pages import LineParts, Page, decode_key, key_only
from replicator.sources.sqlite import mended
from triggers.dialects import sqlite_catalog as catalog
from triggers.dialects.sqlite import SqliteDialect
from triggers.model import Table

INFINITIES = {"Infinity": "9e999", "-Infinity": "-9e999"}


class SqlitePages:
    """See `PageReader`."""

    def __init__(self, engine: Engine, dialect: SqliteDialect) -> None:
        self._held = DriverConnection(engine)
        self._dialect = dialect

    def page(self, table: Table, after: bytes | None, rows: int) -> Page:
        """See `PageReader.page`."""
        conditions = [] if after is None else [_compare(table, ">", decode_key(after))]
        last = self._boundary(table, conditions, rows)
        if last is not None:
            conditions.append(_compare(table, "<=", decode_key(last)))
        found = self._images(table, conditions)
        return Page(found, sum(block.count for block in found), last)

    def find(self, table: Table, keys: Sequence[Row]) -> list[Block]:
        """See `PageReader.find`."""
        found: list[Block] = []
        for key in keys:
            found += self._images(table, [_compare(table, "=", key)])
        return found

    def estimate(self, table: Table) -> int:
        """See `PageReader.estimate`."""
        [(count,)] = self._read(f"SELECT count(*) FROM {catalog.quote(table.name)}", table)
        return int(count)

    def close(self) -> None:
        """See `PageReader.close`."""
        self._held.discard()

    def _boundary(self, table: Table, conditions: Sequence[str], rows: int) -> bytes | None:
        query = f"{self._select(key_only(table), conditions)} LIMIT 1 OFFSET {rows - 1}"
        for (key,) in self._read(query, table):
            return bytes(key)
        return None

    def _images(self, table: Table, conditions: Sequence[str]) -> list[Block]:
        # All at once: an open read keeps the application from writing, outside of WAL mode.
        images = self._read(self._select(table, conditions), table)
        parts = LineParts.of(table)

        def lines() -> Iterator[bytes]:
            for (image,) in images:
                yield mended(parts.head + image + parts.tail)

        return list(blocks(lines()))

    def _select(self, table: Table, conditions: Sequence[str]) -> str:
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        keys = ", ".join(f"s.{catalog.quote(name)}" for name in table.key)
        return (
            f"SELECT {self._dialect.image('s', table.columns)}"
            f" FROM {catalog.quote(table.name)} AS s{where} ORDER BY {keys}"
        )

    def _read(self, query: str, table: Table) -> list[tuple[bytes]]:
        connection: sqlite3.Connection = self._held.get()
        connection.text_factory = bytes
        try:
            return connection.execute(query).fetchall()
        except sqlite3.OperationalError as error:
            raise SourceUnavailable(f"reading table {table.name} failed: {error}") from error


def _compare(table: Table, operator: str, key: Row) -> str:
    names = ", ".join(f"s.{catalog.quote(name)}" for name in table.key)
    values = ", ".join(_literal(key[name]) for name in table.key)
    return f"({names}) {operator} ({values})"


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
