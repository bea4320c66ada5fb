"""Reading tables of PostgreSQL page by page, through COPY."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import psycopg
from psycopg import Connection, sql
from sqlalchemy import Engine

from replicator.canonical import Digest, Field, Form
from replicator.canonical import postgresql as canonical
from replicator.change import Block, Row
from replicator.errors import DeliveryStopped, ReplicatorError, SourceUnavailable
from replicator.pipeline.copying import RawForm
from replicator.sources.connection import DriverConnection
from replicator.sources.pages import (
    Bound,
    LineParts,
    Page,
    PageReader,
    bounds_between,
    encode_key,
    key_only,
    where,
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


class PostgresqlPages(PageReader):
    """See `PageReader`."""

    def __init__(self, engine: Engine) -> None:
        self._held = DriverConnection(engine)
        self._is_set_up = False
        self._types: dict[str, dict[str, str]] = {}
        self._sources: dict[str, str] = {}

    def raw_page(self, table: Table, after: bytes | None, rows: int, form: RawForm) -> Page | None:
        """See `PageReader.raw_page`."""
        if form.engine != "postgresql":
            return None
        last = self.boundary(table, after, rows)
        names = ", ".join(f"s.{catalog.quote(name)}" for name in form.columns)
        conditions = where(self._conditions(table, bounds_between(after, last)))
        try:
            query = (
                f"COPY (SELECT {names} FROM {self._source(table)} s{conditions}"
                f" ORDER BY {self._keys(table)}) TO STDOUT"
            )
            lines = list(map(bytes, copy_out(self._connection().pgconn, query.encode())))
        except psycopg.Error as error:
            raise _judged(table, error) from error
        return Page([], len(lines), last, b"".join(lines))

    def boundary(
        self, table: Table, after: bytes | None, rows: int, last: bytes | None = None
    ) -> bytes | None:
        """See `PageReader.boundary`."""
        try:
            conditions = self._conditions(table, bounds_between(after, last))
            query = self._select(key_only(table), conditions, f" LIMIT 1 OFFSET {rows - 1}")
            found = list(self._copied(query))
        except psycopg.Error as error:
            raise _judged(table, error) from error
        return found[0] if found else None

    def between(
        self, table: Table, after: bytes | None, last: bytes | None, result: Result | None = None
    ) -> list[Block]:
        """See `PageReader.between`."""
        bounds = bounds_between(after, last)
        return self._read(table, lambda alias: self._conditions(table, bounds, alias), result)

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
        try:
            connection = self._connection()
            if result is None:
                clause = where(self._conditions(table, bounds))
                query = canonical.digest(fields, f"{self._source(table)} s{clause}")
                row = connection.execute(query.encode()).fetchone()
            else:
                transforms = PostgresqlSql()
                condition = " AND ".join(self._conditions(table, bounds, transforms.alias(table)))
                computed = transforms.results(
                    result, rows=self._captured(table), condition=condition
                )
                query = canonical.digest(fields, f"({computed}) s")
                connection.execute("RESET search_path")  # the transform may call anything
                row = connection.execute(query.encode()).fetchone()
                connection.execute("SET search_path = pg_catalog")
        except psycopg.Error as error:
            self.close()
            judge = _judged(table, error) if result is None else errors.of_postgresql(error)
            raise judge from error
        assert row is not None
        return Digest.of(*row)

    def find(self, table: Table, keys: Sequence[Row], result: Result | None = None) -> list[Block]:
        """See `PageReader.find`."""

        def any_of(alias: str) -> list[str]:
            same = " OR ".join(self._compare(table, "=", key, alias) for key in keys)
            return [f"({same})"]

        return self._read(table, any_of, result)

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

    def _read(
        self, table: Table, conditions: Callable[[str], Sequence[str]], result: Result | None
    ) -> list[Block]:
        """Read rows; the conditions get the name under which they know the table."""
        if result is not None:
            return self._results(result, conditions)
        try:
            query = self._select(table, conditions("s"))
            return LineParts.of(table).blocks(self._copied(query))
        except psycopg.Error as error:
            raise _judged(table, error) from error

    def _results(self, result: Result, conditions: Callable[[str], Sequence[str]]) -> list[Block]:
        table = result.table
        transforms = PostgresqlSql()
        try:
            alias = transforms.alias(table)
            query = transforms.select(
                result,
                rows=self._captured(table),
                condition=" AND ".join(conditions(alias)),
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

    def _select(self, table: Table, conditions: Sequence[str], limit: str = "") -> str:
        fields = ", ".join(
            f"{expression(column, f's.{catalog.quote(column.name)}')} AS"
            f" {catalog.quote(column.name)}"
            for column in table.columns
        )
        return (
            f"SELECT pg_catalog.row_to_json(r.*)::pg_catalog.text FROM"
            f" (SELECT {fields} FROM {self._source(table)} s{where(conditions)}"
            f" ORDER BY {self._keys(table)}{limit}) r"
        )

    def _captured(self, table: Table) -> str:
        names = ", ".join(catalog.quote(column.name) for column in table.columns)
        return f"(SELECT {names} FROM {self._source(table)})"

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
