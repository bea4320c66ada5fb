"""What a SQL target makes of changes: the same in every engine, row by row and in bulk."""

from __future__ import annotations

import pytest

from tests.conformance.sql_target import (
    FILLER_DDL,
    ID,
    ITEM,
    ITEM_DDL,
    LEAF,
    NODE,
    SECRET,
    Numbers,
    TargetDatabase,
)
from tests.conftest import MakeDatabase
from tests.servers import DATABASE_KINDS
from triggers.model import Column, Kind, Table


@pytest.fixture(params=["strict", "bulk"])
def path(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(params=DATABASE_KINDS)
def database(
    request: pytest.FixtureRequest, make_database: MakeDatabase, path: str
) -> TargetDatabase:
    made = TargetDatabase(make_database(request.param), bulk=path == "bulk")
    made.execute(FILLER_DDL)
    return made


def tree(database: TargetDatabase, *actions: str) -> None:
    """node <- leaf, and node <- node, with the given actions."""
    for name in ("node", "leaf"):
        database.execute(
            f"CREATE TABLE {name} (id bigint NOT NULL PRIMARY KEY, parent bigint, "
            f"FOREIGN KEY (parent) REFERENCES node (id) {' '.join(actions)})"
        )


def test_the_last_state_of_each_key_is_there(database: TargetDatabase) -> None:
    database.execute(ITEM_DDL, "INSERT INTO item VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    n = Numbers()
    outcome = database.deliver(
        [ITEM],
        [
            n.change(ITEM, "U", id=1, code="a1"),
            n.change(ITEM, "D", id=2, code="b"),
            n.change(ITEM, "I", id=4, code="d"),
            n.change(ITEM, "U", id=4, code="d1"),
            n.change(ITEM, "I", id=5, code="e"),
            n.change(ITEM, "D", id=5, code="e"),
            n.change(ITEM, "D", id=3, code="c"),
            n.change(ITEM, "I", id=3, code="c1"),
            n.change(ITEM, "U", id=1, code="a2"),
            n.change(ITEM, "U", id=6, code="unknown"),
            n.change(ITEM, "D", id=7, code="unknown"),
        ],
    )
    assert outcome.parked == 0
    expected = [(1, "a2"), (3, "c1"), (4, "d1"), (6, "unknown")]
    assert database.rows("SELECT * FROM item ORDER BY id") == expected


def test_an_insertion_that_is_there_already_overwrites(database: TargetDatabase) -> None:
    database.execute(ITEM_DDL, "INSERT INTO item VALUES (2, 'old')")
    n = Numbers()
    database.deliver([ITEM], [n.change(ITEM, "I", id=k, code=f"new{k}") for k in (1, 2, 3)])
    assert database.rows("SELECT * FROM item ORDER BY id") == [
        (1, "new1"),
        (2, "new2"),
        (3, "new3"),
    ]
    assert database.parked == []


def test_truncate_is_a_barrier(database: TargetDatabase) -> None:
    tree(database)
    database.execute(
        "INSERT INTO node VALUES (1, NULL), (2, NULL)", "INSERT INTO leaf VALUES (1, 1)"
    )
    n = Numbers()
    database.deliver(
        [NODE, LEAF],
        [
            n.change(NODE, "I", id=3, parent=1),
            n.change(LEAF, "I", id=2, parent=3),
            n.change(NODE, "T"),
            n.change(LEAF, "T"),
            n.change(NODE, "I", id=4, parent=None),
            n.change(LEAF, "I", id=1, parent=4),
        ],
    )
    assert database.rows("SELECT * FROM node") == [(4, None)]
    assert database.rows("SELECT * FROM leaf") == [(1, 4)]
    assert database.parked == []


def test_a_key_change_moves_the_row(database: TargetDatabase) -> None:
    database.execute(ITEM_DDL, "INSERT INTO item VALUES (1, 'a'), (2, 'b')")
    n = Numbers()
    database.deliver(
        [ITEM],
        [
            n.change(ITEM, "D", id=1, code="a"),
            n.change(ITEM, "D", id=2, code="b"),
            n.change(ITEM, "U", id=2, code="a"),
            n.change(ITEM, "U", id=3, code="b"),
        ],
    )
    assert database.rows("SELECT * FROM item ORDER BY id") == [(2, "a"), (3, "b")]


def test_a_key_change_that_differs_only_in_case(database: TargetDatabase) -> None:
    table = Table("t", (Column("k", Kind.TEXT, "text"), Column("n", Kind.INTEGER, "int")), ("k",))
    database.execute(
        "CREATE TABLE t (k varchar(20) NOT NULL PRIMARY KEY, n int)",
        "CREATE TABLE r (k varchar(20), FOREIGN KEY (k) REFERENCES t (k))",
        "INSERT INTO t VALUES ('a', 1)",
    )
    n = Numbers()
    database.deliver([table], [n.change(table, "D", k="a", n=1), n.change(table, "U", k="A", n=2)])
    assert database.rows("SELECT * FROM t") == [("A", 2)]


def test_rows_exchange_unique_values(database: TargetDatabase) -> None:
    database.execute(ITEM_DDL, "INSERT INTO item VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    n = Numbers()
    outcome = database.deliver(
        [ITEM],
        [
            n.change(ITEM, "U", id=1, code="b"),
            n.change(ITEM, "U", id=2, code="c"),
            n.change(ITEM, "U", id=3, code="a"),
        ],
    )
    assert outcome.parked == 0
    assert database.rows("SELECT * FROM item ORDER BY id") == [(1, "b"), (2, "c"), (3, "a")]


def test_rows_that_take_others_along_are_not_exchanged(database: TargetDatabase) -> None:
    database.execute(
        ITEM_DDL,
        "CREATE TABLE detail (id bigint NOT NULL PRIMARY KEY, item bigint, "
        "FOREIGN KEY (item) REFERENCES item (id) ON DELETE CASCADE)",
        "INSERT INTO item VALUES (1, 'a'), (2, 'b')",
        "INSERT INTO detail VALUES (1, 1)",
    )
    n = Numbers()
    swap = [n.change(ITEM, "U", id=1, code="b"), n.change(ITEM, "U", id=2, code="a")]
    database.deliver([ITEM], swap)
    assert [parked.change.id for parked in database.parked] == [1, 2]
    assert database.rows("SELECT * FROM item ORDER BY id") == [(1, "a"), (2, "b")]
    assert database.rows("SELECT count(*) FROM detail") == [(1,)]


def test_another_unique_index_is_never_what_an_upsert_matches(database: TargetDatabase) -> None:
    database.execute(ITEM_DDL, "INSERT INTO item VALUES (1, 'a')")
    n = Numbers()
    database.deliver(
        [ITEM], [n.change(ITEM, "I", id=2, code="a"), n.change(ITEM, "I", id=3, code="c")]
    )
    assert [parked.change.row["id"] for parked in database.parked] == [2]
    assert database.rows("SELECT * FROM item ORDER BY id") == [(1, "a"), (3, "c")]


def test_children_may_come_before_parents(database: TargetDatabase) -> None:
    tree(database)
    n = Numbers()
    database.deliver(
        [LEAF, NODE],
        [
            n.change(LEAF, "I", id=1, parent=12),
            n.change(NODE, "I", id=12, parent=11),
            n.change(NODE, "I", id=11, parent=10),
            n.change(NODE, "I", id=10, parent=None),
        ],
    )
    assert database.parked == []
    assert database.rows("SELECT * FROM node ORDER BY id") == [(10, None), (11, 10), (12, 11)]
    assert database.rows("SELECT * FROM leaf") == [(1, 12)]
    n = Numbers()
    database.deliver(
        [NODE, LEAF],
        [
            n.change(NODE, "D", id=10, parent=None),
            n.change(NODE, "D", id=11, parent=10),
            n.change(NODE, "D", id=12, parent=11),
            n.change(LEAF, "D", id=1, parent=12),
        ],
    )
    assert database.parked == []
    assert database.rows("SELECT count(*) FROM node") == [(0,)]


@pytest.mark.parametrize("actions", [[], ["ON DELETE CASCADE"], ["ON DELETE SET NULL"]])
def test_a_row_that_moved_to_another_parent_survives_the_old_one(
    database: TargetDatabase, actions: list[str]
) -> None:
    tree(database, *actions)
    database.execute(
        "INSERT INTO node VALUES (1, NULL), (2, NULL)",
        "INSERT INTO node VALUES (3, 1)",
        "INSERT INTO leaf VALUES (1, 3), (2, 1)",
    )
    n = Numbers()
    database.deliver(
        [NODE, LEAF],
        [
            n.change(NODE, "U", id=3, parent=2),
            n.change(LEAF, "D", id=2, parent=1),
            n.change(NODE, "D", id=1, parent=None),
        ],
    )
    assert database.parked == []
    assert database.rows("SELECT * FROM node ORDER BY id") == [(2, None), (3, 2)]
    assert database.rows("SELECT * FROM leaf ORDER BY id") == [(1, 3)]


def test_a_key_change_of_a_parent_takes_nothing_along(database: TargetDatabase) -> None:
    """The source's cascade comes as changes of the children; their own children stay."""
    tree(database, "ON DELETE CASCADE")
    database.execute(
        "INSERT INTO node VALUES (1, NULL)",
        "INSERT INTO node VALUES (2, 1)",
        "INSERT INTO leaf VALUES (1, 2)",
    )
    n = Numbers()
    database.deliver(
        [NODE, LEAF],
        [
            n.change(NODE, "D", id=1, parent=None),
            n.change(NODE, "U", id=9, parent=None),
            n.change(NODE, "U", id=2, parent=9),
        ],
    )
    assert database.rows("SELECT * FROM node ORDER BY id") == [(2, 9), (9, None)]
    assert database.rows("SELECT * FROM leaf") == [(1, 2)]


def test_a_row_that_comes_back_has_lost_what_referred_to_it(database: TargetDatabase) -> None:
    """InnoDB's cascades reach no trigger: only the deletion itself tells of them."""
    tree(database, "ON DELETE CASCADE")
    database.execute("INSERT INTO node VALUES (1, NULL)", "INSERT INTO leaf VALUES (1, 1)")
    n = Numbers()
    back = [n.change(NODE, "D", id=1, parent=None), n.change(NODE, "I", id=1, parent=None)]
    database.deliver([NODE, LEAF], back)
    assert database.rows("SELECT * FROM node") == [(1, None)]
    assert database.rows("SELECT * FROM leaf") == []


def test_cascaded_deletions_arrive_after_their_cause(database: TargetDatabase) -> None:
    tree(database, "ON DELETE CASCADE")
    database.execute("INSERT INTO node VALUES (1, NULL)", "INSERT INTO leaf VALUES (1, 1)")
    n = Numbers()
    database.deliver(
        [NODE, LEAF],
        [n.change(NODE, "D", id=1, parent=None), n.change(LEAF, "D", id=1, parent=1)],
    )
    assert database.parked == []
    assert database.rows("SELECT count(*) FROM leaf") == [(0,)]


def test_a_refused_row_parks_and_the_others_arrive(database: TargetDatabase) -> None:
    database.execute(ITEM_DDL)
    n = Numbers()
    long = SECRET + "-and-more"
    changes = [
        n.change(ITEM, "I", id=1, code="a"),
        n.change(ITEM, "I", id=2, code=long),
        n.change(ITEM, "I", id=3, code=None),
        n.change(ITEM, "I", id=4, code=SECRET[:8]),
        n.change(ITEM, "I", id=5, code=SECRET[:8]),
    ]
    if database.database.kind == "sqlite":  # which knows no lengths
        changes[1] = n.change(ITEM, "I", id=2, code=None)
    database.deliver([ITEM], changes)
    assert [parked.change.row["id"] for parked in database.parked] in ([2, 3, 5], [3, 5, 2])
    for parked in database.parked:
        assert SECRET[:8] not in parked.error
    assert database.rows("SELECT * FROM item ORDER BY id") == [(1, "a"), (4, SECRET[:8])]


def test_few_refused_rows_among_many(
    database: TargetDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    database.execute(ITEM_DDL, "INSERT INTO item VALUES (0, 'x')")
    n = Numbers()
    bad = {1, 2, 700, 1500}
    changes = [n.change(ITEM, "I", id=k, code="x" if k in bad else f"c{k}") for k in range(1, 1501)]
    outcome = database.deliver([ITEM], changes)
    assert {parked.change.row["id"] for parked in database.parked} == bad
    assert outcome.written == len(database.padded(changes)) - len(bad)
    assert database.rows("SELECT count(*) FROM item") == [(1501 - len(bad),)]
    assert [record for record in caplog.records if record.name == "psycopg"] == []


def test_a_refused_row_may_pass_when_it_is_corrected(database: TargetDatabase) -> None:
    database.execute(ITEM_DDL)
    n = Numbers()
    database.deliver(
        [ITEM],
        [
            n.change(ITEM, "I", id=1, code=None),
            n.change(ITEM, "U", id=1, code="a"),
            n.change(ITEM, "I", id=2, code=None),
        ],
    )
    assert [parked.change.id for parked in database.parked] == [3]
    assert database.rows("SELECT * FROM item ORDER BY id") == [(1, "a")]


def test_composite_keys_and_keys_alone(database: TargetDatabase) -> None:
    place = Column("place", Kind.TEXT, "varchar(20)", nullable=False, length=20)
    pair = Table("pair", (ID, place, Column("n", Kind.INTEGER, "int")), ("place", "id"))
    alone = Table("alone", (ID, place), ("id", "place"))
    columns = "(id bigint NOT NULL, place varchar(20) NOT NULL"
    database.execute(
        f"CREATE TABLE pair {columns}, n int, PRIMARY KEY (id, place))",
        f"CREATE TABLE alone {columns}, PRIMARY KEY (place, id))",
        "INSERT INTO pair VALUES (1, 'a', 1), (1, 'b', 1), (2, 'a', 1)",
        "INSERT INTO alone VALUES (1, 'a'), (1, 'b')",
    )
    n = Numbers()
    database.deliver(
        [pair, alone],
        [
            n.change(pair, "D", id=1, place="a", n=1),
            n.change(pair, "U", id=2, place="a", n=5),
            n.change(pair, "I", id=2, place="b", n=6),
            n.change(alone, "U", id=1, place="a"),
            n.change(alone, "D", id=1, place="b"),
            n.change(alone, "I", id=2, place="b"),
        ],
    )
    assert database.parked == []
    assert database.rows("SELECT * FROM pair ORDER BY id, place") == [
        (1, "b", 1),
        (2, "a", 5),
        (2, "b", 6),
    ]
    assert database.rows("SELECT * FROM alone ORDER BY id") == [(1, "a"), (2, "b")]


def test_images_from_before_a_column_was_added(database: TargetDatabase) -> None:
    table = Table("t", (ID, *(Column(c, Kind.INTEGER, "int") for c in "ab")), ("id",))
    database.execute(
        "CREATE TABLE t (id bigint NOT NULL PRIMARY KEY, a int, b int NOT NULL, own int)",
        "INSERT INTO t VALUES (1, 1, 1, 1), (2, 2, 2, 2)",
    )
    n = Numbers()
    database.deliver(
        [table],
        [
            n.change(table, "U", id=1, a=10),
            n.change(table, "U", id=2, a=20),
            n.change(table, "U", id=2, a=21, b=22),
            n.change(table, "I", id=3, a=30, b=30),
            n.change(table, "I", id=4, a=40),
        ],
    )
    assert database.rows("SELECT * FROM t ORDER BY id") == [
        (1, 10, 1, 1),
        (2, 21, 22, 2),
        (3, 30, 30, None),
    ]
    assert [parked.change.id for parked in database.parked] == [5]


@pytest.mark.parametrize(
    "name",
    ["select", "MixedCase", "x" * 60, "заказы_注文", 'per % cent "quoted" `ticks` it\'s', "a b:c"],
)
def test_names(database: TargetDatabase, name: str) -> None:
    table = Table(
        "s.t", (Column(name, Kind.INTEGER, "int"), Column("Ä b", Kind.TEXT, "text")), (name,)
    )
    q = database.quote
    columns = f"{q(name)} int NOT NULL PRIMARY KEY, {q('Ä b')} varchar(9) UNIQUE"
    database.execute(f"CREATE TABLE {q(name)} ({columns})")
    n = Numbers()
    rows = [n.of(table, "I", {name: k, "Ä b": f"ä{k}"}) for k in range(3)]
    rows += [n.of(table, "U", {name: 0, "Ä b": "%s"}), n.of(table, "D", {name: 1, "Ä b": "ä1"})]
    database.deliver([table], rows, {"s.t": name})
    assert database.parked == []
    found = database.rows(f"SELECT * FROM {q(name)} ORDER BY 1")
    assert found == [(0, "%s"), (2, "ä2")]


def test_columns_match_in_another_case(database: TargetDatabase) -> None:
    database.execute("CREATE TABLE item (ID bigint NOT NULL PRIMARY KEY, Code varchar(9))")
    n = Numbers()
    table = Table(
        "item", (Column("Id", Kind.INTEGER, "int"), Column("CODE", Kind.TEXT, "text")), ("Id",)
    )
    database.deliver([table], [n.change(table, "I", Id=1, CODE="a")])
    assert database.rows("SELECT * FROM item") == [(1, "a")]


def test_generated_columns_are_left_to_the_target(database: TargetDatabase) -> None:
    database.execute(
        "CREATE TABLE item (id bigint NOT NULL PRIMARY KEY, code varchar(9), "
        "twice bigint GENERATED ALWAYS AS (id * 2) STORED)"
    )
    twice = Column("twice", Kind.INTEGER, "bigint", generated=True)
    extra = Column("extra", Kind.INTEGER, "bigint", generated=True)
    table = Table("item", (*ITEM.columns, twice, extra), ("id",))
    n = Numbers()
    database.deliver([table], [n.change(table, "I", id=4, code="a", twice=7, extra=1)])
    assert database.rows("SELECT * FROM item") == [(4, "a", 8)]
