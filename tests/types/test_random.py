"""Random values of every column type that can have them, from every engine to every engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.conftest import MakeDatabase
from tests.servers import ENGINE_PAIRS, DatabaseKind, in_short_form
from tests.types.columns import SampleTable
from tests.types.pair import Pair
from tests.types.samples import TABLES

_ROWS = 50  # of each delivery
_SHORT = 2 * _ROWS  # Hypothesis begins with the simplest rows there are
_LONG = pytest.param(2_000, marks=pytest.mark.torture)

Values = Mapping[str, str]
"""SQL expressions by column."""


@dataclass(frozen=True)
class Drawn:
    """A row: its table, the values that it is inserted with, and those that it is updated to."""

    table: SampleTable = field(repr=False)
    inserted: Values
    updated: Values


def row_of(table: SampleTable) -> SearchStrategy[Drawn]:
    """A row of a table; one or two columns have values, so that few are parked with another."""
    strategies = {c.name: c.random for c in table.columns if c.random is not None}
    names = st.lists(st.sampled_from(sorted(strategies)), min_size=1, max_size=2, unique=True)
    values = names.flatmap(lambda n: st.fixed_dictionaries({name: strategies[name] for name in n}))
    return st.builds(Drawn, st.just(table), values, values)


def rows_of(tables: Sequence[SampleTable]) -> SearchStrategy[list[Drawn]]:
    """The rows of one delivery."""
    rows = [row_of(table) for table in tables if any(c.random is not None for c in table.columns)]
    return st.lists(st.one_of(rows), min_size=_ROWS, max_size=_ROWS)


@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@pytest.mark.parametrize("rows", [_SHORT, _LONG])
@pytest.mark.parametrize(
    ("source", "target"),
    [
        pytest.param(
            *pair,
            id="-to-".join(pair),
            marks=() if in_short_form(*pair) else pytest.mark.torture,
        )
        for pair in ENGINE_PAIRS
    ],
)
def test_random_rows(
    source: DatabaseKind,
    target: DatabaseKind,
    rows: int,
    make_database: MakeDatabase,
    tmp_path: Path,
) -> None:
    """Many rows at a time are inserted, updated and deleted; each delivery is compared."""
    tables = TABLES[source]
    pair = Pair(make_database(source), make_database(target), tables, tmp_path)
    total = equal = parked = 0

    # No database of examples and no seed: the same rows in every run.
    @settings(
        max_examples=rows // _ROWS,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(rows_of(tables))
    def replicate(drawn: list[Drawn]) -> None:
        nonlocal total, equal, parked
        first, total = total + 1, total + len(drawn)
        numbered = list(enumerate(drawn, first))
        pair.write(row.table.insert(number, row.inserted) for number, row in numbered)
        inserted = pair.deliver()
        pair.write(row.table.update(number, row.updated) for number, row in numbered)
        updated = pair.deliver()
        pair.write(f"DELETE FROM {table.name}" for table in tables)
        deleted = pair.deliver()
        differences = inserted.differences + updated.differences + deleted.differences
        assert not differences, "\n".join(differences)
        assert not deleted.parked
        equal += inserted.equal + updated.equal
        parked += len(inserted.parked) + len(updated.parked)

    try:
        replicate()
    finally:
        pair.close()
    print(f"{source} to {target}: {equal} random rows equal, {parked} parked")
    assert total >= rows
    assert equal + parked == 2 * total
