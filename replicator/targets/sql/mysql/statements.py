"""The statements that write rows of one shape to MySQL or MariaDB."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from replicator.targets.sql.dialect import Shape, TargetColumn, Values
from replicator.targets.sql.mysql.definition import MySQLDefinition
from replicator.targets.sql.mysql.literals import literal


@dataclass(frozen=True, slots=True)
class Statements:
    """All of them, for one shape and its temporary table. Rows follow where a text ends open."""

    shape: Shape
    insert: str
    on_duplicate: str
    create_stage: str
    empty_stage: str
    insert_stage: str
    update_staged: str  # empty when the key is all there is
    insert_staged: str

    @classmethod
    def of(cls, shape: Shape, stage: str) -> Statements:
        """Spell them."""
        table = shape.table.quoted
        columns = ", ".join(map(_name, shape.columns))
        same = " AND ".join(f"t.{_name(column)} = s.{_name(column)}" for column in shape.key)
        new = ", ".join(f"{_name(c)} = VALUES({_name(c)})" for c in shape.others)
        first = _name(shape.key[0])
        staged = ", ".join(f"t.{_name(c)} = s.{_name(c)}" for c in shape.others)
        of_stage = ", ".join(f"s.{_name(column)}" for column in shape.columns)
        key = ", ".join(map(_name, shape.key))
        return cls(
            shape=shape,
            insert=f"INSERT INTO {table} ({columns}) VALUES ",
            on_duplicate=f" ON DUPLICATE KEY UPDATE {new or f'{first} = {first}'}",
            create_stage=f"CREATE TEMPORARY TABLE IF NOT EXISTS {stage} (INDEX ({key})) "
            f"ENGINE = InnoDB SELECT {columns} FROM {table} LIMIT 0",
            empty_stage=f"DELETE FROM {stage}",
            insert_stage=f"INSERT INTO {stage} ({columns}) VALUES ",
            update_staged=f"UPDATE {table} t JOIN {stage} s ON {same} SET {staged}"
            if staged
            else "",
            insert_staged=f"INSERT INTO {table} ({columns}) SELECT {of_stage} FROM {stage} s "
            f"LEFT JOIN {table} t ON {same} WHERE t.{first} IS NULL",
        )

    def update_one(self, row: Values) -> str:
        """Update one row by key, counting it when it exists; lock it when the key is all it has."""
        cells = dict(zip(self.shape.columns, row, strict=True))
        where = _where(self.shape.key, self.shape.key_of(row))
        table = self.shape.table.quoted
        if not self.shape.others:
            return f"SELECT 1 FROM {table} WHERE {where} FOR UPDATE"
        settings = ", ".join(f"{_name(c)} = {literal(cells[c])}" for c in self.shape.others)
        return f"UPDATE {table} SET {settings} WHERE {where}"

    def delete_many(self, keys: Sequence[Values]) -> str:
        """Delete rows by key."""
        columns = self.shape.key
        if len(columns) == 1:
            listed = ",".join([literal(key[0]) for key in keys])
            where = f"{_name(columns[0])} IN ({listed})"
        else:
            where = " OR ".join([f"({_where(columns, key)})" for key in keys])
        return f"DELETE FROM {self.shape.table.quoted} WHERE {where}"


def _where(columns: Sequence[TargetColumn], key: Values) -> str:
    cells = zip(columns, key, strict=True)
    return " AND ".join([f"{_name(column)} = {literal(value)}" for column, value in cells])


def _name(column: TargetColumn) -> str:
    return MySQLDefinition().quote(column.name)
