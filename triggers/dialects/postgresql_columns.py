"""Reading the columns of a PostgreSQL table: what each one is, below domains and in arrays."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from triggers.model import Column, Kind

KINDS = {
    "int2": Kind.INTEGER,
    "int4": Kind.INTEGER,
    "int8": Kind.INTEGER,
    "oid": Kind.INTEGER,
    "numeric": Kind.DECIMAL,
    "money": Kind.DECIMAL,
    "float4": Kind.FLOAT,
    "float8": Kind.FLOAT,
    "bool": Kind.BOOLEAN,
    "text": Kind.TEXT,
    "varchar": Kind.TEXT,
    "bpchar": Kind.TEXT,
    "name": Kind.TEXT,
    "char": Kind.TEXT,
    "bytea": Kind.BYTES,
    "date": Kind.DATE,
    "time": Kind.TIME,
    "timetz": Kind.TIMETZ,
    "timestamp": Kind.TIMESTAMP,
    "timestamptz": Kind.TIMESTAMPTZ,
    "interval": Kind.INTERVAL,
    "json": Kind.JSON,
    "jsonb": Kind.JSON,
    "uuid": Kind.UUID,
}
"""Types of pg_catalog."""

EXTENSIONS = {"citext": Kind.TEXT, "geometry": Kind.GEOMETRY, "geography": Kind.GEOMETRY}
"""Types of extensions, which may be in any schema."""

VECTORS = ("int2vector", "oidvector")
"""Called arrays by the catalogue; their text form is not an array's."""

MONEY_DIGITS = 19

BELOW = """
CROSS JOIN LATERAL (
  WITH RECURSIVE below (oid, typmod) AS (
    SELECT {type}::oid, {typmod}
    UNION ALL
    SELECT d.typbasetype, d.typtypmod
    FROM below JOIN pg_type d ON d.oid = below.oid WHERE d.typtype = 'd'
  )
  SELECT t.oid, below.typmod, t.typname::text AS name, n.nspname::text AS schema, t.typtype,
         t.typcategory, t.typlen, t.typelem
  FROM below JOIN pg_type t ON t.oid = below.oid JOIN pg_namespace n ON n.oid = t.typnamespace
  WHERE t.typtype <> 'd'
) {name}"""
"""A type below all domains."""

COLUMNS = f"""
SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated <> '',
       b.name, b.schema, b.typtype, b.typcategory, b.typlen,
       e.name, e.schema, e.typtype, e.typcategory,
       information_schema._pg_char_max_length(b.oid, b.typmod),
       information_schema._pg_numeric_precision(b.oid, b.typmod),
       information_schema._pg_numeric_scale(b.oid, b.typmod),
       CASE WHEN b.name = 'money' THEN scale('1'::money::numeric) END
FROM pg_attribute a
{BELOW.format(type="a.atttypid", typmod="a.atttypmod", name="b")}
{BELOW.format(type="CASE b.typelem WHEN 0 THEN b.oid ELSE b.typelem END", typmod="-1", name="e")}
WHERE a.attrelid = :oid AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""


def read_columns(connection: Connection, oid: int) -> list[Column]:
    """Return a table's columns, in table order."""
    return [_column(*row) for row in connection.execute(sa.text(COLUMNS), {"oid": oid})]


def _column(
    name: str,
    native: str,
    not_null: bool,
    generated: bool,
    base: str,
    schema: str,
    typtype: str,
    category: str,
    size: int,
    element_base: str,
    element_schema: str,
    element_typtype: str,
    element_category: str,
    length: int | None,
    precision: int | None,
    scale: int | None,
    money_scale: int | None,
) -> Column:
    kind = _kind(base, schema, typtype, category)
    full_base = _full_base(base, schema, typtype)
    element = None
    if kind is Kind.ARRAY:
        element = _kind(element_base, element_schema, element_typtype, element_category)
        full_base = _full_base(element_base, element_schema, element_typtype)
    match kind:
        case Kind.INTEGER | Kind.FLOAT:
            precision, scale = size, None
        case Kind.DECIMAL if money_scale is not None:
            precision, scale = MONEY_DIGITS, money_scale
        case Kind.DECIMAL:
            pass
        case _:
            precision = scale = None
    return Column(
        name=name,
        kind=kind,
        native=native,
        nullable=not not_null,
        generated=generated,
        length=length,
        precision=precision,
        scale=scale,
        unsigned=full_base == "oid",
        engine="postgresql",
        element=element,
        base=full_base,
    )


def _kind(base: str, schema: str, typtype: str, category: str) -> Kind:
    if typtype == "e":
        return Kind.ENUM
    if category == "A" and base not in VECTORS:
        return Kind.ARRAY
    if typtype != "b":
        return Kind.OTHER
    return (KINDS if schema == "pg_catalog" else EXTENSIONS).get(base, Kind.OTHER)


def _full_base(base: str, schema: str, typtype: str) -> str:
    """Return the type's name; with its schema unless it is one of PostgreSQL's own scalars."""
    return base if schema == "pg_catalog" and typtype != "c" else f"{schema}.{base}"
