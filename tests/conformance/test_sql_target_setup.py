"""What a SQL target asks for before it writes, the tables it can make, and the values it keeps."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from replicator.errors import DeliveryStopped, ReplicatorError, TargetUnavailable
from replicator.targets.sql import SqlTarget, create_statements, missing_tables, problems
from tests.blocks import block
from tests.conformance.sql_target import (
    DELIVERY,
    FILLER,
    FILLER_DDL,
    ID,
    ITEM,
    SECRET,
    Numbers,
    TargetDatabase,
)
from tests.conftest import MakeDatabase
from tests.servers import DATABASE_KINDS
from triggers.model import Column, ForeignKey, Kind, Table

CUSTOMER = Table(
    "shop.customer",
    (ID, Column("boss", Kind.INTEGER, "bigint", precision=8)),
    ("id",),
    (ForeignKey(("boss",), "shop.customer", ("id",), on_delete="SET NULL"),),
)
ORDER = Table(
    "shop.order",
    (ID, Column("customer", Kind.INTEGER, "bigint", precision=8)),
    ("id",),
    (ForeignKey(("customer",), "shop.customer", ("id",), on_delete="CASCADE"),),
)
CHICKEN = Table(
    "shop.chicken",
    (ID, Column("egg", Kind.INTEGER, "bigint", precision=8)),
    ("id",),
    (ForeignKey(("egg",), "shop.egg", ("id",)),),
)
EGG = Table(
    "shop.egg",
    (ID, Column("chicken", Kind.INTEGER, "bigint", precision=8)),
    ("id",),
    (ForeignKey(("chicken",), "shop.chicken", ("id",)),),
)


@pytest.fixture(params=DATABASE_KINDS)
def database(request: pytest.FixtureRequest, make_database: MakeDatabase) -> TargetDatabase:
    made = TargetDatabase(make_database(request.param), bulk=False)
    made.execute(FILLER_DDL)
    return made


def stopped(database: TargetDatabase, table: Table) -> DeliveryStopped:
    target = database.target()
    with pytest.raises(DeliveryStopped) as caught:
        target.open({table.name: table})
    target.close()
    return caught.value


def mend(database: TargetDatabase, table: Table) -> None:
    """Execute what the error says, until nothing is left to mend."""
    (problem,) = problems([table], {}, make_url(database.database.url))
    error = stopped(database, table)
    assert (problem.message, problem.mend) == (error.message, error.hint)
    database.execute(error.hint)
    assert problems([table], {}, make_url(database.database.url)) == []
    n = Numbers()
    database.deliver([table], [n.change(table, "I", id=1, code="a")])
    assert database.parked == []


def quoted(database: TargetDatabase, table: str) -> str:
    """The table's name as statements that mend it say it."""
    q = database.quote
    match database.database.kind:
        case "postgresql":
            return "public." + table
        case "sqlite":
            return q(table)
        case _:
            return f"{q(database.database.name)}.{q(table)}"


def test_a_missing_table(database: TargetDatabase) -> None:
    error = stopped(database, ITEM)
    q = database.quote
    options = {
        "mysql": " ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        "mariadb": " ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    }
    types = {"sqlite": ("INTEGER", "TEXT")}
    number, text = types.get(database.database.kind, ("bigint", "varchar(40)"))
    assert error.message == "table item is missing in the target"
    assert error.hint == (
        f"CREATE TABLE {q('item')} (\n    {q('id')} {number} NOT NULL,\n    {q('code')} {text},\n"
        f"    PRIMARY KEY ({q('id')})\n){options.get(database.database.kind, '')};"
    )
    mend(database, ITEM)


def test_a_missing_column(database: TargetDatabase) -> None:
    database.execute("CREATE TABLE item (id bigint NOT NULL PRIMARY KEY)")
    error = stopped(database, ITEM)
    kind = "TEXT" if database.database.kind == "sqlite" else "varchar(40)"
    assert error.message == "column code is missing in table item of the target"
    assert error.hint == (
        f"ALTER TABLE {quoted(database, 'item')} ADD COLUMN {database.quote('code')} {kind};"
    )
    mend(database, ITEM)


@pytest.mark.parametrize("other_key", [True, False])
def test_a_missing_unique_key(database: TargetDatabase, other_key: bool) -> None:
    own = ", own int NOT NULL DEFAULT 1 PRIMARY KEY" if other_key else ""
    database.execute(f"CREATE TABLE item (id bigint NOT NULL, code varchar(40){own})")
    error = stopped(database, ITEM)
    message = "table item has no primary key or unique index on exactly (id)"
    assert error.message == message
    table, key = quoted(database, "item"), database.quote("id")
    if database.database.kind == "sqlite":
        expected = f"CREATE UNIQUE INDEX {database.quote('item_id')} ON {table} ({key});"
    else:
        expected = f"ALTER TABLE {table} ADD {'UNIQUE' if other_key else 'PRIMARY KEY'} ({key});"
    assert error.hint == expected
    mend(database, ITEM)


def test_tables_are_made_from_the_source(database: TargetDatabase) -> None:
    url = make_url(database.database.url)
    tables = [CHICKEN, ORDER, CUSTOMER, EGG, FILLER]
    into = {"shop.order": "orders"}
    assert missing_tables(tables, into, url) == tables[:4]
    database.execute(*create_statements(tables, into, url))
    assert create_statements(tables, into, url) == []
    assert problems(tables, into, url) == []
    n = Numbers()
    database.deliver(
        tables,
        [
            n.change(CUSTOMER, "I", id=1, boss=None),
            n.change(CUSTOMER, "I", id=2, boss=1),
            n.change(ORDER, "I", id=1, customer=1),
            n.change(EGG, "I", id=1, chicken=1),
            n.change(CHICKEN, "I", id=1, egg=None),
            n.change(CHICKEN, "U", id=1, egg=1),
            n.change(CUSTOMER, "D", id=1, boss=None),
        ],
        into,
    )
    assert database.parked == []
    assert database.rows("SELECT * FROM customer") == [(2, None)]
    assert database.rows("SELECT * FROM orders") == []
    assert database.rows("SELECT * FROM egg") == [(1, 1)]


ALL_KINDS: list[tuple[Column, Any]] = [
    (Column("u64", Kind.INTEGER, "bigint unsigned", precision=8, unsigned=True), 2**64 - 1),
    (
        Column("dec", Kind.DECIMAL, "numeric(30,10)", precision=30, scale=10),
        Decimal("12345678901234567890.0123456789"),
    ),
    (Column("any_dec", Kind.DECIMAL, "numeric"), Decimal("1." + "7" * 90)),
    (Column("f8", Kind.FLOAT, "double", precision=8), Decimal("0.30000000000000004")),
    (Column("f4", Kind.FLOAT, "float", precision=4), Decimal("5592405.5")),
    (Column("yes", Kind.BOOLEAN, "boolean"), True),
    (Column("txt", Kind.TEXT, "text"), "a\\b\t'中文'\n\"😀\" %s \r\x1a"),
    (Column("bin", Kind.BYTES, "blob"), "\\x00ff27225c"),
    (Column("day", Kind.DATE, "date"), "2026-02-28"),
    (Column("clock", Kind.TIME, "time"), "13:14:15.123456"),
    (Column("clock_tz", Kind.TIMETZ, "timetz"), "13:14:15.123456+02"),
    (Column("moment", Kind.TIMESTAMP, "timestamp"), "2026-11-21T13:14:15.123456"),
    (Column("moment_tz", Kind.TIMESTAMPTZ, "timestamptz"), "2026-11-21T13:14:15.123456+00:00"),
    (Column("span", Kind.INTERVAL, "interval"), "1 mon -2 days +03:00:00"),
    (Column("doc", Kind.JSON, "json"), '{"b": 1.10,  "b": 1e400}'),
    (Column("guid", Kind.UUID, "uuid"), "00000000-0000-4000-8000-0000000000ff"),
    (Column("bits", Kind.BIT, "bit(9)"), 257),
    (Column("mood", Kind.ENUM, "enum('sad','it''s ok')"), "it's ok"),
    (Column("list", Kind.ARRAY, "text[]"), ["a", None, 'q"\\']),
    (Column("grid", Kind.ARRAY, "numeric[]"), [[1, None], [Decimal("1.10"), "NaN"]]),
    (Column("dyn", Kind.DYNAMIC, ""), "text"),
    (Column("net", Kind.OTHER, "inet", engine="postgresql"), "10.0.0.1/8"),
]
AS_READ: dict[str, dict[str, Any]] = {
    "postgresql": {
        "u64": Decimal(2**64 - 1),
        "f8": 0.1 + 0.2,
        "f4": 5592405.5,
        "bin": b"\x00\xff'\"\\",
        "doc": '{"b": 1.10,  "b": 1e400}',
        "bits": "100000001",
        "list": '{a,NULL,"q\\"\\\\"}',
        "grid": "{{1,NULL},{1.10,NaN}}",
        "yes": True,
    },
    "mysql": {
        "f8": 0.1 + 0.2,
        "f4": 5592405.5,
        "any_dec": "1." + "7" * 90,
        "bin": b"\x00\xff'\"\\",
        "yes": 1,
        "bits": b"\x01\x01",
        "list": '["a",null,"q\\"\\\\"]',
        "grid": '[[1,null],[1.10,"NaN"]]',
    },
    "sqlite": {
        "u64": str(2**64 - 1),
        "dec": "12345678901234567890.0123456789",
        "any_dec": "1." + "7" * 90,
        "f8": 0.1 + 0.2,
        "f4": 5592405.5,
        "bin": b"\x00\xff'\"\\",
        "yes": 1,
        "bits": 257,
        "list": '["a",null,"q\\"\\\\"]',
        "grid": '[[1,null],[1.10,"NaN"]]',
    },
}
AS_READ["mariadb"] = AS_READ["mysql"]


@pytest.mark.parametrize("bulk", [False, True])
def test_values_arrive_in_tables_made_for_them(database: TargetDatabase, bulk: bool) -> None:
    database.bulk = bulk
    url = make_url(database.database.url)
    table = Table("wide", (ID, *(column for column, _ in ALL_KINDS)), ("id",))
    database.execute(*create_statements([table], {}, url))
    n = Numbers()
    row = {column.name: value for column, value in ALL_KINDS}
    nothing = dict.fromkeys(row)
    database.deliver(
        [table], [n.change(table, "I", id=1, **row), n.change(table, "U", id=2, **nothing)]
    )
    assert database.parked == []
    q = database.quote
    for column, value in ALL_KINDS:
        expression = q(column.name)
        if database.database.kind == "postgresql" and column.kind in (
            Kind.ARRAY,
            Kind.JSON,
            Kind.UUID,
            Kind.OTHER,
            Kind.INTERVAL,
            Kind.TIMETZ,
            Kind.BIT,
        ):
            expression = f"CAST({expression} AS text)"
        if column.kind is Kind.FLOAT:  # MySQL prints 4-byte floats with 6 digits
            expression += " * 1e0"
        found = database.rows(f"SELECT {expression} FROM wide ORDER BY id")
        assert found[1] == (None,), column.name
        expected = AS_READ[database.database.kind].get(column.name, value)
        if column.kind in (Kind.DATE, Kind.TIME, Kind.TIMESTAMP, Kind.TIMESTAMPTZ):
            assert _moment(found[0][0]) == _moment(expected), column.name
        else:
            assert found[0] == (expected,), column.name


def _moment(value: Any) -> str:
    """Dates and times in one form, whatever the driver makes of them."""
    if isinstance(value, datetime):
        value = value.replace(tzinfo=None).isoformat()
    return str(value).replace(" ", "T").removesuffix("+00:00")


REFUSED: dict[str, list[tuple[Column, str, Any]]] = {
    "postgresql": [
        (Column("c", Kind.TEXT, "text"), "text", "a\0" + SECRET),
        (Column("c", Kind.TIMESTAMP, "datetime"), "timestamp", "0000-00-00 00:00:00"),
        (Column("c", Kind.DYNAMIC, ""), "integer", SECRET),
        (Column("c", Kind.INTEGER, "bigint"), "smallint", 70_000),
    ],
    "mysql": [
        (Column("c", Kind.DECIMAL, "numeric"), "decimal(9,2)", "NaN"),
        (Column("c", Kind.FLOAT, "double"), "double", "Infinity"),
        (Column("c", Kind.DYNAMIC, ""), "integer", SECRET),
        (Column("c", Kind.INTEGER, "bigint"), "smallint", 70_000),
        (Column("c", Kind.TEXT, "text"), "varchar(3)", SECRET),
        (Column("c", Kind.DATE, "date"), "date", "2026-02-30"),
    ],
    "sqlite": [
        (Column("c", Kind.FLOAT, "double"), "real", "NaN"),
        (Column("c", Kind.INTEGER, "numeric"), "integer", 2**70),
    ],
}
REFUSED["mariadb"] = REFUSED["mysql"]


@pytest.mark.parametrize("bulk", [False, True])
def test_what_cannot_be_held_parks(database: TargetDatabase, bulk: bool) -> None:
    database.bulk = bulk
    for number, (column, kind, value) in enumerate(REFUSED[database.database.kind]):
        table = Table(f"t{number}", (ID, column), ("id",))
        database.execute(f"CREATE TABLE t{number} (id bigint NOT NULL PRIMARY KEY, c {kind})")
        n = Numbers()
        changes = [n.change(table, "I", id=k, c=value if k == 2 else None) for k in range(4)]
        database.deliver([table], changes)
        assert [parked.change.id for parked in database.parked] == [3], column
        assert SECRET not in database.parked[0].error
        assert database.rows(f"SELECT count(*) FROM t{number}") == [(3,)]


@pytest.mark.parametrize("kind", ["postgresql", "mariadb", "mysql"])
class TestConnections:
    """Errors of connections: what a retry helps against and what not, and never a password."""

    def error(self, url: str) -> ReplicatorError:
        target = SqlTarget(make_url(url), DELIVERY, "me", {})
        with pytest.raises(ReplicatorError) as caught:
            target.open({FILLER.name: FILLER})
        target.close()
        assert "hunter2" not in str(caught.value)
        assert caught.value.__suppress_context__
        return caught.value

    def test_wrong_login(self, make_database: MakeDatabase, kind: str) -> None:
        url = make_database(kind).url  # type: ignore[arg-type]
        user = url.split("//")[1].split("@")[0]
        error = self.error(url.replace(f"{user}@", "nobody_there:hunter2@"))
        assert isinstance(error, DeliveryStopped)
        assert "password" in error.hint

    def test_missing_database(self, make_database: MakeDatabase, kind: str) -> None:
        error = self.error(make_database(kind).url + "_gone")  # type: ignore[arg-type]
        assert isinstance(error, DeliveryStopped)
        assert error.hint.startswith("CREATE DATABASE")

    def test_server_down(self, kind: str) -> None:
        error = self.error(f"{kind}://user:hunter2@127.0.0.1:1/database")
        assert isinstance(error, TargetUnavailable)

    def test_table_dropped_while_running(self, make_database: MakeDatabase, kind: str) -> None:
        database = TargetDatabase(make_database(kind), bulk=False)  # type: ignore[arg-type]
        database.execute(FILLER_DDL)
        target = database.target()
        target.open({FILLER.name: FILLER})
        database.execute("DROP TABLE filler")
        n = Numbers()
        with pytest.raises(DeliveryStopped, match="tables create"):
            target.deliver(database.work(), [block([n.change(FILLER, "I", id=1)])], database.park)
        target.close()


def test_a_deferred_constraint_is_checked_at_once_where_that_can_be(
    database: TargetDatabase,
) -> None:
    if database.database.kind in ("mysql", "mariadb"):
        pytest.skip("the engine has no deferred constraints")
    database.execute(
        "CREATE TABLE item (id bigint NOT NULL PRIMARY KEY, code varchar(40) "
        "REFERENCES item_code (code) DEFERRABLE INITIALLY DEFERRED)"
        if database.database.kind == "sqlite"
        else "CREATE TABLE item (id bigint NOT NULL PRIMARY KEY, code varchar(40))",
        "CREATE TABLE item_code (code varchar(40) PRIMARY KEY)",
    )
    n = Numbers()
    changes = [n.change(ITEM, "I", id=1, code=SECRET), n.change(ITEM, "I", id=2, code=None)]
    if database.database.kind == "sqlite":
        with pytest.raises(DeliveryStopped, match="when it commits") as caught:
            database.deliver([ITEM], changes)
        assert SECRET not in str(caught.value)
        assert database.rows("SELECT count(*) FROM item") == [(0,)]
        return
    database.execute(
        "ALTER TABLE item ADD FOREIGN KEY (code) REFERENCES item_code DEFERRABLE INITIALLY DEFERRED"
    )
    database.deliver([ITEM], changes)
    assert [parked.change.id for parked in database.parked] == [1]


def test_missing_privileges_are_found_before_writing(make_database: MakeDatabase) -> None:
    database = TargetDatabase(make_database("postgresql"), bulk=False)
    role = f"role_{database.database.name}"
    database.execute(FILLER_DDL, f"CREATE ROLE {role} LOGIN", f"GRANT SELECT ON filler TO {role}")
    try:
        url = make_url(database.database.url).set(username=role)
        (problem,) = problems([FILLER], {}, url)
        assert problem.message == "the target's user may not write to table filler"
        assert problem.mend == f'GRANT INSERT, UPDATE, DELETE ON public.filler TO "{role}";'
        database.execute(problem.mend)
        assert problems([FILLER], {}, url) == []
    finally:
        database.execute(f"DROP OWNED BY {role}", f"DROP ROLE {role}")
