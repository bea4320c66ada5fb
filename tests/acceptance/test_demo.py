"""`replicator demo`, from outside: it ends well, and its comparison is able to fail."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from replicator.demo.compare import compare
from replicator.targets.backup import SegmentError


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder that a demo has left, and what it has printed."""
    folder = tmp_path_factory.mktemp("demo") / "shop"
    done = _replicator("demo", str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


@pytest.fixture
def folder(shown: tuple[Path, str], tmp_path: Path) -> Path:
    """A copy of that folder."""
    return Path(shutil.copytree(shown[0], tmp_path / "copy"))


def test_it_tells_what_was_delivered(shown: tuple[Path, str]) -> None:
    _folder, printed = shown
    assert "Source and targets are equal." in printed
    for line in ("replicator triggers install", "replicator tables create", "replicator run"):
        assert f"$ {line}" in printed
    assert "kill -9" in printed


def test_all_of_it_was_really_there(folder: Path) -> None:
    compared = compare(folder)
    assert [table.table for table in compared] == ["customers", "products", "orders", "order_lines"]
    assert all(table.rows > 10 and table.equal for table in compared)


def test_the_comparison_sees_one_changed_value(folder: Path) -> None:
    _execute(folder / "crm.db", "UPDATE products SET stock = stock + 1 WHERE sku = 'P-0007'")
    assert _differing(folder) == {("products", "crm"): 1}


def test_the_comparison_sees_a_missing_and_an_extra_row(folder: Path) -> None:
    _execute(
        folder / "crm.db",
        "DELETE FROM order_lines WHERE rowid = (SELECT max(rowid) FROM order_lines)",
    )
    _execute(folder / "crm.db", "INSERT INTO customers VALUES (999999, 'X', NULL, '2026-01-01')")
    assert _differing(folder) == {("order_lines", "crm"): 1, ("customers", "crm"): 1}


def test_the_comparison_sees_a_lost_csv_file(folder: Path) -> None:
    max((folder / "outgoing").glob("products_*.csv")).unlink()
    assert set(_differing(folder)) == {("products", "partner")}


def test_the_comparison_sees_a_damaged_backup(folder: Path) -> None:
    (journal,) = (folder / "backup").rglob("current.jsonl")
    data = bytearray(journal.read_bytes())
    data[len(data) // 2] ^= 1
    journal.write_bytes(data)
    with pytest.raises(SegmentError):
        compare(folder)


def test_a_folder_in_use_is_left_alone(folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    done = _replicator("demo", str(folder))
    assert done.returncode == 2
    assert "not empty" in done.stderr
    assert sorted(folder.rglob("*")) == before


def _differing(folder: Path) -> dict[tuple[str, str], int]:
    return {
        (table.table, target): count
        for table in compare(folder)
        for target, count in table.differences.items()
        if count
    }


def _execute(database: Path, statement: str) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(statement)


def _replicator(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "replicator", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
