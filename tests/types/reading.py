"""What a table holds, read by SQL in a session of fixed settings, without the product's code."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from tests.replication import run_statement
from tests.servers import Database, DatabaseKind


class Bits(str):
    """The digits of PostgreSQL's bit and bit varying."""

    __slots__ = ()


Stored = None | int | float | str | bytes
"""A stored value: doubles as float, bytes as bytes, the rest as the engine's own text; SQLite's
by storage class."""

Row = tuple[Stored, ...]

SESSION: dict[DatabaseKind, tuple[str, ...]] = {
    "postgresql": (
        "SET TimeZone = 'UTC'",
        "SET DateStyle = 'ISO, YMD'",
        "SET IntervalStyle = 'postgres'",
        "SET bytea_output = 'hex'",
        "SET extra_float_digits = 1",
    ),
    # Lets zero dates in, and nothing that it would change.
    "mysql": ("SET sql_mode = 'STRICT_ALL_TABLES'", "SET time_zone = '+00:00'"),
    "mariadb": ("SET sql_mode = 'STRICT_ALL_TABLES'", "SET time_zone = '+00:00'"),
    "sqlite": (),
}


def read_table(database: Database, table: str, columns: Sequence[str]) -> dict[int, Row]:
    """The rows of a table by their `id`: the named columns, in this order."""
    with database.engine.connect() as connection:
        for statement in SESSION[database.kind]:
            run_statement(connection, statement)
        rows = _READERS[database.kind](connection, table, columns)
        connection.rollback()
        connection.invalidate()  # nobody else is to get this session
        return rows


def column_types(database: Database, table: str) -> dict[str, str]:
    """The type of each column, as the engine prints it, in lower case."""
    with database.engine.connect() as connection:
        return _types(connection, database.kind, table)


def _types(connection: Connection, kind: DatabaseKind, table: str) -> dict[str, str]:
    rows = connection.execute(sa.text(_TYPES[kind]), {"table": table}).all()
    return {str(name): str(type_).lower() for name, type_ in rows}


_TYPES: dict[DatabaseKind, str] = {
    "postgresql": "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
    " WHERE attrelid = CAST(CAST(:table AS text) AS regclass) AND attnum > 0 AND NOT attisdropped"
    " ORDER BY attnum",
    "mariadb": "SELECT column_name, column_type FROM information_schema.columns"
    " WHERE table_schema = DATABASE() AND table_name = :table ORDER BY ordinal_position",
    "sqlite": "SELECT name, type FROM pragma_table_xinfo(:table)",
}
_TYPES["mysql"] = _TYPES["mariadb"]


def _read_postgresql(connection: Connection, table: str, columns: Sequence[str]) -> dict[int, Row]:
    types = _types(connection, "postgresql", table)
    expressions, forms = [], []
    for column in columns:
        type_ = types[column]
        # By the type's output function; a cast to text may do something else (inet, char(n)).
        expression, form = f"format('%s', {column})", _as_text
        if type_ == "bytea":
            expression, form = f"encode({column}, 'hex')", _as_bytes
        elif type_ in ("real", "double precision"):
            expression, form = f"{column}::float8::text", _as_float
        elif type_ == "real[]":
            expression = f"format('%s', {column}::float8[])"
        elif type_ == "money":
            expression = f"{column}::numeric::text"
        elif type_.startswith("bit"):
            form = _as_bits
        expressions.append(
            f"CASE WHEN NOT ({column} IS NOT DISTINCT FROM NULL) THEN {expression} END"
        )
        forms.append(form)
    return _rows(connection, table, expressions, forms)


_TEXTS = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set", "json")
_BYTES = ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob")
_SHAPES = ("point", "line", "polygon", "multi", "geom")


def _read_mysql(connection: Connection, table: str, columns: Sequence[str]) -> dict[int, Row]:
    types = _types(connection, "mysql", table)
    expressions, forms = [], []
    for column in columns:
        type_, name = types[column], f"`{column}`"
        expression, form = f"CAST({name} AS CHAR)", _as_text
        if type_.startswith(_TEXTS):
            expression, form = f"HEX(CONVERT({expression} USING utf8mb4))", _as_utf8
        elif type_.startswith(_BYTES + _SHAPES):
            expression, form = f"HEX({name})", _as_bytes
        elif type_.startswith(("float", "double")):
            expression, form = f"{name} * 1e0", _as_float
        elif type_.startswith("bit"):
            expression = f"CAST(CAST({name} AS UNSIGNED) AS CHAR)"
        expressions.append(expression)
        forms.append(form)
    return _rows(connection, table, expressions, forms)


def _read_sqlite(connection: Connection, table: str, columns: Sequence[str]) -> dict[int, Row]:
    expressions: list[str] = []
    for column in columns:
        # Texts as bytes: whatever the driver and SQLite's functions think of NUL in them.
        as_stored = (
            f"CASE typeof({column}) WHEN 'text' THEN CAST({column} AS BLOB) ELSE {column} END"
        )
        expressions += [f"typeof({column}) = 'text'", as_stored]
    pairs = _rows(connection, table, expressions, [_as_stored] * len(expressions))
    return {
        number: tuple(
            value.decode() if is_text and isinstance(value, bytes) else value
            for is_text, value in zip(row[::2], row[1::2], strict=True)
        )
        for number, row in pairs.items()
    }


_READERS: dict[DatabaseKind, Callable[[Connection, str, Sequence[str]], dict[int, Row]]] = {
    "postgresql": _read_postgresql,
    "mariadb": _read_mysql,
    "mysql": _read_mysql,
    "sqlite": _read_sqlite,
}


def _rows(
    connection: Connection,
    table: str,
    expressions: Sequence[str],
    forms: Sequence[Callable[[object], Stored]],
) -> dict[int, Row]:
    query = f"SELECT id, {', '.join(expressions)} FROM {table} ORDER BY id".replace("%", "%%")
    if connection.dialect.name == "sqlite":
        query = query.replace("%%", "%")
    return {
        int(number): tuple(
            None if value is None else form(value)
            for value, form in zip(values, forms, strict=True)
        )
        for number, *values in connection.exec_driver_sql(query)
    }


def _as_text(value: object) -> Stored:
    assert isinstance(value, str), type(value)
    return value


def _as_bits(value: object) -> Stored:
    return Bits(value)


def _as_bytes(value: object) -> Stored:
    return bytes.fromhex(str(value))


def _as_utf8(value: object) -> Stored:
    return bytes.fromhex(str(value)).decode()


def _as_float(value: object) -> Stored:
    assert isinstance(value, float | str), type(value)
    return float(value)


def _as_stored(value: object) -> Stored:
    assert value is None or isinstance(value, int | float | str | bytes), type(value)
    return value
