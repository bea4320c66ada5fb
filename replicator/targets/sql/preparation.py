"""What `replicator check` and `replicator tables create` ask about a SQL target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from sqlalchemy import NullPool
from sqlalchemy.engine import URL

from replicator.targets.sql.create import create_tables
from replicator.targets.sql.dialect import Dialect
from replicator.targets.sql.engines import definition_for, dialect_for
from replicator.targets.sql.matching import (
    Pair,
    Problem,
    match,
    missing_privileges,
    pairs,
    target_name,
)
from triggers.engine import make_engine
from triggers.model import Table


def problems(tables: Sequence[Table], into: Mapping[str, str], url: URL) -> list[Problem]:
    """What keeps changes of these tables from being written, by the rules of `SqlTarget.open`.

    Raises `TargetUnavailable` or `DeliveryStopped` when the database itself cannot be used.
    """
    with connected(url) as dialect:
        _, found = match(dialect, definition_for(url), tables, into)
        return found + missing_privileges(dialect, tables, into)


def target_keys(
    tables: Sequence[Table], into: Mapping[str, str], url: URL
) -> dict[str, tuple[tuple[str, ...], ...]]:
    """The keys of the target tables that exist, primary keys first, by source table."""
    with connected(url) as dialect:
        found = {table.name: dialect.find_table(target_name(table.name, into)) for table in tables}
    return {name: target.keys for name, target in found.items() if target is not None}


def type_pairs(tables: Sequence[Table], into: Mapping[str, str], url: URL) -> list[Pair]:
    """What becomes of the values of each column; raises what `problems` raises."""
    with connected(url) as dialect:
        return pairs(dialect, tables, into)


def missing_tables(tables: Sequence[Table], into: Mapping[str, str], url: URL) -> list[Table]:
    """The source tables whose target tables do not exist."""
    with connected(url) as dialect:
        return [
            table for table in tables if dialect.find_table(target_name(table.name, into)) is None
        ]


def create_statements(tables: Sequence[Table], into: Mapping[str, str], url: URL) -> list[str]:
    """The statements that create the missing target tables, in the order to execute them."""
    names = {table.name: target_name(table.name, into) for table in tables}
    return create_tables(
        missing_tables(tables, into, url), names, definition_for(url), dialect_for(url)
    )


@contextmanager
def connected(url: URL) -> Iterator[Dialect]:
    """Connect to look around."""
    dialect = dialect_for(url)
    dialect.connect(make_engine(url, poolclass=NullPool), None)
    try:
        yield dialect
    finally:
        dialect.close()
