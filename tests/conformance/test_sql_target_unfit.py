"""What becomes of values that a column cannot hold, by policy."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy.engine import make_url

from replicator.pipeline.contract import Outcome
from replicator.targets.sql import SqlTarget
from replicator.targets.sql.policy import Policy
from tests.conformance.sql_target import DELIVERY, FILLER_DDL, Numbers, TargetDatabase
from tests.conftest import MakeDatabase
from triggers.model import Column, Kind, Table

LIMITED = Table(
    "limited",
    (
        Column("id", Kind.TEXT, "text", nullable=False, engine="postgresql"),
        Column("note", Kind.TEXT, "text", engine="postgresql"),
        Column("needed", Kind.TEXT, "text", engine="postgresql"),
        Column("price", Kind.DECIMAL, "numeric", engine="postgresql"),
    ),
    ("id",),
)
LIMITED_DDL = """CREATE TABLE limited (
    id varchar(3) NOT NULL PRIMARY KEY, note varchar(3), needed varchar(3) NOT NULL,
    price numeric(4,2))"""


class Limited(TargetDatabase):
    """A target with one policy."""

    policy: Policy = "error"

    def target(self, into: object = None) -> SqlTarget:
        del into
        return SqlTarget(make_url(self.database.url), DELIVERY, "me", {}, unfit=self.policy)


@pytest.fixture(params=["postgresql", "mariadb", "mysql"])
def database(request: pytest.FixtureRequest, make_database: MakeDatabase) -> Limited:
    made = Limited(make_database(request.param), bulk=False)
    made.execute(FILLER_DDL, LIMITED_DDL)
    return made


def deliver(database: Limited, policy: Policy, *, bulk: bool) -> Outcome:
    """Rows that fit, that do not, and one whose key does not: for that, all are tried again."""
    database.policy = policy
    database.bulk = bulk
    n = Numbers()
    fits = {"note": "abc", "needed": "abc", "price": Decimal("1.50")}
    return database.deliver(
        [LIMITED],
        [
            n.change(LIMITED, "I", id="a", **fits),
            n.change(LIMITED, "I", id="b", **fits | {"note": "abcdef"}),
            n.change(LIMITED, "I", id="c", **fits | {"price": Decimal("12.345")}),
            n.change(LIMITED, "I", id="d", **fits | {"price": Decimal("-1234")}),
            n.change(LIMITED, "I", id="e", **fits | {"price": "NaN", "note": "abcdef"}),
            n.change(LIMITED, "I", id="f", **fits | {"needed": "abcdef"}),
            n.change(LIMITED, "I", id="too long", **fits),
        ],
    )


def rows(database: Limited) -> list[tuple[object, ...]]:
    return database.rows("SELECT id, note, needed, price FROM limited ORDER BY id")


@pytest.mark.parametrize("bulk", [False, True])
def test_error(database: Limited, bulk: bool) -> None:
    outcome = deliver(database, "error", bulk=bulk)
    assert rows(database) == [("a", "abc", "abc", Decimal("1.50"))]
    assert [letter.change.row["id"] for letter in database.parked] == [*"bcdef", "too long"]
    assert outcome.coerced == 0


@pytest.mark.parametrize("bulk", [False, True])
def test_null(database: Limited, bulk: bool) -> None:
    outcome = deliver(database, "null", bulk=bulk)
    postgresql = database.database.kind == "postgresql"
    found = [[str(value) for value in row] for row in rows(database)]
    assert found == [
        ["a", "abc", "abc", "1.50"],
        ["b", "None", "abc", "1.50"],
        ["c", "abc", "abc", "None"],
        ["d", "abc", "abc", "None"],
        ["e", "None", "abc", "NaN" if postgresql else "None"],
    ]
    assert [letter.change.row["id"] for letter in database.parked] == ["f", "too long"]
    assert outcome.coerced == (4 if postgresql else 5)


@pytest.mark.parametrize("bulk", [False, True])
def test_clamp(database: Limited, bulk: bool) -> None:
    outcome = deliver(database, "clamp", bulk=bulk)
    postgresql = database.database.kind == "postgresql"
    found = [[str(value) for value in row] for row in rows(database)]
    assert found == [
        ["a", "abc", "abc", "1.50"],
        ["b", "abc", "abc", "1.50"],
        ["c", "abc", "abc", "12.34"],
        ["d", "abc", "abc", "-99.99"],
        *([["e", "abc", "abc", "NaN"]] if postgresql else []),
        ["f", "abc", "abc", "1.50"],
    ]
    parked = [letter.change.row["id"] for letter in database.parked]
    assert parked == (["too long"] if postgresql else ["e", "too long"])
    assert outcome.coerced == (5 if postgresql else 4)
