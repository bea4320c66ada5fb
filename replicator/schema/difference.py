"""In which columns two definitions of a table differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from triggers.model import Table


@dataclass(frozen=True, slots=True)
class ColumnChange:
    """A column of a source table that was added, dropped or given another type.

    A column that was renamed is one that was dropped, and one that was added.
    """

    table: str
    column: str
    was: str | None  # its type as the engine prints it; None: there was no such column
    now: str | None

    def __str__(self) -> str:
        """Say what has happened."""
        if self.was is None:
            return f"column {self.column} ({self.now}) was added"
        if self.now is None:
            return f"column {self.column} was dropped"
        return f"column {self.column} was {self.was}, is {self.now}"


def differences(before: Mapping[str, Table], now: Mapping[str, Table]) -> list[ColumnChange]:
    """Return how the columns of the tables in both have changed."""
    found: list[ColumnChange] = []
    for name in before:
        if name in now:
            found += _between(name, before[name], now[name])
    return found


def told(changes: Iterable[ColumnChange]) -> str:
    """Say what has changed, table by table."""
    by_table: dict[str, list[str]] = {}
    for change in changes:
        by_table.setdefault(change.table, []).append(str(change))
    return "; ".join(f"table {name}: {', '.join(all_)}" for name, all_ in by_table.items())


def _between(name: str, before: Table, now: Table) -> list[ColumnChange]:
    old = {column.name: column.native for column in before.columns}
    new = {column.name: column.native for column in now.columns}
    return [
        ColumnChange(name, column, old.get(column), new.get(column))
        for column in dict.fromkeys([*old, *new])
        if old.get(column) != new.get(column)
    ]
