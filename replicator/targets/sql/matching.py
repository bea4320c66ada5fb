"""Matching source tables with target tables, and what is in the way of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from replicator.targets.sql.create import create_table
from replicator.targets.sql.dialect import (
    Converter,
    DataDefinition,
    Dialect,
    TargetColumn,
    TargetTable,
)
from replicator.targets.sql.plan import TablePlan
from triggers.model import Column, Table


@dataclass(frozen=True, slots=True)
class Problem:
    """Why changes of a source table cannot be written, and the exact SQL that mends it."""

    table: str  # the source table's canonical name
    message: str
    mend: str


def target_name(table: str, into: Mapping[str, str]) -> str:
    """The target table's name: as `into` says, else the source table's without its schema."""
    return into.get(table) or table.rpartition(".")[2]


def match(
    dialect: Dialect, definition: DataDefinition, tables: Sequence[Table], into: Mapping[str, str]
) -> tuple[list[TablePlan], list[Problem]]:
    """Find every target table and how its columns match; list all that is in the way."""
    plans: list[TablePlan] = []
    problems: list[Problem] = []
    for source in tables:
        name = target_name(source.name, into)
        target = dialect.find_table(name)
        if target is None:
            statement = create_table(source, name, (), definition)
            message = f"table {name} is missing in the target"
            problems.append(Problem(source.name, message, statement))
            continue
        plan, found = _match_table(dialect, definition, source, target, name)
        problems += found
        if plan is not None:
            plans.append(plan)
    return plans, problems


def missing_privileges(
    dialect: Dialect, tables: Sequence[Table], into: Mapping[str, str]
) -> list[Problem]:
    """What the target's user may not do, where the engine tells cheaply."""
    problems: list[Problem] = []
    for source in tables:
        name = target_name(source.name, into)
        target = dialect.find_table(name)
        if target is not None:
            problems += [
                Problem(source.name, f"the target's user may not write to table {name}", grant)
                for grant in dialect.missing_privileges(target)
            ]
    return problems


def _match_table(
    dialect: Dialect, definition: DataDefinition, source: Table, target: TargetTable, name: str
) -> tuple[TablePlan | None, list[Problem]]:
    problems: list[Problem] = []
    columns: dict[str, TargetColumn] = {}
    converters: dict[str, Converter] = {}
    for column in source.columns:
        found = _find_column(column.name, target)
        if found is None:
            if not column.generated:
                problems.append(_missing_column(definition, source, target, name, column))
            continue
        if found.generated:
            continue
        columns[column.name] = found
        convert = dialect.converter(column, found)
        if convert is not None:
            converters[column.name] = convert
    if all(name in columns for name in source.key):
        key = [columns[name] for name in source.key]
        if {column.name for column in key} not in map(set, target.keys):
            listed = ", ".join(column.name for column in key)
            message = f"table {name} has no primary key or unique index on exactly ({listed})"
            problems.append(Problem(source.name, message, definition.add_key(target, key)))
    elif not problems:
        generated = next(name for name in source.key if name not in columns)
        message = f"key column {generated} of table {name} is generated and cannot be written"
        drop = f"ALTER TABLE {target.quoted} DROP COLUMN {definition.quote(generated)};"
        problems.append(Problem(source.name, message, drop))
    if problems:
        return None, problems
    return TablePlan(source, target, columns, converters), []


def _missing_column(
    definition: DataDefinition, source: Table, target: TargetTable, name: str, column: Column
) -> Problem:
    kind = definition.column_type(column, indexed=column.name in source.key)
    return Problem(
        source.name,
        f"column {column.name} is missing in table {name} of the target",
        f"ALTER TABLE {target.quoted} ADD COLUMN {definition.quote(column.name)} {kind};",
    )


def _find_column(name: str, target: TargetTable) -> TargetColumn | None:
    """By the exact name, else by the only one that differs in case alone."""
    if name in target.columns:
        return target.columns[name]
    alike = [c for c in target.columns.values() if c.name.casefold() == name.casefold()]
    return alike[0] if len(alike) == 1 else None
