"""Reading tables of MySQL and MariaDB page by page.

The server joins rows. A page is only used when it is shorter than what is cut and has as many rows
as were counted; else it is read row by row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor, SSCursor
from sqlalchemy import Engine

from replicator.change import Block, Row
from replicator.errors import DeliveryStopped, ReplicatorError, SourceUnavailable
from replicator.sources.mysql_session import JoiningSession
from replicator.sources.pages import Bound, LineParts, Page, decode_key, key_columns, key_only
from replicator.transform import errors
from replicator.transform.model import Result
from replicator.transform.mysql import MysqlSql
from triggers.dialects import mysql_catalog as catalog
from triggers.dialects.mysql import MysqlDialect
from triggers.model import Column, Kind, Table

NEEDS_SOMEBODY = (1044, 1054, 1064, 1142, 1143, 1146)
"""Error codes: no right to the table, no such table or column, or a query that is wrong."""

UTC_SUFFIX = "+00:00"


class MysqlPages:
    """See `PageReader`."""

    def __init__(self, engine: Engine, dialect: MysqlDialect) -> None:
        self._session = JoiningSession(engine)
        self._dialect = dialect

    def page(
        self, table: Table, after: bytes | None, rows: int, result: Result | None = None
    ) -> Page:
        """See `PageReader.page`."""
        try:
            above = [] if after is None else [(">", decode_key(after))]
            last = self._boundary(table, above, rows)
            between = above if last is None else [*above, ("<=", decode_key(last))]
            found = [] if result is not None else self._images(table, _conditions(table, between))
        except (pymysql.Error, OSError) as error:
            raise _judged(table, error) from error
        if result is not None:
            found = self._results(result, between)
        return Page.of(found, last, rows if result is not None and last is not None else None)

    def find(self, table: Table, keys: Sequence[Row]) -> list[Block]:
        """See `PageReader.find`."""
        try:
            any_of = " OR ".join(f"({_same(table, key)})" for key in keys)
            return self._images(table, [f"({any_of})"])
        except (pymysql.Error, OSError) as error:
            raise _judged(table, error) from error

    def estimate(self, table: Table) -> int:
        """See `PageReader.estimate`."""
        query = (
            "SELECT table_rows FROM information_schema.tables"
            " WHERE table_schema = DATABASE() AND table_name = %s"
        )
        try:
            with self._session.connection().cursor() as cursor:
                cursor.execute(query, (table.name,))
                row = cursor.fetchone()
        except (pymysql.Error, OSError) as error:
            raise _judged(table, error) from error
        return int(row[0] or 0) if row is not None else 0

    def close(self) -> None:
        """See `PageReader.close`."""
        self._session.discard()

    def _boundary(self, table: Table, above: Sequence[Bound], rows: int) -> bytes | None:
        image = self._dialect.image("s", key_only(table))
        query = (
            f"SELECT CONCAT({image}, '') FROM {_rows(table, _conditions(table, above))}"
            f" ORDER BY {_keys(table)} LIMIT 1 OFFSET {rows - 1}"
        )
        with self._session.connection().cursor() as cursor:
            cursor.execute(query)
            row = cursor.fetchone()
        return None if row is None else row[0].encode()

    def _images(self, table: Table, conditions: Sequence[str]) -> list[Block]:
        parts = LineParts.of(table)
        image = self._dialect.image("s", table)
        rows = _rows(table, conditions)
        between = parts.tail + b"," + parts.head
        separator = catalog.text(between.decode())
        connection = self._session.connection()
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT GROUP_CONCAT({image} SEPARATOR {separator}), COUNT(*) FROM {rows}"
            )
            ((joined, count),) = cursor.fetchall()
        if not count:
            return []
        lines = (joined or "").encode()
        # Images are flat objects: what stands between two of them occurs in none.
        if len(lines) < self._session.longest - 8 and lines.count(between) + 1 == count:
            return [Block.of([parts.head + lines + parts.tail], count)]
        return parts.blocks(_streamed(connection, f"SELECT CONCAT({image}, '') FROM {rows}"))

    def _results(self, result: Result, between: Sequence[Bound]) -> list[Block]:
        table = result.table
        transforms = MysqlSql(self._dialect)
        alias = transforms.alias(table)
        query = transforms.select(
            result,
            condition=" AND ".join(_conditions(table, between, alias)),
            tail=f"ORDER BY {_keys(table, alias)}",
        )
        try:
            return LineParts.of(table).blocks(_streamed(self._session.connection(), query))
        except (pymysql.Error, OSError) as error:
            self.close()
            raise errors.of_mysql(error) from error


def _streamed(connection: Connection[Cursor], query: str) -> Iterator[bytes]:
    with connection.cursor(SSCursor) as cursor:
        cursor.execute(query)
        while rows := cursor.fetchmany(100):
            for (image,) in rows:
                yield image.encode()


def _rows(table: Table, conditions: Sequence[str]) -> str:
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"{catalog.quote(table.name)} AS s{where}"


def _keys(table: Table, alias: str = "s") -> str:
    return ", ".join(_order(column, alias) for column in key_columns(table))


def _order(column: Column, alias: str = "s") -> str:
    """By what rows are sorted: the column, as its index has it."""
    name = f"{alias}.{catalog.quote(column.name)}"
    if column.native.startswith("enum"):
        return f"({name} + 0)"
    if column.native.startswith("set"):
        return f"CONVERT({name} USING utf8mb4) COLLATE utf8mb4_bin"
    return name


def _conditions(table: Table, bounds: Sequence[Bound], alias: str = "s") -> list[str]:
    return [_beyond(table, operator, key, alias) for operator, key in bounds]


def _beyond(table: Table, operator: str, key: Row, alias: str) -> str:
    """Compare column by column in a form whose first part is a range of an index."""
    columns = key_columns(table)
    names = [_order(column, alias) for column in columns]
    values = [_literal(column, key[column.name]) for column in columns]
    alternatives = []
    for place, (name, value) in enumerate(zip(names, values, strict=True)):
        compared = operator if place == len(names) - 1 else operator[0]
        before = zip(names[:place], values[:place], strict=True)
        terms = [*(f"{n} = {v}" for n, v in before), f"{name} {compared} {value}"]
        alternatives.append(f"({' AND '.join(terms)})")
    if len(alternatives) == 1:
        return alternatives[0]
    return f"({names[0]} {operator[0]}= {values[0]} AND ({' OR '.join(alternatives)}))"


def _same(table: Table, key: Row) -> str:
    return " AND ".join(
        f"{_order(column)} = {_literal(column, key[column.name])}" for column in key_columns(table)
    )


def _literal(column: Column, value: object) -> str:
    """Write a value of the wire format as SQL that compares as the column does."""
    match column.kind:
        case Kind.INTEGER | Kind.DECIMAL | Kind.BIT | Kind.BOOLEAN:
            return str(int(value)) if isinstance(value, bool) else str(value)
        case Kind.FLOAT:
            return f"({value} + 0e0)"
        case Kind.BYTES:
            return f"x'{str(value)[2:]}'"
        case Kind.ENUM if column.native.startswith("enum"):
            return f"FIELD({_text(str(value))}, {column.native[5:-1]})"
        case Kind.TIMESTAMPTZ:
            return catalog.text(str(value).removesuffix(UTC_SUFFIX))
        case _:
            return _text(str(value))


def _text(value: str) -> str:
    return f"_utf8mb4 x'{value.encode().hex()}'"


def _judged(table: Table, error: Exception) -> ReplicatorError:
    code = error.args[0] if error.args else 0
    message = f"reading table {table.name} failed: {type(error).__name__} ({code})"
    if code in NEEDS_SOMEBODY:
        return DeliveryStopped(message, "the source's user needs SELECT on it")
    return SourceUnavailable(message)
