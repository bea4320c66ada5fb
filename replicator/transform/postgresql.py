"""Transforms in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from replicator.transform.source_sql import SourceSql
from triggers.dialects import postgresql_catalog as catalog
from triggers.dialects.postgresql_columns import read_columns
from triggers.dialects.postgresql_function import text
from triggers.dialects.postgresql_values import expression
from triggers.model import Column, Kind, Table
from triggers.statements import execute

_VIEW = "replicator_transform"


class PostgresqlSql(SourceSql):
    """See `SourceSql`."""

    session = (
        "SET TimeZone = 'UTC'",
        "SET DateStyle = 'ISO, YMD'",
        "SET IntervalStyle = 'postgres'",
        "SET extra_float_digits = 1",
        "SET bytea_output = 'hex'",
    )

    def quote(self, name: str) -> str:
        """See `SourceSql.quote`."""
        return catalog.quote(name)

    def relation(self, table: Table) -> str:
        """See `SourceSql.relation`."""
        return catalog.relation(table.name)

    def alias(self, table: Table) -> str:
        """See `SourceSql.alias`."""
        return catalog.quote(catalog.split_name(table.name)[1])

    def image(self, row: str, columns: Sequence[Column], key: Sequence[str]) -> str:
        """See `SourceSql.image`."""
        del key
        fields = ", ".join(
            f"{expression(column, f'{row}.{self.quote(column.name)}')} AS {self.quote(column.name)}"
            for column in columns
        )
        return f"(SELECT pg_catalog.row_to_json(i.*)::pg_catalog.text FROM (SELECT {fields}) i)"

    def types(self, connection: Connection, query: str) -> tuple[Column, ...]:
        """See `SourceSql.types`."""
        with connection.begin_nested() as attempt:
            execute(connection, [f"CREATE TEMPORARY VIEW {_VIEW} AS {query}"])
            oid = connection.execute(
                sa.text(f"SELECT 'pg_temp.{_VIEW}'::regclass::oid")
            ).scalar_one()
            columns = read_columns(connection, oid)
            attempt.rollback()
        return tuple(columns)

    def images_as_rows(self, table: Table, image: str) -> str:
        """A FROM item that turns a JSON image back into a row of the table's captured columns."""
        fields = ", ".join(
            f"{self.quote(column.name)} {_read_as(column)}" for column in table.columns
        )
        values = ", ".join(
            f"{_value(column, f'f.{self.quote(column.name)}')} AS {self.quote(column.name)}"
            for column in table.columns
        )
        return f"(SELECT {values} FROM pg_catalog.json_to_record({image}) AS f({fields}))"

    def literal(self, value: str) -> str:
        """Write a string."""
        return text(value)


def _read_as(column: Column) -> str:
    """The type as which a column's wire form is read."""
    match column.kind:
        case Kind.JSON:
            return "text"
        case Kind.TEXT if column.base == "char":
            return "text"
        case Kind.DECIMAL if column.base == "money":
            return "numeric"
        case Kind.ARRAY if column.element is Kind.JSON:
            return "text[]"
        case Kind.ARRAY if column.base == "money":
            return "numeric[]"
        case _:
            return column.native


def _value(column: Column, value: str) -> str:
    """What was read, as a value of the column's own type."""
    if column.kind is Kind.TEXT and column.base == "char":
        byte = f"pg_catalog.get_byte(pg_catalog.decode({value}, 'escape'), 0)"
        return (
            f"(CASE WHEN pg_catalog.length({value}) OPERATOR(pg_catalog.=) 4"
            f' THEN (CASE WHEN {byte} > 127 THEN {byte} - 256 ELSE {byte} END)::"char"'
            f' ELSE {value}::"char" END)::{column.native}'
        )
    return value if _read_as(column) == column.native else f"{value}::{column.native}"
