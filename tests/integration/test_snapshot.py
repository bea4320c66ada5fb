"""The first copy of tables that are in use, from every engine to the others."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.acceptance.command_line import CommandLine, Running
from tests.conftest import MakeDatabase
from tests.load.tables_in_use import TABLES, Writers, create, fill, rows_of
from tests.replication import Replication, sql
from tests.servers import Database, DatabaseKind
from tests.wait import wait_until

PAIRS: list[tuple[DatabaseKind, DatabaseKind]] = [
    ("postgresql", "postgresql"),
    ("mariadb", "postgresql"),
    ("postgresql", "mariadb"),
    ("sqlite", "postgresql"),
]


def prepared(source: Database, target: Database, folder: Path) -> CommandLine:
    """A route with triggers and target tables, and its command line."""
    replication = Replication(
        folder,
        sources={"shop": source.url},
        targets={"copy": sql(target.url)},
        routes=[{"name": "all", "source": "shop", "tables": TABLES, "targets": ["copy"]}],
    )
    replication.prepare()
    return CommandLine(folder, replication.path.read_text(encoding="utf-8"))


def copied(source: Database) -> int:
    """How many rows the source's record says are copied."""
    name = "outbox.outbox_snapshot" if source.kind == "postgresql" else "outbox_snapshot"
    with source.engine.connect() as connection:
        found = connection.execute(sa.text(f"SELECT SUM(copied) FROM {name}")).scalar()
    return int(found or 0)


def wait_until_more_is_copied(source: Database) -> None:
    """Wait until another page is."""
    before = copied(source)
    wait_until(lambda: copied(source) > before, 60, "more is copied")


def assert_equal(source: Database, target: Database) -> None:
    """Both hold the same rows."""
    for table in TABLES:
        assert rows_of(target.engine, table) == rows_of(source.engine, table), table


@pytest.mark.parametrize(("kind", "other"), PAIRS)
def test_tables_are_copied_while_they_are_written_to(
    kind: DatabaseKind, other: DatabaseKind, make_database: MakeDatabase, tmp_path: Path
) -> None:
    source, target = make_database(kind), make_database(other)
    create(source)
    fill(source.engine, 20_000)
    replicator = prepared(source, target, tmp_path / "route")
    chance = random.Random(3)
    with Writers(source.engine, 20_000) as writers:
        for _ in range(3):
            with Running(replicator, "snapshot", "all", "--rate", "4000"):
                wait_until_more_is_copied(source)
                time.sleep(chance.random() * 0.5)  # it is killed at the end
        assert 0 < copied(source) < 20_000
        assert "goes on where it was" in replicator.ok("snapshot", "all")
        assert writers.committed > 20
    replicator.ok("run", "--once")
    assert_equal(source, target)
