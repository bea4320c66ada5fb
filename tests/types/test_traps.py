"""Values that replication tools are known to change silently: each one from end to end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from tests.servers import (
    ENGINE_PAIRS,
    Database,
    DatabaseKind,
    in_short_form,
    server_database,
    sqlite_database,
)
from tests.types.compare import same_value
from tests.types.pair import Pair
from tests.types.reading import read_table
from tests.types.traps import TRAPS, Trap

PairOf = Callable[[DatabaseKind, DatabaseKind], Pair]

CASES = [
    pytest.param(
        source,
        target,
        trap,
        id=f"{trap.name}-{source}-to-{target}",
        marks=() if in_short_form(source, target) else pytest.mark.torture,
    )
    for source, target in ENGINE_PAIRS
    for trap in TRAPS
    if source in trap.sources
]


@pytest.fixture(scope="module")
def pair_of(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PairOf]:
    """A function that gives a pair of databases with the tables of all traps of the source."""
    with ExitStack() as stack:

        def make(kind: DatabaseKind, folder: Path, name: str) -> Database:
            if kind == "sqlite":
                return stack.enter_context(sqlite_database(folder / f"{name}.sqlite"))
            server = request.getfixturevalue(kind)
            return stack.enter_context(server_database(kind, server))

        @cache
        def pair_of(source: DatabaseKind, target: DatabaseKind) -> Pair:
            folder = tmp_path_factory.mktemp("trapped")
            databases = make(source, folder, "source"), make(target, folder, "target")
            tables = [trap.table for trap in TRAPS if source in trap.sources]
            pair = Pair(*databases, tables, folder)
            stack.callback(pair.close)
            return pair

        yield pair_of


@pytest.mark.parametrize(("source", "target", "trap"), CASES)
def test_trap(source: DatabaseKind, target: DatabaseKind, trap: Trap, pair_of: PairOf) -> None:
    """It arrives equal, or, where the target has no such value, its row is set aside."""
    trapped, table = pair_of(source, target), trap.table
    for number, value in enumerate(trap.values):
        trapped.write([value.session, table.insert(number, {"value_of": value.written})])
    stored = read_table(trapped.source, table.name, ["value_of"])
    for value, (found,) in zip(trap.values, stored.values(), strict=True):
        assert same_value(trap.meaning, value.stored, found), found

    arrived = trapped.deliver(table)
    assert not arrived.differences
    parked = target in trap.parked
    assert len(arrived.parked) == (len(trap.values) if parked else 0), arrived.parked
    there = read_table(trapped.target, table.name, ["value_of"])
    assert len(there) == (0 if parked else len(trap.values))
