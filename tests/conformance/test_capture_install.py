"""Installing, inspecting and removing capture, on every engine."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from threading import Event
from typing import Any

import psycopg
import pymysql
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from tests.capture_source import CaptureSource, as_specs, capture_source, inserted, run, updated
from tests.conftest import MakeDatabase
from tests.servers import DATABASE_KINDS
from triggers import migrations
from triggers.capture import State
from triggers.errors import OutboxMissing, OutboxTooNew, TableBusy
from triggers.model import TableSpec


@pytest.fixture(params=DATABASE_KINDS)
def source(request: pytest.FixtureRequest, make_database: MakeDatabase) -> Iterator[CaptureSource]:
    with capture_source(make_database(request.param)) as source:
        source.execute("CREATE TABLE item (id integer NOT NULL PRIMARY KEY, name varchar(40))")
        source.execute("CREATE TABLE other (id integer NOT NULL PRIMARY KEY)")
        yield source


def plain_connection(source: CaptureSource) -> Any:
    """Connect with the driver alone, as a DBA's client does; each statement commits by itself."""
    server = source.database.server
    match source.kind:
        case "sqlite":
            return sqlite3.connect(source.database.name, isolation_level=None)
        case "postgresql":
            assert server is not None
            return psycopg.connect(
                f"host=127.0.0.1 port={server.port} user=postgres dbname={source.database.name}",
                autocommit=True,
            )
        case _:
            assert server is not None
            return pymysql.connect(
                host="127.0.0.1",
                port=server.port,
                user="root",
                database=source.database.name,
                autocommit=True,
                charset="utf8mb4",
            )


def test_install_reports_what_was_and_is_idempotent(source: CaptureSource) -> None:
    assert [s.state for s in source.install("item", "other")] == [State.MISSING, State.MISSING]
    assert [s.state for s in source.install("item", "other")] == [State.INSTALLED, State.INSTALLED]
    assert source.states("item", "other") == [State.INSTALLED, State.INSTALLED]
    source.execute("INSERT INTO item VALUES (1, 'a')")
    assert source.changes() == [inserted({"id": 1, "name": "a"})]


def test_status_before_anything_is_installed(source: CaptureSource) -> None:
    status = source.status("item")
    assert (status.state, status.reasons) == (
        State.MISSING,
        ("the outbox tables are not installed",),
    )
    assert source.capture.uninstall() == []
    with pytest.raises(OutboxMissing):
        source.capture.tables()


def test_status_of_a_table_that_nobody_asks_for_any_more(source: CaptureSource) -> None:
    source.install("item", "other")
    assert source.states("item") == [State.INSTALLED, State.LEFT_OVER]


def test_statements_executed_by_hand(source: CaptureSource) -> None:
    source.execute(
        'CREATE TABLE "odd 100% %s"(id integer NOT NULL PRIMARY KEY)'.replace(
            '"', "`" if source.kind in ("mysql", "mariadb") else '"'
        )
    )
    specs = as_specs(["item", TableSpec("other", before="full", origin="record"), "odd 100% %s"])
    statements = source.capture.install_statements(specs)
    assert source.capture.status(specs)[0].reasons == ("the outbox tables are not installed",)
    connection = plain_connection(source)
    cursor = connection.cursor()
    for statement in statements:
        cursor.execute(statement)
    cursor.close()
    connection.close()
    assert source.states(*specs) == [State.INSTALLED] * 3
    assert source.capture.install_statements(specs) == []
    source.execute("INSERT INTO item VALUES (1, 'a')", "INSERT INTO other VALUES (7)")
    assert source.changes() == [inserted({"id": 1, "name": "a"}), inserted({"id": 7})]


def test_uninstall(source: CaptureSource) -> None:
    source.install("item", "other")
    assert source.capture.uninstall(["item"]) == [source.name("item")]
    assert source.states("item", "other") == [State.MISSING, State.INSTALLED]
    source.execute("INSERT INTO item VALUES (1, 'a')", "INSERT INTO other VALUES (1)")
    assert source.changes() == [inserted({"id": 1})]
    source.execute("DROP TABLE other")
    assert source.capture.uninstall() == [source.name("other")]
    assert source.capture.uninstall() == []
    with source.engine.connect() as connection:
        assert migrations.installed_version(connection, source.capture.outbox.schema)


def test_uninstall_with_purge_leaves_nothing(source: CaptureSource) -> None:
    def everything() -> set[Any]:
        inspector = sa.inspect(source.engine)
        return {
            (schema, table)
            for schema in inspector.get_schema_names()
            if schema not in ("information_schema", "sys", "performance_schema")
            for table in inspector.get_table_names(schema)
        } | {(schema,) for schema in inspector.get_schema_names()}

    before = everything()
    source.install("item")
    assert everything() != before
    source.capture.uninstall(purge=True)
    assert everything() == before
    source.execute("INSERT INTO item VALUES (1, 'a')")
    source.install("item")
    source.execute("INSERT INTO item VALUES (2, 'b')")
    assert source.changes() == [inserted({"id": 2, "name": "b"})]


def test_newer_outbox_is_refused(source: CaptureSource) -> None:
    source.install("item")
    schema = source.capture.outbox.schema
    table = f"{schema}.outbox_version" if schema else "outbox_version"
    source.execute(f"UPDATE {table} SET version_num = '9999'")
    for call in (source.install, source.states, source.capture.uninstall):
        with pytest.raises(OutboxTooNew, match="9999"):
            call("item") if call != source.capture.uninstall else call()


class TestDrift:
    """What `status` says when something changed, and that `install` mends it."""

    def mended(self, source: CaptureSource, spec: TableSpec | str, *reasons: str) -> None:
        status = source.status(spec)
        assert status.state is State.DRIFTED
        assert len(status.reasons) == len(reasons), status.reasons
        for found, wanted in zip(status.reasons, reasons, strict=True):
            assert wanted in found
        source.install(spec)
        assert source.status(spec).reasons == ()
        source.changes()

    def test_column_added(self, source: CaptureSource) -> None:
        source.install("item")
        source.execute("ALTER TABLE item ADD COLUMN size integer")
        source.execute("INSERT INTO item VALUES (1, 'a', 5)")  # the old triggers still work
        assert source.changes()[0].op == "I"
        self.mended(source, "item", "column 'size' was added")
        source.execute("UPDATE item SET size = 6")
        assert source.changes() == [updated({"id": 1, "name": "a", "size": 6})]

    def test_column_dropped(self, source: CaptureSource) -> None:
        source.install("item")
        drop = "ALTER TABLE item DROP COLUMN name"
        if source.kind == "sqlite":
            # SQLite itself refuses it while a trigger names the column: uninstall first.
            with pytest.raises(DBAPIError, match="error in trigger"):
                source.execute(drop)
            source.capture.uninstall(["item"])
            source.execute(drop)
            source.install("item")
        else:
            source.execute(drop)
            if source.kind in ("mysql", "mariadb"):
                # The trigger names the column, so that the application cannot write any more.
                with pytest.raises(DBAPIError, match=r"Unknown column '\"?name|'NEW'"):
                    source.execute("INSERT INTO item VALUES (1)")
            else:
                source.execute("INSERT INTO item VALUES (0)")
            self.mended(source, "item", "column 'name' was dropped")
        source.execute("INSERT INTO item VALUES (2)")
        assert source.changes() == [inserted({"id": 2})]

    def test_column_retyped(self, source: CaptureSource) -> None:
        if source.kind == "sqlite":
            pytest.skip("SQLite cannot change a column's type")
        source.install("item")
        mysql = source.kind in ("mysql", "mariadb")
        source.execute(
            f"ALTER TABLE item {'MODIFY name' if mysql else 'ALTER name TYPE'} varchar(80)"
        )
        status = source.status("item")
        assert "(40), is " in status.reasons[0]
        assert "(80)" in status.reasons[0]
        self.mended(source, "item", "column 'name' was")

    def test_trigger_dropped(self, source: CaptureSource) -> None:
        source.install("item")
        with source.engine.connect() as connection:
            names = source.capture.dialect.live_triggers(
                connection, source.name("item"), source.capture.outbox
            )
        gone = next(name for name in names if "insert" in name)
        on = " ON item" if source.kind == "postgresql" else ""
        source.execute(f"DROP TRIGGER {source.quote(gone)}{on}")
        self.mended(source, "item", f"the trigger {gone} was dropped")
        source.execute("INSERT INTO item VALUES (1, 'a')")
        assert source.changes() == [inserted({"id": 1, "name": "a"})]

    def test_trigger_altered(self, source: CaptureSource) -> None:
        source.install("item")
        with source.engine.connect() as connection:
            live = source.capture.dialect.live_triggers(
                connection, source.name("item"), source.capture.outbox
            )
        name, trigger = next(item for item in live.items() if "insert" in item[0])
        body = trigger.body.replace("'I'", "'X'")
        names = [name]
        match source.kind:
            case "postgresql":
                with source.engine.connect() as connection:
                    called = sa.text("SELECT tgfoid::regproc FROM pg_trigger WHERE tgname = :name")
                    function = connection.execute(called, {"name": name}).scalar_one()
                source.execute(
                    f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql"
                    f" SECURITY DEFINER AS $body${body}$body$"
                )
                names = sorted(live)
            case "sqlite":
                source.execute(f"DROP TRIGGER {name}", body)
            case _:
                head = f"CREATE TRIGGER {name} AFTER INSERT ON item FOR EACH ROW "
                source.execute(f"DROP TRIGGER {name}", head + body)
        status = source.status("item")
        assert sorted(status.reasons) == [f"the trigger {name} was altered" for name in names]
        source.install("item")
        assert source.states("item") == [State.INSTALLED]
        source.execute("INSERT INTO item VALUES (1, 'a')")
        assert source.changes() == [inserted({"id": 1, "name": "a"})]

    def test_options_changed(self, source: CaptureSource) -> None:
        source.install("item")
        full = TableSpec("item", before="full", exclude=("name",), origin="record")
        source.execute("INSERT INTO item VALUES (1, 'a')")
        status = source.status(full)
        assert set(status.reasons) >= {
            "the option `before` was 'key', is 'full'",
            "the option `origin` was 'skip', is 'record'",
        }
        source.install(full)
        source.changes()
        source.execute("UPDATE item SET name = 'b'")
        assert source.changes() == [updated({"id": 1}, {"id": 1})]
        source.install("item")
        source.execute("UPDATE item SET name = 'c'")
        assert source.changes() == [updated({"id": 1, "name": "c"})]

    def test_key_changed(self, source: CaptureSource) -> None:
        source.execute(
            "CREATE TABLE two (a integer NOT NULL, b integer NOT NULL)",
            "CREATE UNIQUE INDEX two_a ON two (a)",
            "CREATE UNIQUE INDEX two_b ON two (b)",
        )
        source.install(TableSpec("two", key="a"))
        self.mended(source, TableSpec("two", key="b"), "the key was (a), is (b)")

    def test_column_excluded_and_then_dropped(self, source: CaptureSource) -> None:
        """The way to drop a column that no write fails on, on every engine."""
        source.install("item")
        source.install(TableSpec("item", exclude=("name",)))
        source.execute("INSERT INTO item VALUES (1, 'a')")
        source.execute("ALTER TABLE item DROP COLUMN name")
        source.execute("INSERT INTO item VALUES (2)")
        source.install("item")
        source.execute("INSERT INTO item VALUES (3)")
        assert source.changes() == [inserted({"id": n}) for n in (1, 2, 3)]

    def test_table_renamed(self, source: CaptureSource) -> None:
        source.install("item")
        source.execute("ALTER TABLE item RENAME TO thing")
        source.execute("INSERT INTO thing VALUES (1, 'a')")
        assert source.changes("item") == [inserted({"id": 1, "name": "a"})]
        assert source.states("item") == [State.REFUSED]
        assert [s.state for s in source.install("thing")] == [State.DRIFTED, State.LEFT_OVER]
        assert source.capture.uninstall(["item"]) == [source.name("item")]
        assert source.states("thing") == [State.INSTALLED]
        source.execute("UPDATE thing SET name = 'b'")
        assert source.changes() == [updated({"id": 1, "name": "b"})]

    def test_renamed_table_can_be_left(self, source: CaptureSource) -> None:
        source.install("item")
        source.execute("ALTER TABLE item RENAME TO thing")
        assert source.capture.uninstall() == [source.name("item")]
        source.execute("INSERT INTO thing VALUES (1, 'a')")
        assert source.changes() == []

    def test_table_dropped_and_made_again(self, source: CaptureSource) -> None:
        source.install("item", "other")
        source.execute("DROP TABLE item")
        assert source.states("item", "other") == [State.REFUSED, State.INSTALLED]
        source.execute("CREATE TABLE item (id integer NOT NULL PRIMARY KEY, name varchar(40))")
        status = source.status("item")
        assert status.state is State.DRIFTED
        assert all("was dropped" in reason for reason in status.reasons)
        source.install("item")
        source.execute("INSERT INTO item VALUES (1, 'a')")
        assert source.changes() == [inserted({"id": 1, "name": "a"})]


def test_two_installations_at_once(source: CaptureSource) -> None:
    tables = [f"t{n}" for n in range(6)]
    for table in tables:
        source.execute(f"CREATE TABLE {table} (id integer NOT NULL PRIMARY KEY)")
    with capture_source(source.database) as second, ThreadPoolExecutor() as pool:
        done = [pool.submit(s.install, *tables) for s in (source, second) for _ in range(2)]
        for future in done:
            future.result(60)
    assert source.states(*tables) == [State.INSTALLED] * len(tables)
    for table in tables:
        source.execute(f"INSERT INTO {table} VALUES (1)")
        assert source.changes(table) == [inserted({"id": 1})]


def test_no_change_is_lost_while_triggers_are_replaced(source: CaptureSource) -> None:
    """Writers run while the options change again and again; each change is logged once."""
    writers, repeats = 4, 8
    kinds = cycle(
        as_specs(
            [
                "item",
                TableSpec("item", before="full"),
                TableSpec("item", origin="record"),
                TableSpec("item", before="full", origin="record"),
            ]
        )
    )
    source.install("item")
    stop = Event()

    def write(writer: int) -> tuple[int, int]:
        n = 0
        with source.engine.connect() as connection:
            while not stop.is_set():
                key = writer * 1_000_000 + n
                with connection.begin():
                    run(
                        connection,
                        f"INSERT INTO item VALUES ({key}, 'a')",
                        f"UPDATE item SET name = 'b' WHERE id = {key}",
                        f"DELETE FROM item WHERE id = {key - 1} AND id % 1000000 < 500000",
                    )
                n += 1
        return writer, n

    with ThreadPoolExecutor() as pool:
        written = [pool.submit(write, writer) for writer in range(writers)]
        try:
            for spec in islice(kinds, 1, repeats + 1):
                source.install(spec)
        finally:
            stop.set()
        counts = dict(future.result(60) for future in written)
    assert min(counts.values()) > 0
    logged: dict[int, list[str]] = {}
    for change in source.changes():
        image = change.after or change.before
        assert image is not None
        logged.setdefault(image["id"], []).append(change.op)
    for writer, count in counts.items():
        for n in range(count):
            last = n == count - 1
            ops = ["I", "U"] if last else ["I", "U", "D"]
            assert logged.pop(writer * 1_000_000 + n) == ops
    assert logged == {}


def test_table_that_is_never_free(source: CaptureSource, monkeypatch: pytest.MonkeyPatch) -> None:
    if source.kind == "sqlite":
        pytest.skip("SQLite has one writer: nothing to wait for but its transaction")
    monkeypatch.setattr("triggers.capture.ATTEMPTS", 2)
    monkeypatch.setattr("triggers.capture.PAUSE_SECONDS", 0.1)
    source.install("item")
    with source.engine.connect() as writer:
        run(writer, "INSERT INTO item VALUES (1, 'a')")
        for call in (
            lambda: source.install(TableSpec("item", before="full"), "other"),
            source.capture.uninstall,
        ):
            with pytest.raises(TableBusy, match="item"):
                call()
        assert source.states("item", "other") == [State.INSTALLED, State.MISSING]
        writer.commit()
    assert source.capture.uninstall() == [source.name("item")]


def test_install_waits_for_a_long_transaction(source: CaptureSource) -> None:
    if source.kind == "sqlite":
        pytest.skip("SQLite has one writer: nothing to wait for but its transaction")
    with source.engine.connect() as writer, ThreadPoolExecutor() as pool:
        transaction = writer.begin()
        run(writer, "INSERT INTO item VALUES (1, 'a')")
        installed = pool.submit(source.install, "item")
        with pytest.raises(TimeoutError):
            installed.result(1)
        transaction.commit()
        installed.result(30)
    source.execute("INSERT INTO item VALUES (2, 'b')")
    assert source.changes() == [inserted({"id": 2, "name": "b"})]
