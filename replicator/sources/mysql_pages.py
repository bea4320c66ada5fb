"""Reading tables of MySQL and MariaDB page by page.

The server joins rows. A page is only used when it is shorter than what is cut and has as many rows
as were counted; else it is read row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor, SSCursor
from sqlalchemy import Engine

from replicator.canonical import Digest, Field, Form
from replicator.canonical import mysql as canonical
from replicator.change import Block, Row
from replicator.errors import DeliveryStopped, ReplicatorError, SourceUnavailable
from replicator.keyset import beyond
from replicator.pipeline.copying import RawForm
from replicator.sources.mysql_session import JoiningSession
from replicator.sources.pages import (
    Bound,
    LineParts,
    Page,
    PageReader,
    bounds_between,
    key_columns,
    key_only,
    where,
)
from replicator.transform import errors
from replicator.transform.model import Result
from replicator.transform.mysql import MysqlSql
from triggers.dialects import mysql_catalog as catalog
from triggers.dialects.mysql import MysqlDialect
from triggers.model import Column, Kind, Table

NEEDS_SOMEBODY = (1044, 1054, 1064, 1142, 1143, 1146)
"""Error codes: no right to the table, no such table or column, or a query that is wrong."""

UTC_SUFFIX = "+00:00"


class MysqlPages(PageReader):
    """See `PageReader`."""

    def __init__(self, engine: Engine, dialect: MysqlDialect) -> None:
        self._session = JoiningSession(engine)
        self._dialect = dialect

    def raw_page(self, table: Table, after: bytes | None, rows: int, form: RawForm) -> Page | None:
        """See `PageReader.raw_page`: rows as in the VALUES of an INSERT, joined by the server."""
        if form.engine not in ("mysql", "mariadb"):
            return None
        last = self.boundary(table, after, rows)
        cells = ", ',', ".join(_sql_literal(table.column(name)) for name in form.columns)
        found = _rows(table, _conditions(table, bounds_between(after, last)))
        try:
            with self._session.connection().cursor() as cursor:
                cursor.execute(
                    f"SELECT GROUP_CONCAT(CONCAT('(', {cells}, ')')), COUNT(*) FROM {found}"
                )
                ((joined, count),) = cursor.fetchall()
        except (pymysql.Error, OSError) as error:
            raise _judged(table, error) from error
        lines = (joined or "").encode()
        if (count and not lines) or len(lines) >= self._session.longest - 8:
            return Page.of(self.between(table, after, last), last)
        # Single rows that were too long are missing: the target counts what it gets.
        return Page([], count, last, lines)

    def boundary(
        self, table: Table, after: bytes | None, rows: int, last: bytes | None = None
    ) -> bytes | None:
        """See `PageReader.boundary`."""
        image = self._dialect.image("s", key_only(table))
        query = (
            f"SELECT CONCAT({image}, '')"
            f" FROM {_rows(table, _conditions(table, bounds_between(after, last)))}"
            f" ORDER BY {_keys(table)} LIMIT 1 OFFSET {rows - 1}"
        )
        try:
            with self._session.connection().cursor() as cursor:
                cursor.execute(query)
                row = cursor.fetchone()
        except (pymysql.Error, OSError) as error:
            raise _judged(table, error) from error
        return None if row is None else row[0].encode()

    def between(
        self, table: Table, after: bytes | None, last: bytes | None, result: Result | None = None
    ) -> list[Block]:
        """See `PageReader.between`."""
        bounds = bounds_between(after, last)
        return self._read(table, lambda alias: _conditions(table, bounds, alias), result)

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
        if result is None:
            rows = _rows(table, _conditions(table, bounds))
        else:
            transforms = MysqlSql(self._dialect)
            condition = " AND ".join(_conditions(table, bounds, transforms.alias(table)))
            rows = f"({transforms.results(result, condition=condition)}) AS s"
        try:
            with self._session.connection().cursor() as cursor:
                cursor.execute(canonical.digest(fields, rows))
                [row] = cursor.fetchall()
        except (pymysql.Error, OSError) as error:
            self.close()
            judged = _judged(table, error) if result is None else errors.of_mysql(error)
            raise judged from error
        return Digest.of(*row)

    def find(self, table: Table, keys: Sequence[Row], result: Result | None = None) -> list[Block]:
        """See `PageReader.find`."""

        def any_of(alias: str) -> list[str]:
            return [f"({' OR '.join(f'({_same(table, key, alias)})' for key in keys)})"]

        return self._read(table, any_of, result)

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

    def _read(
        self, table: Table, conditions: Callable[[str], Sequence[str]], result: Result | None
    ) -> list[Block]:
        """Read rows; the conditions get the name under which they know the table."""
        if result is not None:
            return self._results(result, conditions)
        try:
            return self._images(table, conditions("s"))
        except (pymysql.Error, OSError) as error:
            raise _judged(table, error) from error

    def _images(self, table: Table, conditions: Sequence[str]) -> list[Block]:
        parts = LineParts.of(table)
        image = self._dialect.image("s", table)
        rows = _rows(table, conditions)
        between = parts.tail + b"," + parts.head
        separator = catalog.text(between.decode())
        connection = self._session.connection()
        with connection.cursor() as cursor:
            cursor.execute(
                # As text: of a JSON value that is chosen among several, MySQL's GROUP_CONCAT makes
                # one anew, and reads its decimals as doubles.
                f"SELECT GROUP_CONCAT(CONCAT({image}, '') SEPARATOR {separator}), COUNT(*)"
                f" FROM {rows}"
            )
            ((joined, count),) = cursor.fetchall()
        if not count:
            return []
        lines = (joined or "").encode()
        # Images are flat objects: what stands between two of them occurs in none.
        if len(lines) < self._session.longest - 8 and lines.count(between) + 1 == count:
            return [Block.of([parts.head + lines + parts.tail], count)]
        return parts.blocks(_streamed(connection, f"SELECT CONCAT({image}, '') FROM {rows}"))

    def _results(self, result: Result, conditions: Callable[[str], Sequence[str]]) -> list[Block]:
        table = result.table
        transforms = MysqlSql(self._dialect)
        alias = transforms.alias(table)
        query = transforms.select(
            result,
            condition=" AND ".join(conditions(alias)),
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
    return f"{catalog.quote(table.name)} AS s{where(conditions)}"


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
    columns = key_columns(table)
    names = [_order(column, alias) for column in columns]
    return [
        beyond(operator, names, [_literal(column, key[column.name]) for column in columns])
        for operator, key in bounds
    ]


def _same(table: Table, key: Row, alias: str) -> str:
    return " AND ".join(
        f"{_order(column, alias)} = {_literal(column, key[column.name])}"
        for column in key_columns(table)
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


def _sql_literal(column: Column) -> str:
    """An expression for a value as SQL. NULL only where the server makes it of what is too long."""
    name = f"s.{catalog.quote(column.name)}"
    if column.kind in (Kind.INTEGER, Kind.DECIMAL):
        written = name
    elif column.kind is Kind.BYTES:
        written = f"CONCAT('x', QUOTE(HEX({name})))"
    elif column.kind is Kind.TEXT:
        written = f"QUOTE(CONVERT({name} USING utf8mb4))"
    else:
        written = f"QUOTE({name})"
    return f"IF({name} IS NULL, 'NULL', {written})"


def _text(value: str) -> str:
    return f"_utf8mb4 x'{value.encode().hex()}'"


def _judged(table: Table, error: Exception) -> ReplicatorError:
    code = error.args[0] if error.args else 0
    message = f"reading table {table.name} failed: {type(error).__name__} ({code})"
    if code in NEEDS_SOMEBODY:
        return DeliveryStopped(message, "the source's user needs SELECT on it")
    return SourceUnavailable(message)
