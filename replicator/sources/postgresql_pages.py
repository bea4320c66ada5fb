"""Reading tables of PostgreSQL page by page, through COPY."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import psycopg
from psycopg import Connection, sql
from sqlalchemy import Engine

from replicator.change import Block, Row
from replicator.errors import DeliveryStopped, ReplicatorError, SourceUnavailable
from replicator.sources.connection import DriverConnection
from replicator.sources.pages import (
    Bound,
    LineParts,
    Page,
    decode_key,
    encode_key,
    key_only,
)
from replicator.sources.postgresql import FILE_HEADER, ROW_HEADER, copy_out
from replicator.transform import errors
from replicator.transform.model import Result
from replicator.transform.postgresql import PostgresqlSql
from triggers.dialects import postgresql_catalog as catalog
from triggers.dialects.postgresql_values import SETTINGS, expression
from triggers.model import Table

TYPES = """
SELECT attname, pg_catalog.format_type(atttypid, atttypmod) FROM pg_catalog.pg_attribute
WHERE attrelid = %s::pg_catalog.regclass AND attnum > 0 AND NOT attisdropped
"""
KIND = "SELECT relkind FROM pg_catalog.pg_class WHERE oid = %s::pg_catalog.regclass"
ESTIMATE = """
SELECT COALESCE(sum(GREATEST(c.reltuples, 0)), 0)::pg_catalog.int8 FROM pg_catalog.pg_class c
WHERE c.oid = %(name)s::pg_catalog.regclass
   OR c.oid IN (SELECT relid FROM pg_catalog.pg_partition_tree(%(name)s::pg_catalog.regclass))
"""


class PostgresqlPages:
    """See `PageReader`."""

    def __init__(self, engine: Engine) -> None:
        self._held = DriverConnection(engine)
        self._is_set_up = False
        self._types: dict[str, dict[str, str]] = {}
        self._sources: dict[str, str] = {}

    def page(
        self, table: Table, after: bytes | None, rows: int, result: Result | None = None
    ) -> Page:
        """See `PageReader.page`."""
        try:
            above = [] if after is None else [(">", decode_key(after))]
            last = self._boundary(table, above, rows)
            between = above if last is None else [*above, ("<=", decode_key(last))]
            found = (
                [] if result is not None else self._images(table, self._conditions(table, between))
            )
        except psycopg.Error as error:
            raise _judged(table, error) from error
        if result is not None:
            found = self._results(result, between)
        return Page.of(found, last, rows if result is not None and last is not None else None)

    def find(self, table: Table, keys: Sequence[Row]) -> list[Block]:
        """See `PageReader.find`."""
        try:
            any_of = " OR ".join(self._compare(table, "=", key) for key in keys)
            return self._images(table, [f"({any_of})"])
        except psycopg.Error as error:
            raise _judged(table, error) from error

    def estimate(self, table: Table) -> int:
        """See `PageReader.estimate`."""
        try:
            name = {"name": catalog.relation(table.name)}
            row = self._connection().execute(ESTIMATE, name).fetchone()
        except psycopg.Error as error:
            raise _judged(table, error) from error
        return int(row[0]) if row is not None else 0

    def close(self) -> None:
        """See `PageReader.close`."""
        self._is_set_up = False
        self._types.clear()
        self._sources.clear()
        self._held.discard()

    def _connection(self) -> Connection:
        connection: Connection = self._held.get()
        if not self._is_set_up:
            connection.autocommit = True
            for setting in SETTINGS:
                connection.execute(
                    "SELECT pg_catalog.set_config(%s, %s, false)", (setting.name, setting.wanted)
                )
            connection.execute("SET default_transaction_read_only = on")
            connection.execute("SET jit = off")
            self._is_set_up = True
        return connection

    def _boundary(self, table: Table, above: Sequence[Bound], rows: int) -> bytes | None:
        """The key of the row that is so many rows further on; None where there is none."""
        conditions = self._conditions(table, above)
        query = f"{self._select(key_only(table), conditions)} LIMIT 1 OFFSET {rows - 1}"
        found = list(self._copied(query))
        return found[0] if found else None

    def _images(self, table: Table, conditions: Sequence[str]) -> list[Block]:
        return LineParts.of(table).blocks(self._copied(self._select(table, conditions)))

    def _results(self, result: Result, between: Sequence[Bound]) -> list[Block]:
        table = result.table
        transforms = PostgresqlSql()
        names = ", ".join(catalog.quote(column.name) for column in table.columns)
        try:
            alias = transforms.alias(table)
            query = transforms.select(
                result,
                rows=f"(SELECT {names} FROM {self._source(table)})",
                condition=" AND ".join(self._conditions(table, between, alias)),
                tail=f"ORDER BY {self._keys(table, alias)}",
            )
            connection = self._connection()
            connection.execute("RESET search_path")  # the transform may call anything
            found = LineParts.of(table).blocks(self._copied(query))
            connection.execute("SET search_path = pg_catalog")
        except psycopg.Error as error:
            self.close()
            raise errors.of_postgresql(error) from error
        return found

    def _select(self, table: Table, conditions: Sequence[str]) -> str:
        fields = ", ".join(
            f"{expression(column, f's.{catalog.quote(column.name)}')} AS"
            f" {catalog.quote(column.name)}"
            for column in table.columns
        )
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return (
            f"SELECT pg_catalog.row_to_json(r.*)::pg_catalog.text FROM (SELECT {fields}"
            f" FROM {self._source(table)} s{where} ORDER BY {self._keys(table)}) r"
        )

    def _source(self, table: Table) -> str:
        """The table without those that inherit from it, whose rows its triggers do not see."""
        source = self._sources.get(table.name)
        if source is None:
            relation = catalog.relation(table.name)
            row = self._connection().execute(KIND, (relation,)).fetchone()
            partitioned = row is not None and row[0] in ("p", b"p")
            source = self._sources[table.name] = relation if partitioned else f"ONLY {relation}"
        return source

    def _conditions(self, table: Table, bounds: Sequence[Bound], alias: str = "s") -> list[str]:
        return [self._compare(table, operator, key, alias) for operator, key in bounds]

    def _compare(self, table: Table, operator: str, key: Row, alias: str = "s") -> str:
        values = ", ".join(self._literal(table, name, key) for name in table.key)
        return f"(({self._keys(table, alias)}) {operator} ({values}))"

    def _keys(self, table: Table, alias: str = "s") -> str:
        return ", ".join(f"{alias}.{catalog.quote(name)}" for name in table.key)

    def _literal(self, table: Table, name: str, key: Row) -> str:
        value = key[name]
        if isinstance(value, list):
            image = sql.Literal(encode_key(key).decode()).as_string()
            record = (
                f"pg_catalog.json_populate_record(NULL::{catalog.relation(table.name)}, {image})"
            )
            return f"(SELECT r.{catalog.quote(name)} FROM {record} r)"
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return f"{sql.Literal(text).as_string()}::{self._type(table, name)}"

    def _type(self, table: Table, name: str) -> str:
        types = self._types.get(table.name)
        if types is None:
            rows = self._connection().execute(TYPES, (catalog.relation(table.name),))
            types = self._types[table.name] = dict(rows.fetchall())
        return types[name]

    def _copied(self, query: str) -> Iterator[bytes]:
        connection = self._connection()
        copy = f"COPY ({query}) TO STDOUT (FORMAT binary)"
        start = FILE_HEADER + ROW_HEADER
        for row in copy_out(connection.pgconn, copy.encode()):
            if len(row) > start:
                yield bytes(row[start:])
            start = ROW_HEADER


def _judged(table: Table, error: psycopg.Error) -> ReplicatorError:
    message = f"reading table {table.name} failed: {type(error).__name__}"
    if (error.sqlstate or "").startswith("42"):  # no such thing, or no right to it
        return DeliveryStopped(message, "the source's user needs SELECT on it")
    return SourceUnavailable(message)
