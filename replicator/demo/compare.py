"""Comparing the shop with what was delivered: row by row, by contents.

The SQL target holds the rows. The CSV files and the backup hold changes: they are replayed, in
order, and have to come to the same rows.
"""

from __future__ import annotations

import csv
import hashlib
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from replicator.targets.backup import read_changes

KEYS: Mapping[str, tuple[str, ...]] = {
    "customers": ("id",),
    "products": ("sku",),
    "orders": ("id",),
    "order_lines": ("order_id", "line"),
}
"""The shop's tables, and their keys."""

Fields = tuple[str, ...]
"""A row's values as text, in order of the columns' names; NULL is an empty text."""
Rows = dict[Fields, Fields]
"""Rows by key."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One table of the source, and the same table as each target has it."""

    table: str
    rows: int
    checksum: str
    differences: Mapping[str, int]  # by target: rows that are missing, too many, or not the same

    @property
    def equal(self) -> bool:
        """Whether every target has exactly the source's rows."""
        return not any(self.differences.values())


def compare(folder: Path) -> list[Compared]:
    """Compare the shop in a demo's folder with all three targets, table by table."""
    source = read_database(folder / "shop.db")
    targets = {
        "crm": read_database(folder / "crm.db"),
        "partner": replay_csv(folder / "outgoing"),
        "backup": replay_backup(folder / "backup" / "drops"),
    }
    return [
        Compared(
            table=table,
            rows=len(rows),
            checksum=checksum(rows),
            differences={name: _differences(rows, copy[table]) for name, copy in targets.items()},
        )
        for table, rows in source.items()
    ]


def checksum(rows: Rows) -> str:
    """Return a short checksum of a table's contents, whatever order they were read in."""
    digest = hashlib.sha256()
    for key in sorted(rows):
        digest.update(repr(rows[key]).encode())
    return digest.hexdigest()[:12]


def read_database(path: Path) -> dict[str, Rows]:
    """Read all tables of the shop out of a database."""
    tables = {}
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        for table in KEYS:
            found = connection.execute(f"SELECT * FROM {table}").fetchall()
            tables[table] = dict(_keyed(table, dict(row)) for row in found)
    return tables


def replay_csv(folder: Path) -> dict[str, Rows]:
    """Apply all CSV files of the drop in order of their names, which is that of the batches."""
    tables: dict[str, Rows] = {table: {} for table in KEYS}
    for table, rows in tables.items():
        for path in sorted(folder.glob(f"{table}_[0-9]*.csv")):
            with path.open(encoding="utf-8", newline="") as lines:
                for line in csv.DictReader(lines):
                    operation = line.pop("op")
                    _apply(rows, table, operation, line)
    return tables


def replay_backup(folder: Path) -> dict[str, Rows]:
    """Apply all changes of the backup in order; each checksum is verified first."""
    tables: dict[str, Rows] = {table: {} for table in KEYS}
    for change in read_changes(folder):
        _apply(tables[change.table], change.table, change.op, change.row)
    return tables


def _apply(rows: Rows, table: str, operation: str, row: Mapping[str, Any]) -> None:
    key, fields = _keyed(table, row)
    if operation == "D":
        rows.pop(key, None)
    else:
        rows[key] = fields


def _keyed(table: str, row: Mapping[str, Any]) -> tuple[Fields, Fields]:
    texts = {name: "" if value is None else str(value) for name, value in row.items()}
    return tuple(texts[name] for name in KEYS[table]), tuple(texts[name] for name in sorted(texts))


def _differences(source: Rows, copy: Rows) -> int:
    return sum(1 for key in source.keys() | copy.keys() if source.get(key) != copy.get(key))
