"""How MySQL and MariaDB spell tables."""

from __future__ import annotations

import re
from collections.abc import Sequence

from replicator.targets.sql.dialect import TargetColumn, TargetTable
from triggers.model import Column, Kind

_INTEGERS = {1: "tinyint", 2: "smallint", 3: "mediumint", 4: "int", 8: "bigint"}
_LONGEST_INLINE = 1000  # longer ones would soon fill up the row's 65,535 bytes


class MySQLDefinition:
    """See `DataDefinition`. Tables compare text byte by byte, so that no two keys ever meet."""

    adds_foreign_keys = True
    table_options = " ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"

    def quote(self, name: str) -> str:
        """Quote one identifier."""
        return "`" + name.replace("`", "``") + "`"

    def quote_table(self, name: str) -> str:
        """Quote `table` or `database.table`."""
        return ".".join(map(self.quote, name.split(".", 1)))

    def column_type(self, column: Column, *, indexed: bool) -> str:
        """Text that has no type of its own here becomes longtext; a key has to be varchar."""
        text = "varchar(255)" if indexed else "longtext"
        if column.engine == "sqlite":
            return _loose(column, text, indexed=indexed)
        match column.kind:
            case Kind.INTEGER:
                unsigned = " unsigned" if column.unsigned else ""
                return _INTEGERS.get(column.precision or 8, "bigint") + unsigned
            case Kind.DECIMAL:
                precision, scale = column.precision, column.scale or 0
                if precision is None or precision > 65 or not 0 <= scale <= 30:
                    return text
                return f"decimal({max(precision, scale)},{scale})"
            case Kind.FLOAT:
                return "float" if column.precision == 4 else "double"
            case Kind.BOOLEAN:
                return "tinyint(1)"
            case Kind.TEXT:
                return f"varchar({column.length})" if _inline(column, indexed, 4) else text
            case Kind.BYTES:
                if _inline(column, indexed, 1):
                    return f"varbinary({column.length})"
                return "varbinary(255)" if indexed else "longblob"
            case Kind.DATE:
                return "date"
            case Kind.TIME:
                return "time(6)"
            case Kind.TIMESTAMP | Kind.TIMESTAMPTZ:
                return "datetime(6)"
            case Kind.TIMETZ:
                return "varchar(32)"
            case Kind.UUID:
                return "char(36)"
            case Kind.BIT:
                width = re.search(r"\d+", column.native)
                return f"bit({width[0] if width else 1})"
            case Kind.ENUM:
                own = column.native.lower().startswith(("enum(", "set("))
                return column.native if own else "varchar(255)"
            case Kind.GEOMETRY if column.engine == "mysql" and not indexed:
                return column.native.replace("geomcollection", "geometrycollection")
            case Kind.INTERVAL | Kind.JSON | Kind.ARRAY | Kind.GEOMETRY | Kind.DYNAMIC | Kind.OTHER:
                return text

    def action(self, clause: str, action: str) -> str:
        """InnoDB has no SET DEFAULT."""
        return "" if action in ("NO ACTION", "SET DEFAULT") else f" {clause} {action}"

    def add_key(self, table: TargetTable, columns: Sequence[TargetColumn]) -> str:
        """A primary key where there is none yet."""
        kind = "UNIQUE" if table.has_primary_key else "PRIMARY KEY"
        names = ", ".join(self.quote(column.name) for column in columns)
        return f"ALTER TABLE {table.quoted} ADD {kind} ({names});"

    def change_type(self, table: TargetTable, column: TargetColumn, kind: str) -> str:
        """The column keeps its place."""
        null = "" if column.nullable else " NOT NULL"
        return f"ALTER TABLE {table.quoted} MODIFY COLUMN {self.quote(column.name)} {kind}{null};"


def _loose(column: Column, text: str, *, indexed: bool) -> str:
    """For SQLite's declared types; text keeps what any other one holds."""
    match column.kind:
        case Kind.INTEGER:
            return "bigint"
        case Kind.FLOAT:
            return "double"
        case Kind.DECIMAL if 0 < (column.precision or 0) <= 65 and (column.scale or 0) <= 30:
            return f"decimal({column.precision},{column.scale or 0})"
        case Kind.DECIMAL:
            return "double"
        case Kind.BYTES:
            return "varbinary(255)" if indexed else "longblob"
        case _:
            return text


def _inline(column: Column, indexed: bool, width: int) -> bool:
    """Whether a length is known that fits into the row, and for a key into 3,072 bytes."""
    limit = 3072 // width // 2 if indexed else _LONGEST_INLINE
    return column.length is not None and 0 < column.length <= limit
