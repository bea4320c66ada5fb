"""Triggers are tried on scratch tables before they are put in place, on every engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
import sqlalchemy as sa

from replicator.cli import main
from tests.capture_source import CaptureSource, as_specs, capture_source, inserted
from tests.conftest import MakeDatabase
from tests.servers import DATABASE_KINDS, DatabaseKind
from tests.types.columns import SampleTable
from tests.types.samples import TABLES
from triggers.capture import State
from triggers.dialects import postgresql_function, postgresql_values
from triggers.dialects.mysql import MysqlDialect
from triggers.dialects.sqlite import SqliteDialect
from triggers.errors import CanaryFailed
from triggers.model import Column, TableSpec
from triggers.naming import generated_name

LEAST = "-9223372036854775808"
"""Has no absolute value: every engine's abs() fails."""

RELAXED = {"mysql": ("SET SESSION sql_mode = ''",), "mariadb": ("SET SESSION sql_mode = ''",)}


@pytest.fixture(params=DATABASE_KINDS)
def source(request: pytest.FixtureRequest, make_database: MakeDatabase) -> Iterator[CaptureSource]:
    with capture_source(make_database(request.param)) as source:
        source.execute(
            "CREATE TABLE item (id integer NOT NULL PRIMARY KEY, name varchar(40), n bigint)"
        )
        yield source


def break_triggers(monkeypatch: pytest.MonkeyPatch, expression: str) -> None:
    """Make triggers capture the column `n` as something else."""
    of_postgresql = postgresql_values.expression
    of_mysql = MysqlDialect._value
    of_sqlite = SqliteDialect.image

    def postgresql(column: Column, value: str) -> str:
        broken = column.name == "n"
        return expression.format(value) if broken else of_postgresql(column, value)

    def mysql(dialect: MysqlDialect, row: str, column: Column) -> str:
        value = of_mysql(dialect, row, column)
        return expression.format(value) if column.name == "n" else value

    def sqlite(dialect: SqliteDialect, row: str, columns: Sequence[Column]) -> str:
        value = f'{row}."n"'
        return of_sqlite(dialect, row, columns).replace(value, expression.format(value))

    monkeypatch.setattr(postgresql_function, "expression", postgresql)
    monkeypatch.setattr(MysqlDialect, "_value", mysql)
    monkeypatch.setattr(SqliteDialect, "image", sqlite)


def objects(source: CaptureSource) -> set[str]:
    """Return the names of everything in the database that capture might have made."""
    match source.kind:
        case "postgresql":
            query = (
                "SELECT relname FROM pg_class WHERE relkind IN ('r', 'S')"
                " AND relnamespace IN ('public'::regnamespace, to_regnamespace('outbox'))"
                " UNION SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
                " UNION SELECT proname FROM pg_proc WHERE pronamespace = to_regnamespace('outbox')"
            )
        case "sqlite":
            query = "SELECT name FROM sqlite_master WHERE type IN ('table', 'trigger')"
        case _:
            query = (
                "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"
                " UNION SELECT trigger_name FROM information_schema.triggers"
                " WHERE trigger_schema = DATABASE()"
            )
    with source.engine.connect() as connection:
        return set(connection.execute(sa.text(query)).scalars())


def ids(source: CaptureSource) -> list[int]:
    """Return the ids of all logged changes."""
    with source.engine.connect() as connection:
        return list(connection.execute(sa.select(source.capture.outbox.change.c.id)).scalars())


def test_leaves_nothing_behind(source: CaptureSource) -> None:
    source.capture.install(as_specs(["item"]), prove=False)
    expected = objects(source)
    source.capture.uninstall(purge=True)
    source.execute("INSERT INTO item VALUES (1, 'a', 5), (2, NULL, NULL)")

    assert source.install("item", prove=True)[0].unproven == ""

    assert objects(source) == expected
    assert ids(source) == []
    source.execute("INSERT INTO item VALUES (3, 'c', 7)")
    assert ids(source) == [1]  # no id was taken: sealing finds no gap
    assert source.changes() == [inserted({"id": 3, "name": "c", "n": 7})]


def test_a_value_at_a_limit_that_triggers_fail_for(
    source: CaptureSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.execute("CREATE TABLE other (id integer NOT NULL PRIMARY KEY)")
    break_triggers(monkeypatch, "abs({})")

    with pytest.raises(
        CanaryFailed, match=r"by column n \(bigint.*out of range|overflow"
    ) as failed:
        source.install("other", "item", prove=True)

    assert source.name("item") in failed.value.message
    assert source.states("other", "item") == [State.MISSING, State.MISSING]
    assert not any("canary" in name for name in objects(source))
    source.execute(f"INSERT INTO item VALUES (1, 'a', {LEAST})")
    assert source.changes() == []


def test_a_row_of_the_table_that_triggers_fail_for(
    source: CaptureSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_triggers(monkeypatch, f"abs(CASE WHEN {{}} = 77 THEN {LEAST} ELSE 0 END)")
    source.execute("INSERT INTO item VALUES (1, 'a', 76)")
    assert source.install("item", prove=True)[0].state is State.MISSING
    source.capture.uninstall()
    source.execute("INSERT INTO item VALUES (2, 'a', 77)")

    with pytest.raises(CanaryFailed, match=r"by column n \(bigint"):
        source.install("item", prove=True)

    assert source.states("item") == [State.MISSING]


def test_triggers_that_work_stay_when_new_ones_would_not(
    source: CaptureSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.install("item", prove=True)
    with monkeypatch.context() as patch:
        break_triggers(patch, "abs({})")
        with pytest.raises(CanaryFailed):
            source.install(TableSpec("item", before="full"), prove=True)

    assert source.states("item") == [State.INSTALLED]
    source.execute(f"INSERT INTO item VALUES (1, 'a', {LEAST})")
    assert source.changes() == [inserted({"id": 1, "name": "a", "n": int(LEAST)})]


@pytest.mark.parametrize("kind", ["mariadb", "mysql"])
def test_a_table_of_which_no_scratch_table_can_be_made(
    make_database: MakeDatabase, kind: DatabaseKind
) -> None:
    with capture_source(make_database(kind)) as source:
        source.execute(  # no other column fits into a row of this
            "CREATE TABLE wide (id integer NOT NULL PRIMARY KEY, a varchar(65500), b varchar(20))"
            " CHARACTER SET latin1"
        )
        [status] = source.install("wide", prove=True)
        assert "no scratch table could be made: " in status.unproven
        assert "Row size too large" in status.unproven
        assert source.states("wide") == [State.INSTALLED]
        source.execute("INSERT INTO wide VALUES (1, 'a', 'b')")
        assert source.changes() == [inserted({"id": 1, "a": "a", "b": "b"})]


@pytest.mark.parametrize("kind", ["mariadb", "mysql"])
def test_what_a_crash_left_is_dropped(make_database: MakeDatabase, kind: DatabaseKind) -> None:
    with capture_source(make_database(kind)) as source:
        source.execute("CREATE TABLE item (id integer NOT NULL PRIMARY KEY)")
        name = generated_name("item", "canary")
        source.execute(
            f"CREATE TABLE {name} (id integer)", "CREATE TABLE outbox_canary_own (id integer)"
        )
        source.install("item", prove=True)
        assert {n for n in objects(source) if "canary" in n} == {"outbox_canary_own"}


def test_the_command_ends_with_the_message(
    source: CaptureSource,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("shop") / "replicator.toml"
    path.write_text(
        f"""
        [sources.shop]
        url = "{source.database.url}"
        [targets.backup]
        type = "backup"
        path = "backup"
        [[routes]]
        name = "items"
        source = "shop"
        tables = ["item"]
        targets = ["backup"]
        """
    )
    break_triggers(monkeypatch, "abs({})")

    def output(*arguments: str, code: int) -> str:
        monkeypatch.setattr("sys.argv", ["replicator", *arguments, "--config", str(path)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == code
        captured = capsys.readouterr()
        return captured.out + captured.err

    assert "canary" not in output("triggers", "install", "--sql", code=0)
    failed = " ".join(output("triggers", "install", code=1).split())
    assert "by column n (bigint" in failed
    assert source.states("item") == [State.MISSING]
    assert "installed" in output("triggers", "install", "--no-canary", code=0)


def rows_of_extremes(table: SampleTable) -> list[str]:
    """Return INSERT statements that hold every extreme value of every column."""
    longest = max(len(column.extremes) for column in table.columns)
    return [
        table.insert(
            number,
            {c.name: c.extremes[number] for c in table.columns if number < len(c.extremes)},
        )
        for number in range(longest)
    ]


@pytest.mark.parametrize("before", ["key", "full"])
@pytest.mark.parametrize("kind", DATABASE_KINDS)
def test_every_type(make_database: MakeDatabase, kind: DatabaseKind, before: str) -> None:
    with capture_source(make_database(kind)) as source:
        for table in TABLES[kind]:
            source.execute(*table.create)
            source.execute(*RELAXED.get(kind, ()), *rows_of_extremes(table))
            wanted = TableSpec(table.name, before="full" if before == "full" else "key")

            assert source.install(wanted, prove=True)[0].unproven == ""

            assert source.states(wanted)[0] is State.INSTALLED
        assert ids(source) == []
        assert not any("canary" in name for name in objects(source))
