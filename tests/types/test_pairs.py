"""Every column type of every engine with its extreme values, to every engine: compared by value."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from replicator.targets.sql.conversion import Fit
from tests.conftest import MakeDatabase
from tests.servers import ENGINE_PAIRS, DatabaseKind
from tests.types.columns import SampleTable
from tests.types.pair import Pair
from tests.types.samples import TABLES


@pytest.mark.parametrize(
    ("source", "target"),
    ENGINE_PAIRS,
    ids=[f"{source}-to-{target}" for source, target in ENGINE_PAIRS],
)
def test_every_type(
    source: DatabaseKind, target: DatabaseKind, make_database: MakeDatabase, tmp_path: Path
) -> None:
    """Inserted, updated and deleted: each value arrives equal, or its row is parked."""
    tables = TABLES[source]
    pair = Pair(make_database(source), make_database(target), tables, tmp_path)
    try:
        rows = {table.name: extreme_rows(table) for table in tables}
        for table in tables:
            pair.insert(table, rows[table.name])
        inserted = pair.deliver()
        for table in tables:
            pair.update(table, next_values(table, rows[table.name]))
        updated = pair.deliver()
        pair.write(f"DELETE FROM {table.name}" for table in tables)
        deleted = pair.deliver()
    finally:
        pair.close()
    differences = inserted.differences + updated.differences + deleted.differences
    assert not differences, "\n".join(differences)
    assert not deleted.parked

    parked = Counter[tuple[str, str]]()
    for name, number in [*inserted.parked, *updated.parked]:
        (tested,) = rows[name][number]
        parked[name, tested] += 1
    cells = {
        (table.name, column.name): pair.conversions[table.name, column.name]
        for table in tables
        for column in table.columns
    }
    assert not [cell for cell, conversion in cells.items() if conversion.fit is Fit.REFUSED]
    assert not [cell for cell in parked if not cells[cell].limits], "set aside without a limit"
    fits = Counter(conversion.fit for conversion in cells.values())
    print(
        f"\n{source} to {target}: {fits[Fit.EXACT]} types exact, {fits[Fit.CONVERTED]} converted;"
        f" {inserted.equal + updated.equal} values equal,"
        f" {parked.total()} of {len(parked)} types set aside, none changed"
    )


def extreme_rows(table: SampleTable) -> dict[int, dict[str, str]]:
    """A row for each extreme value, the other columns NULL; and one that is NULL altogether."""
    values = [(column.name, value) for column in table.columns for value in column.extremes]
    rows = {number: {name: value} for number, (name, value) in enumerate(values, 1)}
    return {0: {}, **rows}


def next_values(table: SampleTable, rows: dict[int, dict[str, str]]) -> dict[int, dict[str, str]]:
    """For each row the column's next extreme value; the last one gives way to NULL."""
    updates = {}
    for number, row in rows.items():
        for name, value in row.items():
            extremes = table.column(name).extremes
            following = (*extremes, "NULL")[extremes.index(value) + 1]
            updates[number] = {name: following}
    return updates
