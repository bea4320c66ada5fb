"""Running transforms over changes in SQLite.

The images become rows of a temporary table: only columns give expressions the same affinities and
collations as the table itself does.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from sqlalchemy import Engine

from replicator.change import Decoder, Row
from replicator.sources.connection import DriverConnection
from replicator.transform import errors
from replicator.transform.evaluation import ID, SIDE, Line, Place, RowRefused
from replicator.transform.model import Result
from replicator.transform.sqlite import SqliteSql
from triggers.dialects import sqlite_catalog as catalog
from triggers.model import Column

_decode = Decoder(Row).decode


class SqliteEvaluator:
    """See `Evaluator`."""

    def __init__(self, engine: Engine) -> None:
        self._connection = DriverConnection(engine)
        self._sql = SqliteSql()
        self._tables: dict[str, str] = {}
        self._loaded: tuple[str, tuple[int, ...]] | None = None

    def evaluate(
        self,
        result: Result,
        changes: Sequence[Line],
        columns: Sequence[Column],
        side: int | None,
        *,
        filtered: bool,
    ) -> Mapping[Place, bytes]:
        """See `Evaluator.evaluate`."""
        try:
            connection: sqlite3.Connection = self._connection.get()
            connection.text_factory = bytes
            query = self._sql.select(
                result,
                rows=self._load(connection, result, changes),
                carry=(ID, SIDE),
                columns=columns,
                filtered=filtered,
                condition="" if side is None else f'"{SIDE}" = {side}',
            )
            found = {(row[0], row[1]): row[2] for row in connection.execute(query)}
        except sqlite3.Error as error:
            raise errors.of_sqlite(error) from error
        try:
            for image in found.values():
                image.decode()
        except UnicodeDecodeError:
            raise RowRefused("the result is not UTF-8") from None
        return found

    def close(self) -> None:
        """See `Evaluator.close`."""
        self._connection.discard()
        self._tables.clear()
        self._loaded = None

    def _load(self, connection: sqlite3.Connection, result: Result, changes: Sequence[Line]) -> str:
        """Fill the temporary table with the images of these changes; return a FROM item."""
        ids = tuple(line.id for line in changes)
        name = result.table.name
        names = [column.name for column in result.table.columns]
        if name not in self._tables:
            self._tables[name] = self._create(connection, result)
        table = self._tables[name]
        if self._loaded != (name, ids):
            self._loaded = None
            places = ", ".join("?" for _ in range(len(names) + 2))
            connection.execute("BEGIN")
            try:
                connection.execute(f"DELETE FROM {table}")
                connection.executemany(
                    f"INSERT INTO {table} VALUES ({places})", _rows(changes, names)
                )
            finally:
                connection.execute("COMMIT")
            self._loaded = (name, ids)
        # The first part of a UNION ALL gives its columns their collations.
        quoted = ", ".join(map(catalog.quote, names))
        return (
            f'(WITH i AS MATERIALIZED (SELECT 0 AS "{ID}", 0 AS "{SIDE}", {quoted}'
            f" FROM {self._sql.relation(result.table)} WHERE 0"
            f' UNION ALL SELECT "{ID}", "{SIDE}", {quoted} FROM {table}) SELECT * FROM i)'
        )

    def _create(self, connection: sqlite3.Connection, result: Result) -> str:
        table = f'temp."outbox rows {len(self._tables)}"'
        columns = [
            f"{catalog.quote(column.name)} {column.native}" for column in result.table.columns
        ]
        strict = connection.execute(
            "SELECT strict FROM pragma_table_list(?) WHERE schema = 'main'", (result.table.name,)
        ).fetchone()
        connection.execute(
            f'CREATE TABLE {table} ("{ID}" INTEGER, "{SIDE}" INTEGER, {", ".join(columns)})'
            + (" STRICT" if strict and strict[0] else "")
        )
        return table


def _rows(changes: Sequence[Line], names: Sequence[str]) -> Iterator[list[object]]:
    for line in changes:
        for side, image in line.images():
            row = _decode(image)
            yield [line.id, side, *(_value(row.get(name)) for name in names)]


def _value(value: object) -> object:
    """A wire value as SQLite holds it (docs/wire-format.md)."""
    if isinstance(value, Decimal):
        return float(value)
    if not isinstance(value, str):
        return value
    if value.startswith("\\x"):
        return bytes.fromhex(value[2:])
    if value.startswith("\\"):
        return value[1:]
    if value in ("Infinity", "-Infinity"):
        return float(value.replace("Infinity", "inf"))
    return value
