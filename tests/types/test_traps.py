"""Values that replication tools are known to change silently: each one from end to end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.servers import Database, DatabaseKind, server_database, sqlite_database
from tests.types.compare import same_value
from tests.types.pair import Pair
from tests.types.reading import read_table
from tests.types.test_pairs import PAIRS
from tests.types.traps import TRAPS, Trap

CASES = [
    pytest.param((source, target), trap, id=f"{trap.name}-{source}-to-{target}")
    for source, target in PAIRS
    for trap in TRAPS
    if source in trap.sources
]


@pytest.fixture(scope="module")
def trapped(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    """A pair of databases with the tables of all traps of the source."""
    kinds: tuple[DatabaseKind, DatabaseKind] = request.param
    folder = tmp_path_factory.mktemp("trapped")
    with ExitStack() as stack:

        def make(kind: DatabaseKind, name: str) -> Database:
            if kind == "sqlite":
                return stack.enter_context(sqlite_database(folder / f"{name}.sqlite"))
            server = request.getfixturevalue(kind)
            return stack.enter_context(server_database(kind, server))

        source, target = make(kinds[0], "source"), make(kinds[1], "target")
        tables = [trap.table for trap in TRAPS if kinds[0] in trap.sources]
        pair = Pair(source, target, tables, folder)
        stack.callback(pair.close)
        yield pair


@pytest.mark.parametrize(("trapped", "trap"), CASES, indirect=["trapped"])
def test_trap(trapped: Pair, trap: Trap) -> None:
    """It arrives equal, or, where the target has no such value, its row is set aside."""
    table = trap.table
    for number, value in enumerate(trap.values):
        trapped.write([value.session, table.insert(number, {"value_of": value.written})])
    stored = read_table(trapped.source, table.name, ["value_of"])
    for value, (found,) in zip(trap.values, stored.values(), strict=True):
        assert same_value(trap.meaning, value.stored, found), found

    arrived = trapped.deliver()
    assert not arrived.differences
    parked = trapped.target.kind in trap.parked
    assert len(arrived.parked) == (len(trap.values) if parked else 0), arrived.parked
    there = read_table(trapped.target, table.name, ["value_of"])
    assert len(there) == (0 if parked else len(trap.values))
