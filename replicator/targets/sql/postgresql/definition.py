"""How PostgreSQL spells tables."""

from __future__ import annotations

import re
from collections.abc import Sequence

from replicator.targets.sql.dialect import TargetColumn, TargetTable
from replicator.targets.sql.values.arrays import PRINTED
from triggers.model import Column, Kind

_OWN_TYPES = re.compile(
    r"(smallint|integer|bigint|oid|real|double precision|numeric(\(\d+,-?\d+\))?|money|boolean|"
    r"text|name|character( varying)?\(\d+\)|bytea|bit( varying)?(\(\d+\))?|uuid|xml|jsonb?|"
    r"date|time(stamp)?(\(\d\))? with(out)? time zone|interval|inet|cidr|macaddr8?|pg_lsn|"
    r"(int4|int8|num|ts|tstz|date)(multi)?range|tsvector|tsquery|"
    r"point|line|lseg|box|path|polygon|circle)"
)
_OWN_ELEMENTS = re.compile(
    r"(smallint|integer|bigint|real|double precision|numeric(\([\d,]+\))?|boolean|text|uuid|bytea|"
    r"date|interval|jsonb?|inet|character varying(\(\d+\))?|timestamp.*|time.*)(\[\])+"
)

_LOOSE = {
    Kind.INTEGER: "bigint",
    Kind.DECIMAL: "numeric",
    Kind.FLOAT: "double precision",
    Kind.BYTES: "bytea",
}
"""For SQLite's declared types; text keeps what any other one holds."""

_LONGEST_VARCHAR = 10_485_760  # MySQL's longtext says 4 GB


class PostgreSQLDefinition:
    """See `DataDefinition`."""

    adds_foreign_keys = True
    table_options = ""

    def quote(self, name: str) -> str:
        """Quote one identifier."""
        return '"' + name.replace('"', '""') + '"'

    def quote_table(self, name: str) -> str:
        """Quote `table` or `schema.table`."""
        return ".".join(map(self.quote, name.split(".", 1)))

    def column_type(self, column: Column, *, indexed: bool) -> str:  # noqa: ARG002
        """Every kind has a type that keeps it; any type can be a key."""
        native = column.native.lower()
        if column.engine == "postgresql" and _OWN_TYPES.fullmatch(native):
            return native
        if column.engine == "sqlite":
            return _LOOSE.get(column.kind, "text")
        match column.kind:
            case Kind.INTEGER:
                return _integer(column)
            case Kind.DECIMAL:
                return _decimal(column)
            case Kind.FLOAT:
                return "real" if column.precision == 4 else "double precision"
            case Kind.TEXT:
                fits = 0 < (column.length or 0) <= _LONGEST_VARCHAR and "char" in native
                return f"varchar({column.length})" if fits else "text"
            case Kind.BYTES:
                return "bytea"
            case Kind.JSON:
                return "jsonb" if column.native.lower() == "jsonb" else "json"
            case Kind.BIT:
                width = re.search(r"\d+", column.native)
                return f"bit({width[0] if width else 1})"
            case Kind.ARRAY:
                element = PRINTED.get(column.base, column.base)
                arrays = (f"{native.rstrip('[]')}[]", f"{element}[]")
                return next(filter(_OWN_ELEMENTS.fullmatch, arrays), "text[]")
            case Kind.OTHER:
                own = _OWN_TYPES.fullmatch(column.base) if column.engine == "postgresql" else None
                return own[0] if own else "text"
            case Kind.TIME if column.engine == "mysql":
                return "interval"  # it may be negative, and longer than a day
            case (
                Kind.BOOLEAN
                | Kind.DATE
                | Kind.TIME
                | Kind.TIMETZ
                | Kind.TIMESTAMP
                | Kind.TIMESTAMPTZ
                | Kind.INTERVAL
                | Kind.UUID
            ):
                return column.kind.value
            case Kind.ENUM | Kind.GEOMETRY | Kind.DYNAMIC:
                return "text"

    def action(self, clause: str, action: str) -> str:
        """All of SQL's actions are known here."""
        return "" if action == "NO ACTION" else f" {clause} {action}"

    def add_key(self, table: TargetTable, columns: Sequence[TargetColumn]) -> str:
        """A primary key where there is none yet."""
        kind = "UNIQUE" if table.has_primary_key else "PRIMARY KEY"
        names = ", ".join(self.quote(column.name) for column in columns)
        return f"ALTER TABLE {table.quoted} ADD {kind} ({names});"

    def change_type(self, table: TargetTable, column: TargetColumn, kind: str) -> str:
        """Values go through their text."""
        name = self.quote(column.name)
        using = f" USING {name}::text::{kind}" if kind != "text" else ""
        return f"ALTER TABLE {table.quoted} ALTER COLUMN {name} TYPE {kind}{using};"


def _integer(column: Column) -> str:
    bytes_ = (column.precision or 8) + (1 if column.unsigned else 0)
    if bytes_ > 8:
        return "numeric(20)"
    if bytes_ > 4:
        return "bigint"
    return "integer" if bytes_ > 2 else "smallint"


def _decimal(column: Column) -> str:
    if column.precision is None or column.precision > 1000:
        return "numeric"
    return f"numeric({column.precision},{column.scale or 0})"
