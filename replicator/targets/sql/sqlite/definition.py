"""How SQLite spells tables."""

from __future__ import annotations

from collections.abc import Sequence

from replicator.targets.sql.dialect import TargetColumn, TargetTable
from replicator.targets.sql.values.numbers import bit_width
from triggers.model import Column, Kind

_EXACT_DIGITS = 15  # of a decimal in SQLite's 8-byte floats


class SQLiteDefinition:
    """See `DataDefinition`."""

    adds_foreign_keys = False
    table_options = ""

    def quote(self, name: str) -> str:
        """Quote one identifier."""
        return '"' + name.replace('"', '""') + '"'

    def quote_table(self, name: str) -> str:
        """A dot is part of a table's name here: there are no schemas."""
        return self.quote(name)

    def column_type(self, column: Column, *, indexed: bool) -> str:  # noqa: ARG002
        """Numbers that do not fit into 64 bits are kept as text."""
        if column.engine == "sqlite":  # ANY means any class in STRICT tables only
            return "BLOB" if column.native.lower() == "any" else column.native
        match column.kind:
            case Kind.INTEGER:
                return "TEXT" if column.unsigned and column.precision == 8 else "INTEGER"
            case Kind.DECIMAL:
                known = column.precision is not None and column.precision <= _EXACT_DIGITS
                return "NUMERIC" if known else "TEXT"
            case Kind.FLOAT:
                return "REAL"
            case Kind.BOOLEAN:
                return "INTEGER"
            case Kind.BIT:
                return "TEXT" if bit_width(column.native) == 64 else "INTEGER"
            case Kind.BYTES | Kind.DYNAMIC:
                return "BLOB"  # no affinity: any storage class stays as it is
            case _:
                return "TEXT"

    def action(self, clause: str, action: str) -> str:
        """All of SQL's actions are known here."""
        return "" if action == "NO ACTION" else f" {clause} {action}"

    def add_key(self, table: TargetTable, columns: Sequence[TargetColumn]) -> str:
        """A unique index: SQLite cannot add a primary key to a table that exists."""
        plain = table.identity + "_" + "_".join(column.name for column in columns)
        names = ", ".join(self.quote(column.name) for column in columns)
        return f"CREATE UNIQUE INDEX {self.quote(plain)} ON {table.quoted} ({names});"

    def change_type(self, table: TargetTable, column: TargetColumn, kind: str) -> str:
        """SQLite cannot change a type: the column is made anew."""
        name = self.quote(column.name)
        table_ = f"ALTER TABLE {table.quoted}"
        return f"{table_} DROP COLUMN {name}; {table_} ADD COLUMN {name} {kind};"
