"""What the triggers log for each kind of statement, on every engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.capture_source import CaptureSource, capture_source, deleted, inserted, run, updated
from tests.conftest import MakeDatabase
from tests.servers import DATABASE_KINDS
from triggers.model import TableSpec


@pytest.fixture(params=DATABASE_KINDS)
def source(request: pytest.FixtureRequest, make_database: MakeDatabase) -> Iterator[CaptureSource]:
    with capture_source(make_database(request.param)) as source:
        source.execute("CREATE TABLE item (id integer NOT NULL PRIMARY KEY, name varchar(40))")
        yield source


def test_insert_update_delete(source: CaptureSource) -> None:
    source.install("item")
    source.execute("INSERT INTO item VALUES (1, 'a')")
    source.execute("UPDATE item SET name = 'b' WHERE id = 1")
    source.execute("UPDATE item SET name = NULL WHERE id = 1")
    source.execute("DELETE FROM item WHERE id = 1")
    assert source.changes("item") == [
        inserted({"id": 1, "name": "a"}),
        updated({"id": 1, "name": "b"}),
        updated({"id": 1, "name": None}),
        deleted({"id": 1, "name": None}),
    ]


def test_statement_that_matches_no_row_logs_nothing(source: CaptureSource) -> None:
    source.install("item")
    source.execute("UPDATE item SET name = 'b' WHERE id = 1", "DELETE FROM item")
    assert source.changes() == []


def test_statement_with_many_rows(source: CaptureSource) -> None:
    source.install("item")
    source.execute("INSERT INTO item VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    source.execute("UPDATE item SET name = 'z' WHERE id > 1")
    source.execute("DELETE FROM item WHERE id < 3")
    changes = source.changes("item")
    assert changes[:3] == [
        inserted({"id": n, "name": name}) for n, name in [(1, "a"), (2, "b"), (3, "c")]
    ]
    assert changes[3:5] == [updated({"id": 2, "name": "z"}), updated({"id": 3, "name": "z"})]
    assert changes[5:] == [deleted({"id": 1, "name": "a"}), deleted({"id": 2, "name": "z"})]


def test_composite_key(source: CaptureSource) -> None:
    source.execute(
        "CREATE TABLE line (no integer NOT NULL, item varchar(9) NOT NULL, n integer,"
        " PRIMARY KEY (item, no))"
    )
    source.install("line")
    assert source.capture.tables()[source.name("line")].key == ("item", "no")
    source.execute("INSERT INTO line VALUES (1, 'x', 5)")
    source.execute("UPDATE line SET n = 6")
    source.execute("UPDATE line SET no = 2")
    source.execute("DELETE FROM line")
    assert source.changes("line") == [
        inserted({"no": 1, "item": "x", "n": 5}),
        updated({"no": 1, "item": "x", "n": 6}),
        deleted({"no": 1, "item": "x", "n": 6}),
        updated({"no": 2, "item": "x", "n": 6}),
        deleted({"no": 2, "item": "x", "n": 6}),
    ]


@pytest.mark.parametrize("before", ["key", "full"])
def test_key_change_is_a_delete_and_a_new_row(source: CaptureSource, before: str) -> None:
    source.install(TableSpec("item", before="full" if before == "full" else "key"))
    source.execute("INSERT INTO item VALUES (1, 'a')")
    source.changes()
    source.execute("UPDATE item SET id = 2, name = 'b'")
    assert source.changes("item") == [
        deleted({"id": 1, "name": "a"}),
        updated({"id": 2, "name": "b"}),
    ]


def test_key_change_by_case_only(source: CaptureSource) -> None:
    collation = {
        "sqlite": "COLLATE NOCASE",
        "mysql": "CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
        "mariadb": "CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
    }.get(source.kind, "")
    source.execute(f"CREATE TABLE word (w varchar(20) {collation} NOT NULL PRIMARY KEY, n integer)")
    source.install("word")
    source.execute("INSERT INTO word VALUES ('abc', 1)")
    source.execute("UPDATE word SET w = 'Abc'")
    assert source.changes("word")[1:] == [
        deleted({"w": "abc", "n": 1}),
        updated({"w": "Abc", "n": 1}),
    ]


def test_before_full(source: CaptureSource) -> None:
    source.install(TableSpec("item", before="full"))
    source.execute("INSERT INTO item VALUES (1, 'a'), (2, 'b')")
    source.execute("UPDATE item SET name = 'c'")
    assert source.changes("item")[2:] == [
        updated({"id": 1, "name": "c"}, {"id": 1, "name": "a"}),
        updated({"id": 2, "name": "c"}, {"id": 2, "name": "b"}),
    ]


def test_excluded_column_never_reaches_the_outbox(source: CaptureSource) -> None:
    source.execute("ALTER TABLE item ADD COLUMN card varchar(20)")
    source.install(TableSpec("item", exclude=("card",), before="full"))
    source.execute("INSERT INTO item VALUES (1, 'a', 'secret')")
    source.execute("UPDATE item SET card = 'hidden'")
    source.execute("DELETE FROM item")
    image = {"id": 1, "name": "a"}
    assert source.changes("item") == [inserted(image), updated(image, image), deleted(image)]
    assert [c.name for c in source.capture.tables()[source.name("item")].columns] == ["id", "name"]


def test_rollback_captures_nothing(source: CaptureSource) -> None:
    source.install("item")
    with source.engine.connect() as connection:
        transaction = connection.begin()
        run(connection, "INSERT INTO item VALUES (1, 'a')", "UPDATE item SET name = 'b'")
        transaction.rollback()
    source.execute("INSERT INTO item VALUES (2, 'b')")
    assert source.changes() == [inserted({"id": 2, "name": "b"})]


def test_savepoint(source: CaptureSource) -> None:
    source.install("item")
    source.execute(
        "INSERT INTO item VALUES (1, 'a')",
        "SAVEPOINT s",
        "UPDATE item SET name = 'b'",
        "INSERT INTO item VALUES (2, 'b')",
        "ROLLBACK TO SAVEPOINT s",
        "INSERT INTO item VALUES (3, 'c')",
        "RELEASE SAVEPOINT s",
    )
    assert source.changes() == [
        inserted({"id": 1, "name": "a"}),
        inserted({"id": 3, "name": "c"}),
    ]


def test_failed_statement_logs_nothing(source: CaptureSource) -> None:
    source.install("item")
    source.execute("INSERT INTO item VALUES (1, 'a')")
    with pytest.raises(Exception, match=r"(?i)unique|duplicate"):
        source.execute("INSERT INTO item VALUES (2, 'b'), (1, 'c')")
    assert source.changes() == [inserted({"id": 1, "name": "a"})]


def test_upsert(source: CaptureSource) -> None:
    source.install("item")
    if source.kind in ("mysql", "mariadb"):
        upsert = "INSERT INTO item VALUES {} ON DUPLICATE KEY UPDATE name = VALUES(name)"
        ignore = "INSERT IGNORE INTO item VALUES {}"
    else:
        upsert = "INSERT INTO item VALUES {} ON CONFLICT (id) DO UPDATE SET name = excluded.name"
        ignore = "INSERT INTO item VALUES {} ON CONFLICT DO NOTHING"
    source.execute("INSERT INTO item VALUES (1, 'a')")
    source.changes()
    source.execute(upsert.format("(1, 'b'), (2, 'c')"))
    assert sorted(source.changes()) == [
        inserted({"id": 2, "name": "c"}),
        updated({"id": 1, "name": "b"}),
    ]
    source.execute(ignore.format("(1, 'x'), (3, 'd')"))
    assert source.changes() == [inserted({"id": 3, "name": "d"})]


def test_replace_leaves_the_right_last_image(source: CaptureSource) -> None:
    if source.kind == "postgresql":
        pytest.skip("PostgreSQL has no REPLACE")
    source.install("item")
    source.execute("INSERT INTO item VALUES (1, 'a')")
    source.execute("REPLACE INTO item VALUES (1, 'b'), (2, 'c')")
    changes = [change for change in source.changes() if change.op != "D"]
    assert changes[-2:] == [
        inserted({"id": 1, "name": "b"}),
        inserted({"id": 2, "name": "c"}),
    ]


def test_origin(source: CaptureSource) -> None:
    source.execute("CREATE TABLE other (id integer NOT NULL PRIMARY KEY)")
    source.install("item", TableSpec("other", origin="record"))
    mark, unmark = {
        "postgresql": ("SET LOCAL outbox.origin = 'crm'", "SELECT 1"),
        "sqlite": ("INSERT INTO outbox_origin VALUES ('crm')", "DELETE FROM outbox_origin"),
    }.get(source.kind, ("SET @outbox_origin = 'crm'", "SET @outbox_origin = NULL"))
    writes = (
        "INSERT INTO item VALUES (1, 'a')",
        "UPDATE item SET id = 2",
        "DELETE FROM item",
        "INSERT INTO other VALUES (1)",
        "UPDATE other SET id = 2",
        "DELETE FROM other",
    )
    source.execute(mark, *writes, unmark)
    change = source.capture.outbox.change
    with source.engine.connect() as connection:
        rows = connection.execute(change.select().order_by(change.c.id)).all()
    table = source.name("other")
    assert [(row.table_name, row.op, row.origin) for row in rows] == [
        (table, op, "crm") for op in "IDUD"
    ]
    source.changes()
    source.execute("INSERT INTO item VALUES (5, 'e')", "INSERT INTO other VALUES (5)")
    assert source.changes() == [inserted({"id": 5, "name": "e"}), inserted({"id": 5})]
    with source.engine.connect() as connection:
        assert connection.execute(change.select().where(change.c.origin.is_(None))).all()
