"""Matching source tables with target tables, and what is in the way of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from replicator.errors import DeliveryStopped
from replicator.targets.sql.conversion import Conversion, Converter, Fit
from replicator.targets.sql.create import create_table
from replicator.targets.sql.dialect import (
    DataDefinition,
    Dialect,
    TargetColumn,
    TargetTable,
)
from replicator.targets.sql.plan import TablePlan
from replicator.targets.sql.policy import Policy, settled
from triggers.model import Column, Table


@dataclass(frozen=True, slots=True)
class Problem:
    """Why changes of a source table cannot be written, and the exact SQL that mends it."""

    table: str  # the source table's canonical name
    message: str
    mend: str
    is_new_column: bool = False  # only the source has it: a route's `schema_changes` may allow that


@dataclass(frozen=True, slots=True)
class Pair:
    """A source column, the target column that it is written to, and what becomes of its values."""

    table: str  # the source table's canonical name
    column: Column
    target: TargetColumn
    conversion: Conversion


def target_name(table: str, into: Mapping[str, str]) -> str:
    """The target table's name: as `into` says, else the source table's without its schema."""
    return into.get(table) or table.rpartition(".")[2]


def match(
    dialect: Dialect,
    definition: DataDefinition,
    tables: Sequence[Table],
    into: Mapping[str, str],
    unfit: Policy = "error",
) -> tuple[list[TablePlan], list[Problem]]:
    """Find every target table and how its columns match; list all that is in the way.

    `unfit` says what is written for values that a column cannot hold.
    """
    plans: list[TablePlan] = []
    problems: list[Problem] = []
    for source in tables:
        name = target_name(source.name, into)
        target = dialect.find_table(name)
        if target is None:
            statement = create_table(source, name, (), definition, dialect)
            message = f"table {name} is missing in the target"
            problems.append(Problem(source.name, message, statement))
            continue
        plan, found = _match_table(dialect, definition, source, target, name, unfit)
        problems += found
        if plan is not None:
            plans.append(plan)
    return plans, problems


def plan_tables(
    dialect: Dialect,
    definition: DataDefinition,
    tables: Sequence[Table],
    into: Mapping[str, str],
    unfit: Policy = "error",
) -> list[TablePlan]:
    """As `match`; raises `DeliveryStopped` with all that is in the way and what mends it."""
    plans, problems = match(dialect, definition, tables, into, unfit)
    if problems:
        raise DeliveryStopped(
            "; ".join(problem.message for problem in problems),
            "\n  ".join(problem.mend for problem in problems),
        )
    return plans


def pairs(dialect: Dialect, tables: Sequence[Table], into: Mapping[str, str]) -> list[Pair]:
    """How the columns of tables match those of their target tables, as far as these exist."""
    found: list[Pair] = []
    for source in tables:
        target = dialect.find_table(target_name(source.name, into))
        if target is not None:
            found += written_pairs(dialect, source, target).values()
    return found


def missing_privileges(
    dialect: Dialect, tables: Sequence[Table], into: Mapping[str, str]
) -> list[Problem]:
    """What the target's user may not do, where the engine tells cheaply; each grant once."""
    problems: dict[str, Problem] = {}
    for source in tables:
        name = target_name(source.name, into)
        target = dialect.find_table(name)
        if target is not None:
            for grant in dialect.missing_privileges(target):
                message = f"the target's user may not write to table {name}"
                problems.setdefault(grant, Problem(source.name, message, grant))
    return list(problems.values())


def _converter(dialect: Dialect, source: Table, pair: Pair, unfit: Policy) -> Converter | None:
    convert = pair.conversion.convert
    if convert is None:
        return None
    if pair.column.name in source.key or (unfit == "null" and not pair.target.nullable):
        unfit = "error"
    return settled(convert, pair.column.name, unfit, dialect.tally)


def written_pairs(dialect: Dialect, source: Table, target: TargetTable) -> dict[str, Pair]:
    """By the source column's name: those that are written."""
    found: dict[str, Pair] = {}
    for column in source.columns:
        other = find_column(column.name, target)
        if other is not None and not other.generated:
            conversion = dialect.conversion(column, other)
            found[column.name] = Pair(source.name, column, other, conversion)
    return found


def _match_table(
    dialect: Dialect,
    definition: DataDefinition,
    source: Table,
    target: TargetTable,
    name: str,
    unfit: Policy,
) -> tuple[TablePlan | None, list[Problem]]:
    problems: list[Problem] = []
    for column in source.columns:
        if find_column(column.name, target) is None and not column.generated:
            problems.append(missing_column(definition, source, target, name, column))
    matched = written_pairs(dialect, source, target)
    problems += [
        refused_type(definition, source, target, name, pair)
        for pair in matched.values()
        if pair.conversion.fit is Fit.REFUSED
    ]
    columns = {column: pair.target for column, pair in matched.items()}
    if not source.key:
        message = (
            f"table {name} has no primary key or unique index whose columns are all among"
            " the route's `columns`"
        )
        mend = "give the columns of the target's key in `columns`"
        problems.append(Problem(source.name, message, mend))
    elif all(name in columns for name in source.key):
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
    converters = {
        column: _converter(dialect, source, pair, unfit) for column, pair in matched.items()
    }
    needed = {column: convert for column, convert in converters.items() if convert is not None}
    return TablePlan(source, target, columns, needed), []


def missing_column(
    definition: DataDefinition, source: Table, target: TargetTable, name: str, column: Column
) -> Problem:
    """A column that only the source has."""
    kind = definition.column_type(column, indexed=column.name in source.key)
    return Problem(
        source.name,
        f"column {column.name} is missing in table {name} of the target",
        f"ALTER TABLE {target.quoted} ADD COLUMN {definition.quote(column.name)} {kind};",
        is_new_column=True,
    )


def refused_type(
    definition: DataDefinition, source: Table, target: TargetTable, name: str, pair: Pair
) -> Problem:
    """A column whose values the target's column does not take."""
    column = pair.column
    kind = definition.column_type(column, indexed=column.name in source.key)
    return Problem(
        source.name,
        f"column {column.name} ({column.native}) cannot be written to {pair.target.name} "
        f"({pair.target.type}) of table {name}: {pair.conversion.note}",
        definition.change_type(target, pair.target, kind),
    )


def find_column(name: str, target: TargetTable) -> TargetColumn | None:
    """By the exact name, else by the only one that differs in case alone."""
    if name in target.columns:
        return target.columns[name]
    alike = [c for c in target.columns.values() if c.name.casefold() == name.casefold()]
    return alike[0] if len(alike) == 1 else None
