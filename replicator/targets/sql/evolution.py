"""How far target tables have fallen behind the columns of their source tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
from sqlalchemy import NullPool
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, OperationalError

from replicator.errors import DeliveryStopped, TargetUnavailable, describe
from replicator.targets.sql.conversion import Fit
from replicator.targets.sql.dialect import DataDefinition, TargetTable
from replicator.targets.sql.engines import definition_for
from replicator.targets.sql.matching import (
    Pair,
    find_column,
    missing_column,
    refused_type,
    target_name,
    written_pairs,
)
from replicator.targets.sql.preparation import connected
from triggers.engine import make_engine
from triggers.model import Table

_PLAIN = ("", "NUL")
"""Limits of target columns that do not count: text hardly ever holds a NUL."""


class Written(msgspec.Struct, frozen=True, array_like=True):
    """A source column as it was written to the target."""

    native: str  # the source's type
    target: str  # the target's column
    type: str  # of the target's column
    limits: str  # values of the source's type that it cannot hold
    required: bool  # the target takes no row without it


@dataclass(frozen=True, slots=True)
class Lag:
    """One thing in which a target table does not fit its source table any more.

    "missing": a column that only the source has. "refused": its type cannot be written to the
    target's. "narrow": it was retyped, and the target's type does not hold all of its values.
    "required": a column was dropped without which the target takes no row. "dropped": one that the
    target can do without.
    """

    kind: Literal["missing", "refused", "narrow", "required", "dropped"]
    table: str
    column: str
    message: str
    mend: str


Known = Mapping[str, Mapping[str, Written]]
"""By source table and its column."""


def compare(
    tables: Sequence[Table], into: Mapping[str, str], url: URL, known: Known
) -> tuple[list[Lag], Known]:
    """Return what lags behind, and what is written to the tables that are in the target.

    `known` is what was written before. Raises what `preparation.problems` raises.
    """
    lags: list[Lag] = []
    written: dict[str, dict[str, Written]] = {}
    with connected(url) as dialect:
        for source in tables:
            name = target_name(source.name, into)
            target = dialect.find_table(name)
            if target is None:
                continue
            before = known.get(source.name, {})
            pairs = written_pairs(dialect, source, target)
            lags += _lags(definition_for(url), source, target, name, pairs, before)
            written[source.name] = {
                column: Written(
                    native=pair.column.native,
                    target=pair.target.name,
                    type=pair.target.type,
                    limits=pair.conversion.limits,
                    required=pair.target.required,
                )
                for column, pair in pairs.items()
                if pair.conversion.fit is not Fit.REFUSED
            }
    return lags, written


def execute(url: URL, lags: Sequence[Lag]) -> None:
    """Mend what lags behind, each by its statement.

    Raises `TargetUnavailable`, or `DeliveryStopped` when the target refuses one.
    """
    engine = make_engine(url, poolclass=NullPool, hide_parameters=True)
    for lag in lags:
        try:
            with engine.begin() as connection:
                connection.exec_driver_sql(lag.mend.rstrip(";").replace("%", "%%"))
        except DBAPIError as error:
            kind = TargetUnavailable if isinstance(error, OperationalError) else DeliveryStopped
            raise kind(
                f"column {lag.column} of table {lag.table} cannot be added to the target:"
                f" {describe(error)}",
                f"on the target: {lag.mend}",
            ) from None


def _lags(
    definition: DataDefinition,
    source: Table,
    target: TargetTable,
    name: str,
    pairs: Mapping[str, Pair],
    before: Mapping[str, Written],
) -> Iterator[Lag]:
    for column in source.columns:
        if find_column(column.name, target) is None and not column.generated:
            problem = missing_column(definition, source, target, name, column)
            yield Lag("missing", source.name, column.name, problem.message, problem.mend)
    for column_name, pair in pairs.items():
        if pair.conversion.fit is Fit.REFUSED:
            problem = refused_type(definition, source, target, name, pair)
            yield Lag("refused", source.name, column_name, problem.message, problem.mend)
        elif _is_narrow(before.get(column_name), pair):
            problem = refused_type(definition, source, target, name, pair)
            message = (
                f"column {column_name} ({pair.column.native}) has values that {pair.target.name}"
                f" ({pair.target.type}) of table {name} cannot hold: {pair.conversion.limits}"
            )
            yield Lag("narrow", source.name, column_name, message, problem.mend)
    there = {column.name for column in source.columns}
    taken = {pair.target.name for pair in pairs.values()}
    for column_name, was in before.items():
        other = target.columns.get(was.target)
        if column_name in there or other is None or other.name in taken:
            continue
        drop = f"ALTER TABLE {target.quoted} DROP COLUMN {definition.quote(other.name)};"
        message = f"column {column_name} of table {source.name} was dropped"
        if other.required:
            message += f", and table {name} of the target takes no row without {other.name}"
            yield Lag("required", source.name, column_name, message, drop)
        else:
            yield Lag("dropped", source.name, column_name, message, drop)


def _is_narrow(was: Written | None, pair: Pair) -> bool:
    """Tell whether a retyped column has values that its target, as it was, cannot hold.

    A target column that was given another type since is what somebody has chosen.
    """
    limits = pair.conversion.limits
    return (
        was is not None
        and was.native != pair.column.native
        and was.type == pair.target.type
        and limits not in (*_PLAIN, was.limits)
    )
