"""Capture where SQLite differs from the other engines."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from decimal import Decimal

import pytest

from tests.capture_source import (
    CaptureSource,
    Change,
    capture_source,
    deleted,
    inserted,
    run,
    updated,
)
from tests.conftest import MakeDatabase
from triggers.model import TableSpec


@pytest.fixture
def source(make_database: MakeDatabase) -> Iterator[CaptureSource]:
    with capture_source(make_database("sqlite")) as source:
        source.execute("CREATE TABLE item (id integer PRIMARY KEY, name text, at text)")
        yield source


@pytest.mark.parametrize("when", ["before", "after"])
def test_application_trigger_that_writes_to_the_row(source: CaptureSource, when: str) -> None:
    if when == "after":
        source.install("item")
    source.execute(
        "CREATE TRIGGER touch AFTER UPDATE OF name ON item"
        " BEGIN UPDATE item SET at = NEW.name || '!' WHERE id = NEW.id; END",
        "CREATE TRIGGER fill AFTER INSERT ON item"
        " BEGIN UPDATE item SET at = 'new' WHERE id = NEW.id; END",
    )
    if when == "before":
        source.install("item")
    source.execute("INSERT INTO item VALUES (1, 'a', NULL)")
    assert source.changes()[-1].after == {"id": 1, "name": "a", "at": "new"}
    source.execute("UPDATE item SET name = 'b'")
    assert source.changes()[-1].after == {"id": 1, "name": "b", "at": "b!"}


def test_cascade(source: CaptureSource) -> None:
    source.execute(
        "CREATE TABLE child (id integer PRIMARY KEY, item integer"
        " REFERENCES item ON DELETE CASCADE ON UPDATE SET NULL)"
    )
    source.install("item", "child")
    source.execute(
        "INSERT INTO item VALUES (1, 'a', NULL), (2, 'b', NULL)",
        "INSERT INTO child VALUES (5, 1), (6, 2)",
    )
    source.execute("UPDATE item SET id = 3 WHERE id = 2", "DELETE FROM item WHERE id = 1")
    assert source.changes("child")[2:] == [
        updated({"id": 6, "item": None}),
        deleted({"id": 5, "item": 1}),
    ]


def test_self_referencing_cascade(source: CaptureSource) -> None:
    source.execute(
        "CREATE TABLE node (id integer PRIMARY KEY, up integer REFERENCES node ON DELETE CASCADE)"
    )
    source.install("node")
    source.execute("INSERT INTO node VALUES (1, NULL), (2, 1), (3, 2), (4, 3)")
    source.changes()
    source.execute("DELETE FROM node WHERE id = 1")
    gone = source.changes()
    assert sorted(change.before["id"] for change in gone if change.before) == [1, 2, 3, 4]


@pytest.mark.parametrize("recursive", [False, True])
def test_replace_of_the_same_key(source: CaptureSource, recursive: bool) -> None:
    source.install("item")
    source.execute("INSERT INTO item VALUES (1, 'a', NULL)")
    source.changes()
    with source.engine.connect() as connection:
        run(connection, f"PRAGMA recursive_triggers = {int(recursive)}")
        run(connection, "REPLACE INTO item VALUES (1, 'b', NULL)")
        connection.commit()
    assert source.changes()[-1] == inserted({"id": 1, "name": "b", "at": None})


def test_replace_of_another_row_needs_recursive_triggers(source: CaptureSource) -> None:
    source.execute("CREATE UNIQUE INDEX item_name ON item (name)")
    source.install("item")
    source.execute("INSERT INTO item VALUES (1, 'a', NULL)")
    source.changes()
    with source.engine.connect() as connection:
        run(connection, "PRAGMA recursive_triggers = ON")
        run(connection, "REPLACE INTO item VALUES (2, 'a', NULL)")
        connection.commit()
    assert source.changes() == [
        deleted({"id": 1, "name": "a", "at": None}),
        inserted({"id": 2, "name": "a", "at": None}),
    ]


def test_delete_of_all_rows_is_logged_row_by_row(source: CaptureSource) -> None:
    source.install("item")
    source.execute("INSERT INTO item VALUES (1, 'a', NULL), (2, 'b', NULL)")
    source.changes()
    source.execute("DELETE FROM item")
    assert [change.op for change in source.changes()] == ["D", "D"]


def test_value_of_any_class_in_any_column(source: CaptureSource) -> None:
    source.execute("CREATE TABLE loose (id PRIMARY KEY NOT NULL, v integer)")
    source.install(TableSpec("loose", before="full"))
    source.execute(
        "INSERT INTO loose VALUES (1.5, 'text'), (x'00ff', 9e999), ('k', -9e999),"
        " (9223372036854775807, 0.1)"
    )
    source.execute("UPDATE loose SET id = x'01' WHERE id = x'00ff'")
    assert source.changes() == [
        inserted({"id": Decimal("1.5"), "v": "text"}),
        inserted({"id": "\\x00ff", "v": "Infinity"}),
        inserted({"id": "k", "v": "-Infinity"}),
        inserted({"id": 9223372036854775807, "v": Decimal("0.1")}),
        deleted({"id": "\\x00ff", "v": "Infinity"}),
        updated({"id": "\\x01", "v": "Infinity"}),
    ]


@pytest.mark.parametrize("count", [1, 99, 100, 101, 200, 1999])
def test_many_columns(source: CaptureSource, count: int) -> None:
    names = [f"c{n}" for n in range(count)]
    columns = ", ".join(f"{name} integer" for name in names)
    source.execute(f"CREATE TABLE wide ({columns}, PRIMARY KEY (c0)) WITHOUT ROWID")
    source.install("wide")
    source.execute(f"INSERT INTO wide VALUES ({', '.join(str(n) for n in range(count))})")
    assert source.changes() == [Change("I", None, {name: n for n, name in enumerate(names)})]


@pytest.mark.parametrize("name", ["rowid", "_rowid_", "OID"])
def test_key_changed_by_another_name(source: CaptureSource, name: str) -> None:
    source.install("item")
    source.execute("INSERT INTO item VALUES (1, 'a', NULL)", f"UPDATE item SET {name} = 2")
    assert source.changes()[1:] == [
        deleted({"id": 1, "name": "a", "at": None}),
        updated({"id": 2, "name": "a", "at": None}),
    ]


def test_writer_that_knows_nothing_of_this_program(source: CaptureSource) -> None:
    source.install("item")
    connection = sqlite3.connect(source.database.name)
    connection.execute("INSERT INTO item VALUES (1, 'a', NULL)")
    connection.commit()
    connection.close()
    assert source.changes() == [inserted({"id": 1, "name": "a", "at": None})]
