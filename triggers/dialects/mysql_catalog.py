"""Reading table definitions from MySQL's and MariaDB's information_schema."""

from __future__ import annotations

from itertools import groupby

import sqlalchemy as sa
from sqlalchemy import Connection

from triggers.dialects.base import Form, Subject
from triggers.errors import TableMissing, TableRefused
from triggers.keys import choose_key, keep_columns
from triggers.model import Column, ForeignKey, Kind, Table, TableSpec

KINDS = {
    "tinyint": Kind.INTEGER,
    "smallint": Kind.INTEGER,
    "mediumint": Kind.INTEGER,
    "int": Kind.INTEGER,
    "bigint": Kind.INTEGER,
    "year": Kind.INTEGER,
    "decimal": Kind.DECIMAL,
    "float": Kind.FLOAT,
    "double": Kind.FLOAT,
    "char": Kind.TEXT,
    "varchar": Kind.TEXT,
    "tinytext": Kind.TEXT,
    "text": Kind.TEXT,
    "mediumtext": Kind.TEXT,
    "longtext": Kind.TEXT,
    "binary": Kind.BYTES,
    "varbinary": Kind.BYTES,
    "tinyblob": Kind.BYTES,
    "blob": Kind.BYTES,
    "mediumblob": Kind.BYTES,
    "longblob": Kind.BYTES,
    "vector": Kind.BYTES,
    "date": Kind.DATE,
    "time": Kind.TIME,
    "datetime": Kind.TIMESTAMP,
    "timestamp": Kind.TIMESTAMPTZ,
    "json": Kind.JSON,
    "bit": Kind.BIT,
    "enum": Kind.ENUM,
    "set": Kind.ENUM,
    "uuid": Kind.UUID,
    "geometry": Kind.GEOMETRY,
    "point": Kind.GEOMETRY,
    "linestring": Kind.GEOMETRY,
    "polygon": Kind.GEOMETRY,
    "multipoint": Kind.GEOMETRY,
    "multilinestring": Kind.GEOMETRY,
    "multipolygon": Kind.GEOMETRY,
    "geometrycollection": Kind.GEOMETRY,
    "geomcollection": Kind.GEOMETRY,
}

INTEGER_BYTES = {"tinyint": 1, "smallint": 2, "mediumint": 3, "int": 4, "bigint": 8, "year": 2}

DEFINITIONS = sa.text(
    "SELECT table_name, column_name, column_type FROM information_schema.columns"
    " WHERE table_schema = DATABASE() AND table_name IN :tables"
    " ORDER BY table_name, ordinal_position"
).bindparams(sa.bindparam("tables", expanding=True))

COLUMNS = """
SELECT column_name, data_type, column_type, is_nullable = 'YES',
       COALESCE(generation_expression, '') <> '',
       character_maximum_length, numeric_precision, numeric_scale, datetime_precision
FROM information_schema.columns
WHERE table_schema = DATABASE() AND table_name = :table
ORDER BY ordinal_position
"""

UNIQUE_KEYS = """
SELECT index_name, column_name, nullable = 'YES', sub_part
FROM information_schema.statistics
WHERE table_schema = DATABASE() AND table_name = :table AND non_unique = 0
ORDER BY index_name <> 'PRIMARY', index_name, seq_in_index
"""

# In two queries: a join of the two looks through all tables of the server.
RULES = """
SELECT constraint_name, delete_rule, update_rule
FROM information_schema.referential_constraints
WHERE constraint_schema = DATABASE() AND table_name = :table
"""

FOREIGN_KEYS = """
SELECT constraint_name, referenced_table_name, column_name, referenced_column_name
FROM information_schema.key_column_usage
WHERE table_schema = DATABASE() AND table_name = :table AND referenced_table_name IS NOT NULL
ORDER BY constraint_name, ordinal_position
"""


def quote(name: str) -> str:
    """Quote an identifier."""
    return "`" + name.replace("`", "``") + "`"


def text(value: str) -> str:
    """Write a string literal that means the same under every sql_mode."""
    if "\\" in value:
        return f"CONVERT(0x{value.encode().hex()} USING utf8mb4)"
    return "'" + value.replace("'", "''") + "'"


def describe(connection: Connection, spec: TableSpec) -> Subject:
    """Read a table's definition. Raises `TableRefused` for one that cannot be captured."""
    bound = {"table": spec.name}
    found = connection.execute(
        sa.text(
            "SELECT table_name, table_type, engine FROM information_schema.tables"
            " WHERE table_schema = DATABASE() AND table_name = :table"
        ),
        bound,
    ).one_or_none()
    if found is None:
        raise TableMissing(
            f"table {spec.name} does not exist in the source",
            "correct the name (the source URL says which database) or create the table",
        )
    if "BASE TABLE" not in found[1]:
        raise TableRefused(f"{spec.name} is not a table", "only ordinary tables can be captured")
    if found[2].lower() != "innodb":
        raise TableRefused(
            f"table {spec.name} uses the engine {found[2]}, which has no transactions",
            f"ALTER TABLE {quote(spec.name)} ENGINE = InnoDB;",
        )
    columns = [_column(*row) for row in connection.execute(sa.text(COLUMNS), bound)]
    keys = []
    for name, group in groupby(connection.execute(sa.text(UNIQUE_KEYS), bound), lambda row: row[0]):
        parts = list(group)
        if all(column and sub_part is None for _n, column, _null, sub_part in parts):
            not_null = not any(nullable for _n, _c, nullable, _s in parts)
            keys.append((name, tuple(p[1] for p in parts), name == "PRIMARY", not_null))
    key = choose_key(spec.name, spec, keys)
    kept = keep_columns(spec.name, spec, columns, key)
    return Subject(
        table=Table(
            name=spec.name, columns=kept, key=key, foreign_keys=_foreign_keys(connection, bound)
        ),
        form=Form.ROW,
        relation=quote(spec.name),
        excluded=len(kept) < len(columns),
    )


def _foreign_keys(connection: Connection, bound: dict[str, str]) -> tuple[ForeignKey, ...]:
    rules = {name: rest for name, *rest in connection.execute(sa.text(RULES), bound)}
    if not rules:
        return ()
    found = []
    for name, group in groupby(
        connection.execute(sa.text(FOREIGN_KEYS), bound), lambda row: row[0]
    ):
        parts = list(group)
        on_delete, on_update = rules[name]
        found.append(
            ForeignKey(
                columns=tuple(p[2] for p in parts),
                table=parts[0][1],
                referred=tuple(p[3] for p in parts),
                on_delete=on_delete,
                on_update=on_update,
            )
        )
    return tuple(found)


def _column(
    name: str,
    base: str,
    native: str,
    nullable: int,
    generated: int,
    length: int | None,
    precision: int | None,
    scale: int | None,
    fraction: int | None,
) -> Column:
    kind = KINDS.get(base.lower(), Kind.OTHER)
    match kind:
        case Kind.INTEGER:
            precision, scale = INTEGER_BYTES[base.lower()], None
        case Kind.FLOAT:
            precision, scale = (4 if base.lower() == "float" else 8), None
        case Kind.TIME | Kind.TIMESTAMP | Kind.TIMESTAMPTZ:
            precision, scale = fraction, None
    return Column(
        name=name,
        kind=kind,
        native=native,
        nullable=bool(nullable),
        generated=bool(generated),
        length=length,
        precision=precision,
        scale=scale,
        unsigned="unsigned" in native,
        engine="mysql",
    )
