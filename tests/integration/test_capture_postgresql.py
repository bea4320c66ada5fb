"""Capture where PostgreSQL differs from the other engines."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.capture_source import CaptureSource, capture_source, deleted, inserted, run, updated
from tests.conftest import MakeDatabase
from triggers.capture import State
from triggers.model import TableSpec


@pytest.fixture
def source(make_database: MakeDatabase) -> Iterator[CaptureSource]:
    with capture_source(make_database("postgresql")) as source:
        source.execute("CREATE TABLE item (id integer PRIMARY KEY, name text)")
        yield source


def add_trigger(
    source: CaptureSource, name: str, event: str, body: str, table: str = "item"
) -> None:
    """Create an application's trigger."""
    source.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {body} END$$",
        f'CREATE TRIGGER "{name}" {event} EXECUTE FUNCTION {name}()'.replace("TABLE", table),
    )


def last_states(source: CaptureSource, table: str = "item") -> dict[int, object]:
    """Apply the logged changes in order; return what a target would hold."""
    rows: dict[int, object] = {}
    for change in source.changes(table):
        match change.op:
            case "T":
                rows.clear()
            case "D":
                assert change.before is not None
                rows.pop(change.before["id"], None)
            case _:
                assert change.after is not None
                rows[change.after["id"]] = change.after
    return rows


def real_rows(source: CaptureSource, table: str = "item") -> dict[int, object]:
    """Return the rows of the table."""
    with source.engine.connect() as connection:
        rows = connection.exec_driver_sql(f"SELECT * FROM {table}").mappings()
        return {row["id"]: dict(row) for row in rows}


def test_application_role_needs_no_rights_on_the_outbox(source: CaptureSource) -> None:
    source.install("item")
    role = f"app_{source.database.name}"
    source.execute(f"CREATE ROLE {role}", f"GRANT ALL ON item TO {role}")
    try:
        source.execute(
            f"SET LOCAL ROLE {role}",
            "INSERT INTO item VALUES (1, 'a')",
            "UPDATE item SET id = 2",
            "DELETE FROM item",
            "TRUNCATE item",
        )
        with pytest.raises(Exception, match="permission denied"):
            source.execute(f"SET LOCAL ROLE {role}", "SELECT * FROM outbox.outbox_change")
    finally:
        source.execute(f"DROP OWNED BY {role}", f"DROP ROLE {role}")
    assert [change.op for change in source.changes()] == ["I", "D", "U", "D", "T"]


@pytest.mark.parametrize("before", ["key", "full"])
def test_truncate(source: CaptureSource, before: str) -> None:
    source.execute("CREATE TABLE child (id integer PRIMARY KEY REFERENCES item)")
    specs = [
        TableSpec(name, before="full" if before == "full" else "key") for name in ("item", "child")
    ]
    source.install(*specs)
    source.execute("TRUNCATE item, child", "INSERT INTO item VALUES (1, 'a')")
    assert [change.op for change in source.changes("item")] == ["T", "I"]
    source.execute("TRUNCATE item CASCADE")
    assert [change.op for change in source.changes("child")] == ["T"]


class TestPartitions:
    """A partitioned table is captured as one table, wherever its rows are written."""

    @pytest.fixture(autouse=True)
    def partitioned(self, source: CaptureSource) -> None:
        source.execute(
            "CREATE TABLE log (id integer, day integer, note text, PRIMARY KEY (id, day))"
            " PARTITION BY RANGE (day)",
            "CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (10)",
            "CREATE TABLE log_2 PARTITION OF log FOR VALUES FROM (10) TO (20)",
        )

    def test_writes_to_the_table_and_to_a_partition(self, source: CaptureSource) -> None:
        source.install("log")
        source.execute("INSERT INTO log VALUES (1, 1, 'a'), (2, 11, 'b')")
        source.execute("UPDATE log_1 SET note = 'c'")
        source.execute("DELETE FROM log_2")
        assert source.changes("log") == [
            inserted({"id": 1, "day": 1, "note": "a"}),
            inserted({"id": 2, "day": 11, "note": "b"}),
            updated({"id": 1, "day": 1, "note": "c"}),
            deleted({"id": 2, "day": 11, "note": "b"}),
        ]

    def test_row_movement(self, source: CaptureSource) -> None:
        source.install("log")
        source.execute("INSERT INTO log VALUES (1, 1, 'a')")
        source.execute("UPDATE log SET day = 15")
        changes = source.changes("log")
        assert changes[1] == deleted({"id": 1, "day": 1, "note": "a"})
        assert changes[2].after == {"id": 1, "day": 15, "note": "a"}
        assert len(changes) == 3

    def test_new_and_attached_partitions_are_captured(self, source: CaptureSource) -> None:
        source.install(TableSpec("log", always=True))
        source.execute(
            "CREATE TABLE log_3 PARTITION OF log FOR VALUES FROM (20) TO (30)",
            "CREATE TABLE log_4 (LIKE log INCLUDING ALL)",
            "ALTER TABLE log ATTACH PARTITION log_4 FOR VALUES FROM (30) TO (40)",
        )
        source.execute(
            "SET LOCAL session_replication_role = replica",
            "INSERT INTO log_3 VALUES (3, 21, 'c')",
            "INSERT INTO log VALUES (4, 31, 'd')",
            "INSERT INTO log_1 VALUES (1, 1, 'a')",
        )
        assert sorted(c.after["id"] for c in source.changes("log") if c.after) == [1, 3, 4]
        assert source.states(TableSpec("log", always=True)) == [State.INSTALLED]
        assert source.capture.uninstall() == ["public.log"]
        source.execute("INSERT INTO log VALUES (5, 22, 'e')")
        assert source.changes() == []

    def test_truncate(self, source: CaptureSource) -> None:
        source.install("log")
        source.execute("TRUNCATE log")
        assert [change.op for change in source.changes("log")] == ["T"]

    def test_a_partition_alone(self, source: CaptureSource) -> None:
        source.install("log_1")
        source.execute("INSERT INTO log VALUES (1, 1, 'a'), (2, 11, 'b')")
        source.execute("UPDATE log SET note = 'c'")
        source.execute("UPDATE log SET day = 12 WHERE id = 1")
        assert source.changes("log_1") == [
            inserted({"id": 1, "day": 1, "note": "a"}),
            updated({"id": 1, "day": 1, "note": "c"}),
            deleted({"id": 1, "day": 1, "note": "c"}),
        ]


def test_child_by_inheritance_written_through_its_parent(source: CaptureSource) -> None:
    source.execute("CREATE TABLE special (PRIMARY KEY (id)) INHERITS (item)")
    source.install("special")
    source.execute("INSERT INTO special VALUES (1, 'a')", "UPDATE item SET name = 'b'")
    assert source.changes() == [
        inserted({"id": 1, "name": "a"}),
        updated({"id": 1, "name": "b"}),
    ]


def test_replica_role(source: CaptureSource) -> None:
    source.execute("CREATE TABLE other (id integer PRIMARY KEY)")
    always = TableSpec("item", always=True)
    source.install(always, "other")
    source.execute(
        "SET LOCAL session_replication_role = replica",
        "INSERT INTO item VALUES (1, 'a')",
        "INSERT INTO other VALUES (1)",
        "TRUNCATE item",
    )
    assert [change.op for change in source.changes()] == ["I", "T"]
    source.execute("ALTER TABLE item ENABLE TRIGGER USER")
    assert all("was altered" in reason for reason in source.status(always).reasons)
    assert source.states(always) == [State.DRIFTED, State.LEFT_OVER]
    source.install(always)
    assert source.states(always, "other") == [State.INSTALLED] * 2
    source.install("item", "other")
    source.execute("SET LOCAL session_replication_role = replica", "INSERT INTO item VALUES (2)")
    assert source.changes() == []


def test_disabled_trigger_is_drift(source: CaptureSource) -> None:
    for spec in (TableSpec("item"), TableSpec("item", before="full")):
        source.install(spec)
        for state in ("DISABLE TRIGGER USER", "DISABLE TRIGGER ALL"):
            source.execute(f"ALTER TABLE item {state}")
            status = source.status(spec)
            assert status.state is State.DRIFTED
            assert all("is disabled" in reason for reason in status.reasons)
            source.install(spec)
            assert source.states(spec) == [State.INSTALLED]


def test_dropped_column_that_the_function_names(source: CaptureSource) -> None:
    source.execute("ALTER TABLE item ADD COLUMN doc jsonb, ADD COLUMN n integer")
    source.install("item")
    source.execute("ALTER TABLE item DROP COLUMN n")
    with pytest.raises(Exception, match=r"column s\.n does not exist"):
        source.execute("INSERT INTO item VALUES (1, 'a')")
    [reason] = source.status("item").reasons
    assert reason.startswith("column 'n' was dropped (until it is installed anew, writes")
    source.install("item")
    source.execute("INSERT INTO item VALUES (1, 'a', '{}')")
    assert source.changes() == [inserted({"id": 1, "name": "a", "doc": "{}"})]


class TestOtherTriggers:
    """Whatever an application's triggers write, the last image is the row's last state."""

    @pytest.mark.parametrize("before", ["key", "full"])
    @pytest.mark.parametrize("name", ["!first", "zlast"])
    @pytest.mark.parametrize("level", ["ROW", "STATEMENT"])
    @pytest.mark.parametrize("installed", ["before", "after"])
    def test_same_row(
        self, source: CaptureSource, before: str, name: str, level: str, installed: str
    ) -> None:
        spec = TableSpec("item", before="full" if before == "full" else "key")
        if installed == "before":
            source.install(spec)
        body = "IF pg_trigger_depth() = 1 THEN {} END IF; RETURN NULL;"
        body = body.format("UPDATE item SET name = name || '+' WHERE name NOT LIKE '%++';")
        source.execute(
            f"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {body} END$$",
            f'CREATE TRIGGER "{name}" AFTER INSERT OR UPDATE OR DELETE ON item'
            f" FOR EACH {level} EXECUTE FUNCTION f()",
        )
        if installed == "after":
            source.install(spec)
        elif level == "ROW" and before == "key":
            assert "another trigger" in source.status(spec).reasons[0]
        source.execute("INSERT INTO item VALUES (1, 'a'), (2, 'b'), (3, 'c')")
        source.execute("UPDATE item SET id = 10 WHERE id = 1", "UPDATE item SET id = id + 100")
        source.execute("DELETE FROM item WHERE id = 103")
        source.execute("INSERT INTO item VALUES (5, 'e')")
        assert last_states(source) == real_rows(source)

    @pytest.mark.parametrize("before", ["key", "full"])
    def test_row_that_comes_back(self, source: CaptureSource, before: str) -> None:
        source.install(TableSpec("item", before="full" if before == "full" else "key"))
        add_trigger(
            source,
            "a_back",
            "AFTER DELETE ON TABLE FOR EACH STATEMENT",
            "INSERT INTO item VALUES (1, 'back'); RETURN NULL;",
        )
        source.execute("INSERT INTO item VALUES (1, 'a'), (2, 'b')")
        source.execute("DELETE FROM item")
        assert last_states(source) == real_rows(source) == {1: {"id": 1, "name": "back"}}

    @pytest.mark.parametrize("before", ["key", "full"])
    def test_key_that_is_put_back(self, source: CaptureSource, before: str) -> None:
        source.install(TableSpec("item", before="full" if before == "full" else "key"))
        add_trigger(
            source,
            "a_undo",
            "AFTER UPDATE OF id ON TABLE FOR EACH ROW",
            "IF pg_trigger_depth() = 1 THEN"
            " UPDATE item SET id = OLD.id WHERE id = NEW.id; END IF; RETURN NULL;",
        )
        source.execute("INSERT INTO item VALUES (1, 'a')")
        source.execute("UPDATE item SET id = 2")
        assert last_states(source) == real_rows(source) == {1: {"id": 1, "name": "a"}}

    def test_key_changed_by_a_before_trigger(self, source: CaptureSource) -> None:
        source.install("item")
        add_trigger(
            source,
            "renumber",
            "BEFORE UPDATE ON TABLE FOR EACH ROW",
            "NEW.id := NEW.id + 100; RETURN NEW;",
        )
        assert "BEFORE trigger" in source.status("item").reasons[0]
        source.install("item")
        source.execute("INSERT INTO item VALUES (1, 'a')", "UPDATE item SET name = 'b'")
        assert last_states(source) == real_rows(source) == {101: {"id": 101, "name": "b"}}

    def test_parent_comes_before_what_triggers_write(self, source: CaptureSource) -> None:
        source.execute("CREATE TABLE child (id integer PRIMARY KEY, item integer REFERENCES item)")
        add_trigger(
            source,
            "a_child",
            "AFTER INSERT ON TABLE FOR EACH ROW",
            "INSERT INTO child VALUES (NEW.id, NEW.id); RETURN NULL;",
        )
        source.install("item", "child")
        source.execute("INSERT INTO item VALUES (1, 'a')")
        assert source.changes() == [
            inserted({"id": 1, "name": "a"}),
            inserted({"id": 1, "item": 1}),
        ]

    def test_mark_of_nested_writes_ends_with_the_transaction(self, source: CaptureSource) -> None:
        source.install("item")
        add_trigger(
            source,
            "a_touch",
            "AFTER INSERT ON TABLE FOR EACH STATEMENT",
            "UPDATE item SET name = 'x'; RETURN NULL;",
        )
        with source.engine.connect() as connection:
            with connection.begin():
                run(connection, "INSERT INTO item VALUES (1, 'a')")
            with connection.begin():
                mark = connection.exec_driver_sql("SELECT current_setting('outbox.nested', true)")
                assert mark.scalar_one() == ""


class TestForeignKeys:
    """Cascades are captured: they are statements of their own."""

    def test_cascade(self, source: CaptureSource) -> None:
        source.execute(
            "CREATE TABLE child (id integer PRIMARY KEY,"
            " item integer REFERENCES item ON DELETE CASCADE ON UPDATE CASCADE)"
        )
        source.install("item", "child")
        source.execute("INSERT INTO item VALUES (1, 'a')", "INSERT INTO child VALUES (5, 1)")
        source.execute("UPDATE item SET id = 2")
        assert last_states(source, "child") == real_rows(source, "child")
        source.execute("DELETE FROM item")
        # PostgreSQL fires the triggers of what a cascade does after those of what caused it.
        assert source.changes() == [
            deleted({"id": 2, "name": "a"}),
            deleted({"id": 5, "item": 2}),
        ]

    @pytest.mark.parametrize("action", ["CASCADE", "SET NULL"])
    def test_self_reference(self, source: CaptureSource, action: str) -> None:
        source.execute(
            "CREATE TABLE node (id integer PRIMARY KEY, up integer REFERENCES node"
            f" ON UPDATE {action} ON DELETE {action})"
        )
        source.install("node")
        source.execute("INSERT INTO node VALUES (1, 1), (2, 1), (3, 2), (4, NULL)")
        source.execute("UPDATE node SET id = id + 10 WHERE id < 3")
        source.execute("DELETE FROM node WHERE id = 12")
        assert last_states(source, "node") == real_rows(source, "node")

    def test_statement_that_writes_to_parent_and_child(self, source: CaptureSource) -> None:
        source.execute(
            "CREATE TABLE child (id integer PRIMARY KEY, item integer REFERENCES item"
            " ON DELETE CASCADE, n integer)"
        )
        source.install("item", "child")
        source.execute("INSERT INTO item VALUES (1, 'a')", "INSERT INTO child VALUES (5, 1, 0)")
        source.execute(
            "WITH gone AS (DELETE FROM item WHERE id = 1) UPDATE child SET n = 1 WHERE id = 5"
        )
        assert real_rows(source, "child") == {}
        assert last_states(source, "child") == {}

    def test_key_swap(self, source: CaptureSource) -> None:
        source.execute(
            "ALTER TABLE item DROP CONSTRAINT item_pkey",
            "ALTER TABLE item ADD PRIMARY KEY (id) DEFERRABLE INITIALLY DEFERRED",
        )
        source.install("item")
        source.execute("INSERT INTO item VALUES (1, 'a'), (2, 'b')")
        source.execute("UPDATE item SET id = 3 - id")
        assert [change.op for change in source.changes()] == ["I", "I", "D", "D", "U", "U"]


class TestSessions:
    """No setting of an application's session changes what is logged, or breaks its writes."""

    SETTINGS = (
        "SET LOCAL TimeZone = 'Asia/Kathmandu'",
        "SET LOCAL DateStyle = 'German, DMY'",
        "SET LOCAL IntervalStyle = 'iso_8601'",
        "SET LOCAL bytea_output = 'escape'",
        "SET LOCAL extra_float_digits = -5",
        "SET LOCAL standard_conforming_strings = off",
        "SET LOCAL plpgsql.variable_conflict = 'use_column'",
    )

    @pytest.mark.parametrize("before", ["key", "full"])
    def test_settings(self, source: CaptureSource, before: str) -> None:
        source.execute(
            "CREATE TABLE typed (id integer PRIMARY KEY, at timestamptz, f float8, i interval,"
            " b bytea, r tstzrange, a timestamptz[], own_timezone date)"
        )
        spec = TableSpec("typed", before="full" if before == "full" else "key")
        source.install(spec)
        values = (
            "'2026-11-21 12:00:00.123456+00', 0.1::float8 + 0.2, '1 day 02:03:04.5', '\\xdead',"
            " tstzrange('2026-11-21 12:00+00', '2026-11-22 12:00+00'),"
            " ARRAY['2026-11-21 12:00+00'::timestamptz], '2026-11-21'"
        )
        source.execute(f"INSERT INTO typed VALUES (1, {values})")
        [plain] = source.changes()
        assert plain.after is not None
        assert plain.after["at"] == "2026-11-21T12:00:00.123456+00:00"
        assert plain.after["b"] == "\\xdead"
        with source.engine.connect() as connection:
            with connection.begin():
                run(connection, "CREATE TEMPORARY TABLE raw AS SELECT * FROM typed")
            with connection.begin():
                run(
                    connection,
                    *self.SETTINGS,
                    "INSERT INTO typed SELECT 2, at, f, i, b, r, a, own_timezone FROM raw",
                )
                shown = connection.exec_driver_sql(
                    "SELECT current_setting('TimeZone'), current_setting('DateStyle'),"
                    " current_setting('IntervalStyle'), current_setting('bytea_output'),"
                    " current_setting('extra_float_digits')"
                ).one()
            assert tuple(shown) == ("Asia/Kathmandu", "German, DMY", "iso_8601", "escape", "-5")
            assert connection.exec_driver_sql("SHOW TimeZone").scalar_one() == "UTC"
        [odd] = source.changes()
        assert odd.after == plain.after | {"id": 2}

    def test_setting_changed_for_the_session_survives(self, source: CaptureSource) -> None:
        source.execute("CREATE TABLE typed (id integer PRIMARY KEY, at timestamptz)")
        source.install("typed")
        with source.engine.connect() as connection:
            with connection.begin():
                run(
                    connection, "SET TimeZone = 'Asia/Tokyo'", "INSERT INTO typed VALUES (1, now())"
                )
            assert connection.exec_driver_sql("SHOW TimeZone").scalar_one() == "Asia/Tokyo"
            connection.rollback()
            with connection.begin():
                run(
                    connection, "INSERT INTO typed VALUES (2, now())", "SET TimeZone = 'Asia/Dubai'"
                )
            assert connection.exec_driver_sql("SHOW TimeZone").scalar_one() == "Asia/Dubai"

    @pytest.mark.parametrize("before", ["key", "full"])
    def test_search_path_cannot_slip_in_other_functions(
        self, source: CaptureSource, before: str
    ) -> None:
        source.install(TableSpec("item", before="full" if before == "full" else "key"))
        trap = "LANGUAGE plpgsql AS $$BEGIN RAISE 'trapped'; END$$"
        source.execute(
            "CREATE SCHEMA evil",
            f"CREATE FUNCTION evil.row_to_json(record) RETURNS json {trap}",
            f"CREATE FUNCTION evil.current_setting(text, boolean) RETURNS text {trap}",
            f"CREATE FUNCTION evil.pg_trigger_depth() RETURNS integer {trap}",
            f"CREATE FUNCTION evil.same(text, text) RETURNS boolean {trap}",
            f"CREATE FUNCTION evil.same(integer, integer) RETURNS boolean {trap}",
            "CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.same)",
            "CREATE OPERATOR evil.= (LEFTARG = integer, RIGHTARG = integer, FUNCTION = evil.same)",
            "CREATE TABLE evil.outbox_change (LIKE outbox.outbox_change)",
        )
        source.execute(
            "SET LOCAL search_path = evil, public, pg_catalog",
            "INSERT INTO item VALUES (1, 'a')",
            "UPDATE item SET id = 2",
            "UPDATE item SET name = 'b'",
            "DELETE FROM item",
            "SET LOCAL outbox.nested = 'on'",
            "INSERT INTO item VALUES (1, 'a')",
            "UPDATE item SET id = 2",
            "DELETE FROM item",
        )
        assert [change.op for change in source.changes()] == list("IDUUDIDUD")


def test_keys_of_types_from_other_schemas(source: CaptureSource) -> None:
    source.execute(
        "CREATE SCHEMA types",
        "CREATE EXTENSION citext SCHEMA types",
        "CREATE TYPE types.mood AS ENUM ('sad', 'glad')",
        "CREATE DOMAIN types.code AS varchar(9)",
        "CREATE TABLE odd (c types.citext, m types.mood, d types.code, u uuid, n numeric,"
        " note text, PRIMARY KEY (c, m, d, u, n))",
        "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN"
        " IF pg_trigger_depth() = 1 THEN UPDATE odd SET note = 'x'; END IF; RETURN NULL; END$$",
        "CREATE TRIGGER a_touch AFTER INSERT OR UPDATE ON odd"
        " FOR EACH STATEMENT EXECUTE FUNCTION touch()",
    )
    for spec in (TableSpec("odd"), TableSpec("odd", before="full")):
        source.install(spec)
        source.execute("INSERT INTO odd VALUES ('a', 'sad', 'z', gen_random_uuid(), 1.50, 'n')")
        source.execute("UPDATE odd SET c = 'A'")
        source.execute("UPDATE odd SET m = 'glad'")
        images = [change.after for change in source.changes() if change.after]
        assert images[-1]["c"] == "A"
        assert images[-1]["note"] == "x"
        source.execute("DELETE FROM odd")
        source.changes()


def test_reading_again_uses_the_key(source: CaptureSource) -> None:
    """A bulk statement first must not leave a plan behind that reads the whole table."""
    add_trigger(
        source,
        "a_touch",
        "AFTER INSERT ON TABLE FOR EACH STATEMENT",
        "UPDATE item SET name = 'x' WHERE id = 1; RETURN NULL;",
    )
    source.install("item")
    with source.engine.connect() as connection:
        with connection.begin():
            run(connection, "INSERT INTO item SELECT g, 'n' FROM generate_series(1, 20000) g")
        with connection.begin():
            run(connection, "ANALYZE item")
            before = connection.exec_driver_sql(
                "SELECT seq_tup_read FROM pg_stat_get_xact_tuples_returned('item'::regclass)"
                " AS t(seq_tup_read)"
            ).scalar_one()
            for n in range(20):
                run(connection, f"INSERT INTO item VALUES ({30000 + n}, 'n')")
            after = connection.exec_driver_sql(
                "SELECT seq_tup_read FROM pg_stat_get_xact_tuples_returned('item'::regclass)"
                " AS t(seq_tup_read)"
            ).scalar_one()
    assert after - before < 1000
