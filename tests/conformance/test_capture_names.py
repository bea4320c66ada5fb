"""Every name that an engine accepts for a table or a column can be captured."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.capture_source import CaptureSource, capture_source, deleted, inserted, updated
from tests.conftest import MakeDatabase
from tests.servers import DATABASE_KINDS
from triggers.capture import State
from triggers.errors import TableRefused
from triggers.model import TableSpec

NAMES = (
    "MixedCase",
    "order",
    "select",
    "before",
    "after",
    "op",
    "new_rows",
    "own_timezone",
    "old",
    "new",
    *"corsw",  # aliases inside the triggers
    "x" * 60,
    "naïve_表_Ключ",
    'quo"te',
    "it's",
    "back`tick",
    "back\\slash",
    "per%cent %s %(a)s",
    "with blank",
    "do.t",
    "${dollar} $1 :colon",
    "semi;colon--",
)


@pytest.fixture(params=DATABASE_KINDS)
def source(request: pytest.FixtureRequest, make_database: MakeDatabase) -> Iterator[CaptureSource]:
    with capture_source(make_database(request.param)) as source:
        yield source


def spelled(source: CaptureSource, table: str) -> str:
    """Spell a table's name as the configuration has to."""
    if source.kind == "postgresql" and any(sign in table for sign in '."'):
        return source.quote(table)
    return table


def test_names(source: CaptureSource) -> None:
    for name in NAMES:
        table = source.quote(name)
        source.execute(f"CREATE TABLE {table} (id integer NOT NULL PRIMARY KEY, {table} integer)")
    specs = [spelled(source, name) for name in NAMES]
    source.install(*specs)
    assert source.states(*specs) == [State.INSTALLED] * len(NAMES)
    for name, spec in zip(NAMES, specs, strict=True):
        table = source.quote(name)
        source.execute(
            f"INSERT INTO {table} VALUES (1, 2)",
            f"UPDATE {table} SET {table} = 3",
            f"UPDATE {table} SET id = 2",
            f"DELETE FROM {table}",
        )
        assert source.changes(spec) == [
            inserted({"id": 1, name: 2}),
            updated({"id": 1, name: 3}),
            deleted({"id": 1, name: 3}),
            updated({"id": 2, name: 3}),
            deleted({"id": 2, name: 3}),
        ], name
    assert sorted(source.capture.uninstall()) == sorted(source.name(spec) for spec in specs)
    assert set(source.states(*specs)) == {State.MISSING}


def test_names_of_key_columns_and_options(source: CaptureSource) -> None:
    columns = ", ".join(f"{source.quote(name)} integer NOT NULL" for name in NAMES)
    key = ", ".join(source.quote(name) for name in NAMES[::2])
    source.execute(f"CREATE TABLE t ({columns}, PRIMARY KEY ({key}))")
    source.install(TableSpec("t", before="full", exclude=(NAMES[1],), origin="record"))
    values = ", ".join(str(n) for n in range(len(NAMES)))
    image = {name: n for n, name in enumerate(NAMES) if n != 1}
    source.execute(f"INSERT INTO t VALUES ({values})")
    source.execute(f"UPDATE t SET {source.quote(NAMES[3])} = 30")
    source.execute(f"UPDATE t SET {source.quote(NAMES[4])} = 40")
    third = image | {NAMES[3]: 30}
    assert source.changes("t") == [
        inserted(image),
        updated(third, image),
        deleted(third),
        updated(third | {NAMES[4]: 40}),
    ]


def test_long_names_that_differ_in_the_last_character(source: CaptureSource) -> None:
    first, second = "n" * 59 + "a", "n" * 59 + "b"
    for name in (first, second):
        source.execute(f"CREATE TABLE {name} (id integer NOT NULL PRIMARY KEY)")
    source.install(first, second)
    source.execute(f"INSERT INTO {first} VALUES (1)", f"INSERT INTO {second} VALUES (2)")
    assert source.changes(first) == [inserted({"id": 1})]
    source.execute(f"INSERT INTO {second} VALUES (3)")
    assert source.changes(second) == [inserted({"id": 3})]


class TestKeys:
    """Which tables are taken, and by which key."""

    def test_no_primary_key_is_refused(self, source: CaptureSource) -> None:
        source.execute(
            "CREATE TABLE bare (id integer NOT NULL, code varchar(9) NOT NULL)",
            "CREATE UNIQUE INDEX bare_code ON bare (code)",
        )
        with pytest.raises(TableRefused, match=r"no primary key[^\n]*\n[^\n]*'code'"):
            source.install("bare")
        assert source.states("bare") == [State.MISSING]

    @pytest.mark.parametrize("key", ["two_key", ("a", "b")])
    def test_named_unique_key(self, source: CaptureSource, key: str | tuple[str, ...]) -> None:
        source.execute(
            "CREATE TABLE two (a integer NOT NULL, b integer NOT NULL, n integer)",
            "CREATE UNIQUE INDEX two_key ON two (a, b)",
        )
        source.install(TableSpec("two", key=key))
        source.execute("INSERT INTO two VALUES (1, 2, 3)", "UPDATE two SET b = 4")
        assert source.changes("two")[1:] == [
            deleted({"a": 1, "b": 2, "n": 3}),
            updated({"a": 1, "b": 4, "n": 3}),
        ]

    @pytest.mark.parametrize("key", ["loose_key", "a"])
    def test_nullable_unique_key_is_refused(self, source: CaptureSource, key: str) -> None:
        source.execute(
            "CREATE TABLE loose (id integer NOT NULL PRIMARY KEY, a integer)",
            "CREATE UNIQUE INDEX loose_key ON loose (a)",
        )
        with pytest.raises(TableRefused, match="may be NULL"):
            source.install(TableSpec("loose", key=key))

    def test_refusals_say_what_there_is(self, source: CaptureSource) -> None:
        source.execute(
            "CREATE TABLE t (id integer NOT NULL PRIMARY KEY, card integer)",
            "CREATE VIEW seen AS SELECT * FROM t",
        )
        for spec, message in (
            (TableSpec("gone"), "does not exist"),
            (TableSpec("seen"), "not a table"),
            (TableSpec("t", key="nokey"), "no unique key 'nokey'"),
            (TableSpec("t", exclude=("car",)), r"no column 'car'(.|\n)*did you mean 'card'"),
            (TableSpec("t", exclude=("id",)), "belongs to the key"),
        ):
            with pytest.raises(TableRefused, match=message):
                source.install(spec)

    def test_one_refused_table_leaves_everything_unchanged(self, source: CaptureSource) -> None:
        source.execute("CREATE TABLE t (id integer NOT NULL PRIMARY KEY)")
        with pytest.raises(TableRefused, match="gone"):
            source.install("t", "gone")
        with pytest.raises(TableRefused, match="gone"):
            source.capture.install_statements([TableSpec("t"), TableSpec("gone")])
        status = source.status("t")
        assert status.state is State.MISSING
        assert status.reasons == ("the outbox tables are not installed",)
