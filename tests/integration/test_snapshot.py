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
from tests.replication import Replication, execute, sql
from tests.servers import Database, DatabaseKind
from tests.wait import wait_until

MOST_MEMORY = 300_000_000

PAIRS = [
    pytest.param("postgresql", "postgresql", marks=pytest.mark.torture),
    pytest.param("mariadb", "postgresql", marks=pytest.mark.torture),
    pytest.param("postgresql", "mariadb", marks=pytest.mark.torture),
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


@pytest.mark.parametrize(
    ("rows", "kills", "rate"),
    [(8_000, 2, 1_500), pytest.param(2_000_000, 10, 50_000, marks=pytest.mark.torture)],
)
@pytest.mark.parametrize(("kind", "other"), PAIRS)
def test_tables_are_copied_while_they_are_written_to(
    kind: DatabaseKind,
    other: DatabaseKind,
    rows: int,
    kills: int,
    rate: int,
    make_database: MakeDatabase,
    tmp_path: Path,
) -> None:
    source, target = make_database(kind), make_database(other)
    create(source)
    fill(source.engine, rows)
    replicator = prepared(source, target, tmp_path / "route")
    chance = random.Random(kills)
    commands: list[Running] = []
    with Writers(source.engine, rows, seed=1) as before:
        time.sleep(kills / 2)
    with Writers(source.engine, rows) as writers:
        for _ in range(kills):
            with Running(replicator, "snapshot", "all", "--rate", str(rate)) as killed:
                commands.append(killed)
                wait_until_more_is_copied(source)
                time.sleep(chance.random() * 0.5)  # it is killed at the end
        assert 0 < copied(source) < rows
        began, left = time.monotonic(), rows - copied(source)
        with Running(replicator, "snapshot", "all") as last:
            commands.append(last)
            assert last.end(3600) == 0
            assert "goes on where it was" in last.log
        speed = left / (time.monotonic() - began)
        assert writers.committed > 20
    with Running(replicator, "run", "--once") as rest:
        commands.append(rest)
        assert rest.end(3600) == 0
    assert_equal(source, target)
    peak = max(command.peak_memory for command in commands)
    print(
        f"\n{kind} to {other}: {rows:,} rows, {kills} kills, {speed:,.0f} rows/s under load;"
        f" writers: {writers.waits}; without a copy: {before.waits}; peak memory {peak >> 20} MB"
    )
    assert peak < MOST_MEMORY


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_rows_that_the_target_has_or_refuses(
    kind: DatabaseKind, make_database: MakeDatabase, tmp_path: Path
) -> None:
    """Within one engine: what cannot be copied in its own form is written in another."""
    source, target = make_database(kind), make_database(kind)
    rows = ", ".join(f"({number}, {number})" for number in range(1, 3001))
    execute(
        source.engine,
        "CREATE TABLE plain (id integer PRIMARY KEY, n integer)",
        f"INSERT INTO plain VALUES {rows}",
    )
    replication = Replication(
        tmp_path,
        sources={"shop": source.url},
        targets={"copy": sql(target.url)},
        routes=[{"name": "all", "source": "shop", "tables": ["plain"], "targets": ["copy"]}],
    )
    replication.prepare()
    line = CommandLine(tmp_path, replication.path.read_text(encoding="utf-8"))
    # The last of them is met in the middle of the copy, after pages that went in as they were.
    there = ", ".join(f"({number}, 0)" for number in range(2000, 2101))
    execute(target.engine, f"INSERT INTO plain VALUES {there}")
    line.ok("snapshot", "all")
    assert rows_of(target.engine, "plain") == rows_of(source.engine, "plain")

    execute(
        target.engine,
        "DELETE FROM plain",
        "CREATE UNIQUE INDEX one ON plain (n)",
    )
    execute(source.engine, "UPDATE plain SET n = 7 WHERE id = 1200")
    line.ok("run", "--once")
    line.ok("snapshot", "all")
    expected = [row for row in rows_of(source.engine, "plain") if row[1] != 7]
    found = rows_of(target.engine, "plain")
    assert [row for row in found if row[1] != 7] == expected
    assert len(found) == len(expected) + 1


FILES = """
[sources.shop]
url = "sqlite:///shop.db"

[targets.copy]
type = "sql"
url = "sqlite:///copy.db"

[targets.backup]
type = "backup"
path = "backup"

[[routes]]
name = "all"
source = "shop"
tables = ["person", "item"]
targets = ["copy", "backup"]
"""

PERSON = "CREATE TABLE person (id INTEGER PRIMARY KEY, boss INTEGER REFERENCES person (id), n INT)"
ITEM = "CREATE TABLE item (id INTEGER PRIMARY KEY, owner INTEGER REFERENCES person (id), n INT)"
NUMBERS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 2000)"


@pytest.fixture
def shop(tmp_path: Path) -> CommandLine:
    """Two tables with 2,000 rows each, of which none is captured as a change."""
    line = CommandLine(tmp_path, FILES)
    line.sql("PRAGMA journal_mode = WAL")
    line.sql(PERSON)
    line.sql(ITEM)
    line.sql(
        f"{NUMBERS} INSERT INTO person SELECT x, iif(x > 1900, NULL, 1901 + x % 100), x FROM c"
    )
    line.sql(f"{NUMBERS} INSERT INTO item SELECT x, 2001 - x, x FROM c")
    line.ok("triggers", "install")
    line.ok("tables", "create")
    return line


def content(line: CommandLine, table: str, file: str = "copy.db") -> list[tuple[object, ...]]:
    """A table's rows."""
    return line.sql(f"SELECT * FROM {table} ORDER BY id", file)


def test_rows_that_refer_to_rows_not_copied_yet(shop: CommandLine) -> None:
    """The bosses are at the end of the table."""
    out = shop.ok("snapshot", "all", "--target", "copy")
    assert out.count("done") == 2
    for table in ("person", "item"):
        assert content(shop, table) == content(shop, table, "shop.db")
    assert shop.sql("SELECT count(*) FROM outbox_dead_letter") == [(0,)]


def test_a_row_that_the_target_refuses_is_parked(shop: CommandLine) -> None:
    shop.sql("CREATE UNIQUE INDEX one ON item (n)", "copy.db")
    shop.sql("UPDATE item SET n = 7 WHERE id = 1200")
    shop.ok("snapshot", "all", "--target", "copy", "--table", "person")
    shop.ok("snapshot", "all", "--target", "copy", "--table", "item")
    expected = [row for row in content(shop, "item", "shop.db") if row[0] not in (7, 1200)]
    assert [row for row in content(shop, "item") if row[0] not in (7, 1200)] == expected
    assert len(content(shop, "item")) == 1999
    [(state, looks)] = shop.sql("SELECT DISTINCT state, attempts > 1 FROM outbox_dead_letter")
    assert (state, looks) == ("parked", 1)

    shop.sql("DROP INDEX one", "copy.db")
    shop.ok("snapshot", "all", "--target", "copy", "--table", "item")
    assert content(shop, "item") == content(shop, "item", "shop.db")
    assert shop.sql("SELECT count(*) FROM outbox_dead_letter") == [(0,)]


def test_one_table_is_copied_anew_beside_its_neighbour(shop: CommandLine) -> None:
    shop.ok("snapshot", "all", "--target", "copy")
    shop.sql("UPDATE person SET n = -1", "copy.db")
    shop.sql("UPDATE item SET n = -1", "copy.db")
    shop.sql("INSERT INTO item VALUES (9999, NULL, 5)", "copy.db")
    shop.ok("snapshot", "all", "--target", "copy", "--table", "item")
    assert content(shop, "item") == [*content(shop, "item", "shop.db"), (9999, None, 5)]
    assert {row[2] for row in content(shop, "person")} == {-1}


def test_a_running_replicator_does_the_copy(shop: CommandLine) -> None:
    with Running(shop) as replicator:
        replicator.wait_for(" starts with ")
        query = "SELECT lease_owner FROM outbox_delivery WHERE target = 'copy'"
        wait_until(lambda: shop.sql(query) not in ([], [(None,)]), 60)
        owner = shop.sql(query)
        shop.ok("snapshot", "all", "--target", "copy")
        assert shop.sql(query) == owner
        assert content(shop, "item") == content(shop, "item", "shop.db")
        assert replicator.stop()[0] == 0


def test_a_paused_copy_waits_until_it_is_resumed(shop: CommandLine) -> None:
    shop.ok("pause", "all", "copy")
    done = shop.run("snapshot", "all", "--target", "copy")
    assert done.code == 1
    assert "replicator resume" in done.out
    assert content(shop, "person") == []
    shop.ok("resume", "all", "copy")
    shop.ok("run", "--once")
    assert content(shop, "item") == content(shop, "item", "shop.db")


def test_a_backup_gets_a_base_copy(shop: CommandLine) -> None:
    assert "4,000 rows" in shop.ok("snapshot", "all", "--target", "backup")
    shop.sql("DELETE FROM item WHERE id > 1000")
    shop.ok("run", "--once")
    shop.ok("restore", "backup/all", "--to", "sqlite:///restored.db", "--create")
    for table in ("person", "item"):
        assert content(shop, table, "restored.db") == content(shop, table, "shop.db")


@pytest.mark.parametrize("wrong", [["nothing"], ["all", "--table", "x"], ["all", "--target", "y"]])
def test_what_is_not_known(tmp_path: Path, wrong: list[str]) -> None:
    done = CommandLine(tmp_path, FILES).run("snapshot", *wrong)
    assert done.code == 2
    assert "unknown" in done.errors


TRANSFORM = """
[routes.columns.item]
number = "id"
twice = "2 * n"
share = "100 / (n - 3)"
[routes.where]
item = "n <> 5"
"""


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_tables_are_copied_through_transforms(
    kind: DatabaseKind, make_database: MakeDatabase, tmp_path: Path
) -> None:
    """A row for which an expression fails is parked, where the engine lets it fail."""
    source, target = make_database(kind), make_database("sqlite")
    execute(source.engine, "CREATE TABLE item (id INTEGER PRIMARY KEY, n INTEGER)")
    numbers = ", ".join(f"({number}, {number})" for number in range(1, 1301))
    execute(source.engine, f"INSERT INTO item VALUES {numbers}")
    made = "CREATE TABLE item (number INTEGER PRIMARY KEY, twice INTEGER, share REAL)"
    execute(target.engine, made)
    text = FILES.replace("sqlite:///shop.db", source.url).replace("sqlite:///copy.db", target.url)
    line = CommandLine(tmp_path, text.replace('"person", ', "") + TRANSFORM)
    line.ok("triggers", "install")
    line.ok("snapshot", "all", "--target", "copy")
    lost = {3, 5} if kind == "postgresql" else {5}
    found = rows_of(target.engine, "item")
    expected = [(n, 2 * n) for n in range(1, 1301) if n not in lost]
    assert [row[:2] for row in found] == expected
