"""The statements that write rows of one shape to PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass

from replicator.targets.sql.dialect import Shape, TargetColumn
from replicator.targets.sql.postgresql.definition import PostgreSQLDefinition

_MARK = "\0"  # no identifier can hold it


@dataclass(frozen=True, slots=True)
class Statements:
    """All of them, for one shape and its temporary table."""

    create_stage: str
    empty_stage: str
    copy_in: str
    copy: str
    merge: str
    delete_staged: str
    upsert: str
    update: str
    delete: str

    @classmethod
    def of(cls, shape: Shape, stage: str) -> Statements:
        """Spell them; parameters are the shape's columns, those of `update` others, then key."""
        table = shape.table.quoted
        columns = ", ".join(map(_name, shape.columns))
        key = ", ".join(map(_name, shape.key))
        where = " AND ".join(f"{_name(column)} = {_MARK}" for column in shape.key)
        same = " AND ".join(f"t.{_name(column)} = s.{_name(column)}" for column in shape.key)
        new = ", ".join(f"{_name(c)} = EXCLUDED.{_name(c)}" for c in shape.others)
        settings = ", ".join(f"{_name(c)} = {_MARK}" for c in shape.others)
        nothing = f"{_name(shape.key[0])} = {_name(shape.key[0])}"
        insert = f"INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE "
        conflict = f" ON CONFLICT ({key}) DO " + (f"UPDATE SET {new}" if new else "NOTHING")
        marks = ", ".join([_MARK] * len(shape.columns))
        return cls(
            create_stage=f"CREATE TEMPORARY TABLE IF NOT EXISTS {stage} AS "
            f"SELECT {columns} FROM {table} WITH NO DATA",
            empty_stage=f"TRUNCATE pg_temp.{stage}",
            copy_in=f"COPY {table} ({columns}) FROM STDIN",
            copy=f"COPY pg_temp.{stage} FROM STDIN",
            merge=f"{insert}SELECT {columns} FROM pg_temp.{stage} ORDER BY {key}{conflict}",
            delete_staged=f"DELETE FROM {table} t USING pg_temp.{stage} s WHERE {same}",
            upsert=_with_parameters(f"{insert}VALUES ({marks}){conflict}"),
            update=_with_parameters(f"UPDATE {table} SET {settings or nothing} WHERE {where}"),
            delete=_with_parameters(f"DELETE FROM {table} WHERE {where}"),
        )


def _name(column: TargetColumn) -> str:
    return PostgreSQLDefinition().quote(column.name)


def _with_parameters(statement: str) -> str:
    """Per cent signs of names are doubled where the driver looks for parameters."""
    return statement.replace("%", "%%").replace(_MARK, "%s")
