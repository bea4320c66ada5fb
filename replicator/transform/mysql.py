"""Transforms in MySQL and MariaDB."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlalchemy import Connection

from replicator.transform.source_sql import SourceSql
from triggers.dialects import mysql_catalog as catalog
from triggers.dialects.mysql import MysqlDialect
from triggers.model import Column, Kind, Table
from triggers.statements import execute

_TABLE = "`outbox transform`"
_TYPE = re.compile(r"(?P<base>\w+)(?:\((?P<sizes>[\d, ]+)\))?")
_CUT = 80
"""More than the digits of any number."""

_CHARACTERS = {"tinytext": 255, "text": 65535, "mediumtext": (1 << 24) - 1, "longtext": 1 << 32}


class MysqlSql(SourceSql):
    """See `SourceSql`. `dialect` is that of the engine's triggers."""

    def __init__(self, dialect: MysqlDialect) -> None:
        self._dialect = dialect

    @property
    def needs(self) -> str:
        """See `SourceSql.needs`."""
        return "GRANT CREATE TEMPORARY TABLES on the source's database to the replicator's account"

    def quote(self, name: str) -> str:
        """See `SourceSql.quote`."""
        return catalog.quote(name)

    def relation(self, table: Table) -> str:
        """See `SourceSql.relation`."""
        return catalog.quote(table.name)

    def alias(self, table: Table) -> str:
        """See `SourceSql.alias`."""
        return catalog.quote(table.name)

    def image(self, row: str, columns: Sequence[Column], key: Sequence[str]) -> str:
        """See `SourceSql.image`."""
        return self._dialect.image(row, Table("", tuple(columns), tuple(key)))

    def types(self, connection: Connection, query: str) -> tuple[Column, ...]:
        """See `SourceSql.types`."""
        execute(connection, [f"CREATE TEMPORARY TABLE {_TABLE} AS {query} LIMIT 0"])
        try:
            found = connection.exec_driver_sql(f"SHOW COLUMNS FROM {_TABLE}").all()
        finally:
            execute(connection, [f"DROP TEMPORARY TABLE {_TABLE}"])
        return tuple(_column(name, _text(native), null) for name, native, null, *_ in found)

    def images_as_rows(self, table: Table, image: str) -> tuple[str, list[str]]:
        """A FROM item with the members of a JSON image, and the columns' values out of them.

        The values are for an INSERT under a forgiving sql_mode, which gives them their types.
        """
        json = self._dialect.name == "mysql"
        fields = ", ".join(
            f"c{place} {'JSON' if json else 'LONGTEXT CHARACTER SET utf8mb4'}"
            f" PATH {_path(column.name)}"
            for place, column in enumerate(table.columns)
        )
        values = [
            self._value(column, f"j.c{place}", image) for place, column in enumerate(table.columns)
        ]
        return f"JSON_TABLE({image}, '$' COLUMNS ({fields})) AS j", values

    def _value(self, column: Column, member: str, image: str) -> str:
        if self._dialect.name == "mysql":
            if column.kind in (Kind.DECIMAL, Kind.FLOAT):
                return _number(column.name, image)
            member = f"IF(JSON_TYPE({member}) = 'NULL', NULL, JSON_UNQUOTE({member}))"
        match column.kind:
            case Kind.BYTES:
                return f"UNHEX(SUBSTRING({member}, 3))"
            case Kind.GEOMETRY:
                return f"UNHEX({member})"
            case Kind.BIT:
                return f"CAST({member} AS UNSIGNED)"
            case Kind.INTEGER if column.native.startswith("year"):
                return f"{member} + 0"  # of '0' it would make 2000
            case Kind.TIMESTAMPTZ:
                return f"REPLACE({member}, '+00:00', '')"
            case _:
                return member


def _number(name: str, image: str) -> str:
    """A number with all its digits: MySQL reads those of JSON text as doubles, and not exactly."""
    # The quotes of a member's name are the only ones that are not escaped and follow these.
    text = f"CAST({image} AS BINARY)"
    keys = [f"{before}{_json_string(name)}: " for before in ("{", ", ")]
    found = [f"LOCATE(CAST({catalog.text(key)} AS BINARY), {text})" for key in keys]
    starts = [f"{place} + {len(key.encode())}" for place, key in zip(found, keys, strict=True)]
    start = f"IF({found[0]} > 0, {starts[0]}, {starts[1]})"
    cut = f"SUBSTRING({text}, {start}, {_CUT})"
    number = f"SUBSTRING_INDEX(SUBSTRING_INDEX({cut}, ',', 1), '}}', 1)"
    missing = " AND ".join(f"{place} = 0" for place in found)
    return f"IF({missing}, NULL, NULLIF(CONVERT({number} USING utf8mb4), 'null'))"


def _json_string(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _path(name: str) -> str:
    path = "$." + _json_string(name)
    return "'" + path.replace("\\", "\\\\").replace("'", "''") + "'"


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _column(name: str, native: str, null: str) -> Column:
    found = _TYPE.match(native)
    assert found is not None
    base = found["base"]
    sizes = [int(size) for size in (found["sizes"] or "").split(",") if size]
    kind = catalog.KINDS.get(base, Kind.OTHER)
    length = precision = scale = None
    match kind:
        case Kind.INTEGER:
            precision = catalog.INTEGER_BYTES[base]
        case Kind.FLOAT:
            precision = 4 if base == "float" else 8
        case Kind.DECIMAL:
            precision, scale = sizes
        case Kind.TIME | Kind.TIMESTAMP | Kind.TIMESTAMPTZ:
            precision = sizes[0] if sizes else 0
        case Kind.TEXT | Kind.BYTES:
            length = sizes[0] if sizes else _CHARACTERS.get(base.replace("blob", "text"))
    return Column(
        name=name,
        kind=kind,
        native=native,
        nullable=null == "YES",
        length=length,
        precision=precision,
        scale=scale,
        unsigned="unsigned" in native,
        engine="mysql",
    )
