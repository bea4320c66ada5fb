"""Comparing targets with their source, and mending them, while the source is in use."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.command_line import CommandLine, Running
from tests.acceptance.program import Done
from tests.conftest import MakeDatabase
from tests.load.planted import TABLES, Planted, Writers, content, create, fill, plant
from tests.replication import Replication, execute, sql
from tests.servers import Database, DatabaseKind

PAIRS = [
    pytest.param("postgresql", "postgresql", marks=pytest.mark.torture),
    pytest.param("mariadb", "postgresql", marks=pytest.mark.torture),
    ("postgresql", "mariadb"),
    ("sqlite", "postgresql"),
]

ROWS = 2_000


def prepared(source: Database, target: Database, folder: Path, seconds: float = 120) -> CommandLine:
    """A route whose target has everything, and its command line; how long a command may take."""
    replication = Replication(
        folder,
        sources={"shop": source.url},
        targets={"copy": sql(target.url)},
        routes=[{"name": "all", "source": "shop", "tables": TABLES, "targets": ["copy"]}],
    )
    replication.prepare()
    line = CommandLine(folder, replication.path.read_text(encoding="utf-8"))
    line.seconds = seconds
    line.ok("snapshot", "all")
    return line


def found(done: Done) -> Planted:
    """What a comparison has found."""
    return {
        (table["table"].removeprefix("public."), str(*finding["key"].values())): (
            finding["row_is"],
            tuple(finding["columns"]),
        )
        for table in document(done)["tables"]
        for finding in table["findings"]
    }


def document(done: Done) -> Any:
    """What it printed."""
    assert done.out, done.errors
    return json.loads(done.out)


@pytest.mark.parametrize(("kind", "other"), PAIRS)
def test_exactly_the_differences_are_found_and_mended(
    kind: DatabaseKind, other: DatabaseKind, make_database: MakeDatabase, tmp_path: Path
) -> None:
    source, target = make_database(kind), make_database(other)
    create(source)
    fill(source.engine, ROWS)
    line = prepared(source, target, tmp_path / "route")
    planted = plant(target.engine, ROWS, random.Random(37))
    with Writers(source.engine, ROWS) as writers:
        done = line.run("verify", "all", "--json")
        assert found(done) == planted
        assert done.code == 1
        with Running(line, "run"):
            mended = line.run("verify", "all", "--json", "--repair")
            assert found(mended) == {}
            assert mended.code == 0
            assert sum(table["mended"] for table in document(mended)["tables"]) == 37
        assert writers.committed > 50
    line.ok("run", "--once")
    assert line.run("verify", "all").code == 0
    for table in TABLES:
        assert content(target.engine, table) == content(source.engine, table)


FILE = """
[sources.shop]
url = "{source}"

[targets.copy]
type = "sql"
url = "{target}"
"""

CHOSEN = """
[[routes]]
name = "all"
source = "shop"
tables = ["item"]
targets = ["copy"]
[routes.columns.item]
number = "id"
label = "concat(name, '/', coalesce(note, '-'))"
cents = "cast(amount * 100 as decimal(20,2))"
[routes.where]
item = "id < 3000 or amount > 500"
[routes.into]
item = "chosen"
"""


@pytest.mark.parametrize(
    ("kind", "other"),
    [
        pytest.param("postgresql", "mariadb", marks=pytest.mark.torture),
        ("mariadb", "postgresql"),
    ],
)
def test_through_transforms(
    kind: DatabaseKind, other: DatabaseKind, make_database: MakeDatabase, tmp_path: Path
) -> None:
    source, target = make_database(kind), make_database(other)
    create(source)
    fill(source.engine, ROWS)
    execute(
        target.engine,
        "CREATE TABLE chosen (number BIGINT PRIMARY KEY, label VARCHAR(300), cents DECIMAL(20,2))",
    )
    line = CommandLine(tmp_path, FILE.format(source=source.url, target=target.url) + CHOSEN)
    line.ok("triggers", "install")
    line.ok("snapshot", "all")
    execute(
        target.engine,
        "UPDATE chosen SET label = 'x' WHERE number = 20",
        "UPDATE chosen SET cents = cents + 0.01 WHERE number = 30",
        "DELETE FROM chosen WHERE number = 40",
        "INSERT INTO chosen VALUES (-10, 'y', 1)",
    )
    expected = {
        ("item", "20"): ("different", ("label",)),
        ("item", "30"): ("different", ("cents",)),
        ("item", "40"): ("missing", ()),
        ("item", "-10"): ("extra", ()),
    }
    with Writers(source.engine, ROWS):
        done = line.run("verify", "all", "--json")
        assert found(done) == expected
        [table] = document(done)["tables"]
        assert (table["compared_by"], table["target_table"]) == ("checksums", "chosen")
        assert found(line.run("verify", "all", "--json", "--repair")) == {}
    assert line.run("verify", "all").code == 0


MERGED = """
[[routes]]
name = "all"
source = "shop"
tables = ["web", "app"]
targets = ["copy"]
[routes.columns.web]
row_key = "md5(concat(id, '|WEB'))"
name = "account"
[routes.columns.app]
row_key = "md5(concat(id, '|APP'))"
name = "nick"
[routes.into]
web = "person"
app = "person"
"""

ONLY_WEB = """
[[routes]]
name = "all"
source = "shop"
tables = ["web"]
targets = ["copy"]
columns = { web = { row_key = "md5(concat(id, '|WEB'))", name = "account" } }
into = { web = "person" }
"""


def merged(source: Database, target: Database, folder: Path, routes: str) -> CommandLine:
    """Tables whose keys are computed, and a target that has all of it."""
    for table, column in (("web", "account"), ("app", "nick")):
        rows = ", ".join(f"({number}, '{table} {number}')" for number in range(300))
        execute(
            source.engine,
            f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, {column} VARCHAR(60))",
            f"INSERT INTO {table} VALUES {rows}",
        )
    execute(target.engine, "CREATE TABLE person (row_key CHAR(32) PRIMARY KEY, name VARCHAR(60))")
    line = CommandLine(folder, FILE.format(source=source.url, target=target.url) + routes)
    line.ok("triggers", "install")
    line.ok("snapshot", "all")
    execute(
        target.engine,
        "UPDATE person SET name = 'x' WHERE name = 'web 7'",
        "DELETE FROM person WHERE name = 'web 8'",
        "INSERT INTO person VALUES ('0', 'of the target itself')",
    )
    return line


def test_many_tables_in_one(make_database: MakeDatabase, tmp_path: Path) -> None:
    """Whose rows the others are is not known: they are left alone, and that is said."""
    source, target = make_database("mariadb"), make_database("postgresql")
    line = merged(source, target, tmp_path, MERGED)
    done = line.run("verify", "all", "--json")
    assert sorted(kind for kind, _columns in found(done).values()) == ["different", "missing"]
    for table in document(done)["tables"]:
        assert table["notes"][0].startswith("extra rows not looked for")
    assert found(line.run("verify", "all", "--json", "--repair")) == {}
    assert len(content(target.engine, "person")) == 601


def test_a_computed_key(make_database: MakeDatabase, tmp_path: Path) -> None:
    source, target = make_database("postgresql"), make_database("mariadb")
    line = merged(source, target, tmp_path, ONLY_WEB)
    kinds = [kind for kind, _columns in found(line.run("verify", "all", "--json")).values()]
    assert sorted(kinds) == ["different", "extra", "missing"]
    assert found(line.run("verify", "all", "--json", "--repair")) == {}
    assert len(content(target.engine, "person")) == 300


SMALL = """
[sources.shop]
url = "sqlite:///shop.db"

[targets.copy]
type = "sql"
url = "sqlite:///copy.db"

[targets.drop]
type = "files"
url = "file:outgoing"

[[routes]]
name = "all"
source = "shop"
tables = ["item", "other"]
targets = ["copy", "drop"]
"""


@pytest.fixture
def shop(tmp_path: Path) -> CommandLine:
    """Two tables of three rows, which the target has."""
    line = CommandLine(tmp_path, SMALL)
    line.sql("PRAGMA journal_mode = WAL")
    for table in ("item", "other"):
        line.sql(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, name TEXT)")
    line.ok("triggers", "install")
    line.ok("tables", "create")
    for table in ("item", "other"):
        line.sql(f"INSERT INTO {table} VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    line.ok("run", "--once")
    return line


def test_what_is_not_delivered_yet_is_delivered_first(shop: CommandLine) -> None:
    shop.sql("UPDATE item SET name = 'changed' WHERE id = 2")
    shop.sql("DELETE FROM item WHERE id = 3")
    out = shop.ok("verify", "all")
    assert "all/copy" in out
    assert shop.sql("SELECT name FROM item WHERE id = 2", "copy.db") == [("changed",)]


def test_one_table_alone(shop: CommandLine) -> None:
    shop.sql("UPDATE item SET name = 'x' WHERE id = 1", "copy.db")
    shop.ok("verify", "all", "--table", "other")
    done = shop.run("verify", "all", "--target", "copy", "--rate", "1000")
    assert done.code == 1
    assert "item   different  id=1  name" in done.out.replace("    ", " ").replace("   ", "   ")


def test_a_paused_delivery_is_not_waited_for(shop: CommandLine) -> None:
    shop.ok("pause", "all", "copy")
    shop.sql("UPDATE item SET name = 'x' WHERE id = 1")
    done = shop.run("verify", "all", "--json")
    assert done.code == 1
    assert found(done) == {("item", "1"): ("undecided", ())}
    [notes] = [table["notes"] for table in document(done)["tables"] if table["notes"]]
    assert "replicator resume" in notes[0]


def test_a_parked_row_is_told_as_parked(shop: CommandLine) -> None:
    shop.sql("CREATE UNIQUE INDEX one ON item (name)", "copy.db")
    shop.sql("INSERT INTO item VALUES (4, 'a')")
    assert shop.run("run", "--once").code == 1
    done = shop.run("verify", "all", "--json", "--repair")
    [finding] = document(done)["tables"][0]["findings"]
    assert (finding["row_is"], finding["key"], finding["parked"]) == ("missing", {"id": 4}, True)
    assert done.code == 1


@pytest.mark.parametrize(
    "wrong",
    [["nothing"], ["all", "-t", "x"], ["all", "--target", "y"], ["all", "--target", "drop"]],
)
def test_what_cannot_be_compared(tmp_path: Path, wrong: list[str]) -> None:
    assert CommandLine(tmp_path, SMALL).run("verify", *wrong).code == 2


def test_a_database_that_is_away(shop: CommandLine) -> None:
    shop.edit("sqlite:///copy.db", "postgresql://nobody@127.0.0.1:1/x")
    done = shop.run("verify", "all")
    assert done.code == 3
    assert "target copy (postgresql 127.0.0.1:1/x)" in done.errors


FAILING = """
[[routes]]
name = "all"
source = "shop"
tables = ["item"]
targets = ["copy"]
[routes.columns.item]
id = "{key}"
q = "{expression}"
"""


@pytest.mark.parametrize(
    ("kind", "expression", "key", "told"),
    [
        ("sqlite", "abs(a)", "id", "missing"),
        ("sqlite", "abs(a)", "id + 100", "undecided"),
        ("postgresql", "10 / (a - 2)", "id", "missing"),
    ],
)
def test_rows_for_which_the_transform_fails(
    kind: DatabaseKind,
    expression: str,
    key: str,
    told: str,
    make_database: MakeDatabase,
    tmp_path: Path,
) -> None:
    """They are missing; where their key would have been computed, nobody can tell."""
    source, target = make_database(kind), make_database(kind)
    execute(
        source.engine,
        "CREATE TABLE item (id INTEGER PRIMARY KEY, a BIGINT)",
        f"INSERT INTO item VALUES (1, 1), (2, {-(2**63) if kind == 'sqlite' else 2}), (3, 3)",
    )
    execute(target.engine, "CREATE TABLE item (id INTEGER PRIMARY KEY, q BIGINT)")
    text = FILE.format(source=source.url, target=target.url)
    line = CommandLine(tmp_path, text + FAILING.format(key=key, expression=expression))
    line.ok("triggers", "install")
    line.ok("snapshot", "all")
    done = line.run("verify", "all", "--json")
    [table] = document(done)["tables"]
    [finding] = table["findings"]
    assert done.code == 1
    assert finding["row_is"] == told
    assert "the transform fails" in finding["refused"]
    assert finding["parked"]
    assert table["rows"] == 3
    if told == "missing":
        assert finding["key"] == {"id": 2}


def test_a_computed_key_that_is_null(make_database: MakeDatabase, tmp_path: Path) -> None:
    """SQLite would take it again and again."""
    source, target = make_database("sqlite"), make_database("sqlite")
    execute(
        source.engine,
        "CREATE TABLE item (id INTEGER PRIMARY KEY, a TEXT)",
        "INSERT INTO item VALUES (1, 'x'), (2, NULL)",
    )
    execute(target.engine, "CREATE TABLE item (id TEXT PRIMARY KEY, q TEXT)")
    text = FILE.format(source=source.url, target=target.url)
    line = CommandLine(tmp_path, text + FAILING.format(key="id || a", expression="a"))
    line.edit("[targets.copy]", '[sources.shop.tables.item]\nbefore = "full"\n\n[targets.copy]')
    line.ok("triggers", "install")
    for _ in range(2):
        line.ok("snapshot", "all")
        assert line.sql("SELECT id FROM item", target.name) == [("1x",)]
    [(error,)] = line.sql("SELECT error FROM outbox_dead_letter", source.name)
    assert error == "column id of the key is NULL"
    [finding] = document(line.run("verify", "all", "--json"))["tables"][0]["findings"]
    assert (finding["row_is"], finding["refused"]) == ("missing", error)
