"""The statements that write rows of one shape to SQLite."""

from __future__ import annotations

from dataclasses import dataclass

from replicator.targets.sql.dialect import Shape, TargetColumn
from replicator.targets.sql.sqlite.definition import SQLiteDefinition


@dataclass(frozen=True, slots=True)
class Statements:
    """All of them, for one shape."""

    upsert: str
    update: str
    delete: str

    @classmethod
    def of(cls, shape: Shape) -> Statements:
        """Spell them; parameters are the shape's columns, those of `update` others, then key."""
        table = shape.table.quoted
        columns = ", ".join(map(_name, shape.columns))
        marks = ", ".join("?" * len(shape.columns))
        key = ", ".join(map(_name, shape.key))
        where = " AND ".join(f"{_name(column)} = ?" for column in shape.key)
        new = ", ".join(f"{_name(c)} = excluded.{_name(c)}" for c in shape.others)
        settings = ", ".join(f"{_name(c)} = ?" for c in shape.others)
        nothing = f"{_name(shape.key[0])} = {_name(shape.key[0])}"
        return cls(
            upsert=f"INSERT INTO {table} ({columns}) VALUES ({marks}) "
            f"ON CONFLICT ({key}) DO " + (f"UPDATE SET {new}" if new else "NOTHING"),
            update=f"UPDATE {table} SET {settings or nothing} WHERE {where}",
            delete=f"DELETE FROM {table} WHERE {where}",
        )


def _name(column: TargetColumn) -> str:
    return SQLiteDefinition().quote(column.name)
