"""Every database engine as source and as target of every other: one suite, by value."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from replicator import service
from replicator.compose import OpenSource, open_source
from replicator.config import Config
from tests.replication import Replication, run_statement, sql
from tests.servers import (
    ENGINE_PAIRS,
    Database,
    DatabaseKind,
    in_short_form,
    server_database,
    sqlite_database,
)

# Types that differ between the engines, by the names used in TABLES.
TYPES: dict[DatabaseKind, dict[str, str]] = {
    "postgresql": {
        "exact": "numeric(30,10)",
        "double": "double precision",
        "key_text": "varchar(80)",
        "long_text": "text",
        "moment": "timestamp(6)",
        "instant": "timestamptz",
        "bytes": "bytea",
        "deferred": "DEFERRABLE INITIALLY DEFERRED",
    },
    "mysql": {
        "exact": "decimal(30,10)",
        "double": "double",
        "key_text": "varchar(80) COLLATE utf8mb4_bin",
        "long_text": "longtext",
        "moment": "datetime(6)",
        "instant": "timestamp(6) NULL",
        "bytes": "blob",
        "deferred": "",
    },
    "sqlite": {
        "exact": "text",  # its NUMERIC is a double
        "double": "double",
        "key_text": "varchar(80)",
        "long_text": "text",
        "moment": "datetime",
        "instant": "datetime",
        "bytes": "blob",
        "deferred": "",
    },
}
TYPES["mariadb"] = TYPES["mysql"]

TABLES = {
    "item": "(id INTEGER PRIMARY KEY, name {key_text}, amount INTEGER)",
    "visitor": "(id INTEGER PRIMARY KEY, name {key_text}, amount INTEGER)",
    "draft": "(id INTEGER PRIMARY KEY, name {key_text}, amount INTEGER)",
    "swapped": "(id INTEGER PRIMARY KEY, name {key_text}, amount INTEGER)",
    "cleared": "(id INTEGER PRIMARY KEY, name {key_text}, amount INTEGER)",
    "owner": "(id INTEGER PRIMARY KEY, name {key_text})",
    "pet": "(id INTEGER PRIMARY KEY, owner_id INTEGER NOT NULL,"
    " FOREIGN KEY (owner_id) REFERENCES owner (id))",
    "line": "(order_no INTEGER, pos {key_text}, name {key_text}, PRIMARY KEY (order_no, pos))",
    "customer": "(id INTEGER PRIMARY KEY, name {key_text})",
    "invoice": "(id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL,"
    " FOREIGN KEY (customer_id) REFERENCES customer (id) ON DELETE CASCADE)",
    "employee": "(id INTEGER PRIMARY KEY, boss_id INTEGER,"
    " FOREIGN KEY (boss_id) REFERENCES employee (id))",
    "seat": "(id INTEGER PRIMARY KEY, place {key_text}, UNIQUE (place) {deferred})",
    "specimen": "(id INTEGER PRIMARY KEY, big bigint, exact {exact}, approximate {double},"
    " flag boolean, name varchar(200), note {long_text}, day date, moment {moment},"
    " instant {instant}, data {bytes}, document json)",
}


@dataclass(frozen=True)
class Pair:
    """A source and a target with all tables, and the way between them."""

    source: Database
    target: Database
    settings: Config
    opened: OpenSource

    def write(self, *statements: str, rollback: bool = False) -> None:
        """Execute statements in one transaction of the source."""
        with self.source.engine.connect() as connection:
            if self.source.kind == "sqlite":
                connection.exec_driver_sql("PRAGMA foreign_keys = ON")
                connection.rollback()
            for statement in statements:
                run_statement(connection, statement)
            if rollback:
                connection.rollback()
            else:
                connection.commit()

    def deliver(self) -> None:
        """Deliver everything, and let nothing be parked."""
        results = service.run_source_once(self.settings, self.opened, threading.Event())
        for result in results:
            if result.error is not None:
                raise AssertionError(str(result.error)) from result.error
        outbox = self.opened.capture.outbox
        with self.opened.engine.connect() as connection:
            parked = connection.execute(sa.select(outbox.dead_letter)).all()
        assert parked == []

    def assert_delivered(self, *tables: str, rows: int) -> None:
        """Deliver; tables must be equal, and hold this number of rows together."""
        self.deliver()
        total = 0
        for table in tables:
            expected = content(self.source, table)
            assert content(self.target, table) == expected
            total += len(expected)
        assert total == rows


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(
            pair,
            id="-to-".join(pair),
            marks=() if in_short_form(*pair) else pytest.mark.torture,
        )
        for pair in ENGINE_PAIRS
    ],
)
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    """A pair of fresh databases, the tables captured and created."""
    folder = tmp_path_factory.mktemp("pair")
    with ExitStack() as stack:

        def make(kind: DatabaseKind, name: str) -> Database:
            if kind == "sqlite":
                return stack.enter_context(sqlite_database(folder / f"{name}.sqlite"))
            server = request.getfixturevalue(kind)
            return stack.enter_context(server_database(kind, server))

        source_kind, target_kind = request.param
        source, target = make(source_kind, "source"), make(target_kind, "target")
        replication = prepare(source, target, folder)
        # Opened once, and not for each delivery as `service.run_once` does: connecting is slow.
        opened = open_source("here", replication.settings.sources["here"])
        stack.callback(opened.close)
        yield Pair(source, target, replication.settings, opened)


def prepare(source: Database, target: Database, folder: Path) -> Replication:
    """Create the tables in the source, capture them, and create them in the target."""
    types = TYPES[source.kind]
    with source.engine.begin() as connection:
        for table, body in TABLES.items():
            run_statement(connection, f"CREATE TABLE {table} {body.format(**types)}")
    replication = Replication(
        folder,
        sources={"here": without_tls(source)},
        targets={"there": sql(without_tls(target))},
        routes=[
            {"name": "all", "source": "here", "tables": list(TABLES), "targets": ["there"]},
        ],
    )
    replication.prepare()
    with target.engine.begin() as connection:
        # What SQLite declares limits nothing, so that the target's column is a longtext.
        prefix = "(80)" if (source.kind, target.kind) == ("sqlite", "mysql") else ""
        run_statement(connection, f"CREATE UNIQUE INDEX seat_place ON seat (place{prefix})")
    return replication


def without_tls(database: Database) -> str:
    """A database's URL; PyMySQL would load every certificate of the system for each connection."""
    return database.url + ("?ssl_disabled=1" if database.kind in ("mysql", "mariadb") else "")


def content(database: Database, table: str) -> list[tuple[object, ...]]:
    """A table's rows in one form for all engines, in order."""
    with database.engine.connect() as connection:
        if database.kind in ("mysql", "mariadb"):
            connection.execute(sa.text("SET time_zone = '+00:00'"))
        result = connection.execute(sa.text(f"SELECT * FROM {table}"))
        names: Sequence[str] = list(result.keys())
        forms = [FORMS.get(name, same) for name in names]
        rows = [
            tuple(None if v is None else form(v) for v, form in zip(row, forms, strict=True))
            for row in result
        ]
    return sorted(rows, key=lambda row: tuple(map(str, row)))


def same(value: Any) -> object:
    return value


def moment(value: Any) -> str:
    """Text or datetime, with zone or without: naive UTC, six digits."""
    time = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    if time.tzinfo is not None:
        time = time.astimezone(UTC).replace(tzinfo=None)
    return time.isoformat(timespec="microseconds")


def day(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def exact(value: Any) -> Decimal:
    assert not isinstance(value, float), "a decimal went through binary floating point"
    return Decimal(value)


def document(value: Any) -> object:
    return json.loads(value) if isinstance(value, str) else value


FORMS: dict[str, Callable[[Any], object]] = {
    "exact": exact,
    "approximate": float,
    "flag": bool,
    "day": day,
    "moment": moment,
    "instant": moment,
    "data": bytes,
    "document": document,
}


def insert_specimen(connection: Connection, number: int, values: dict[str, Any]) -> None:
    """Insert a row of `specimen` through bound parameters."""
    types: dict[str, sa.types.TypeEngine[Any]] = {"data": sa.LargeBinary(), "flag": sa.Boolean()}
    columns = {"id": number, **values}
    names = ", ".join(columns)
    binds = [sa.bindparam(name, value, types.get(name)) for name, value in columns.items()]
    casts = {"document": "json", "exact": "numeric", "day": "date"}
    casts |= {"moment": "timestamp", "instant": "timestamptz"}
    if connection.dialect.name != "postgresql":
        casts = {}
    marks = ", ".join(
        f"CAST(:{name} AS {casts[name]})" if name in casts else f":{name}" for name in columns
    )
    statement = sa.text(f"INSERT INTO specimen ({names}) VALUES ({marks})")
    connection.execute(statement.bindparams(*binds))


SPECIMENS: list[dict[str, Any]] = [
    {},  # every column NULL
    {"big": 9_223_372_036_854_775_807, "exact": "99999999999999999999.9999999999"},
    {"big": -9_223_372_036_854_775_808, "exact": "-0.0000000001"},
    {"exact": "12345678901234567890.0123456789", "approximate": 0.1},
    {"exact": "0.0000000000", "approximate": -1.0e300},
    {"approximate": 2.2250738585072014e-308, "flag": True},
    {"approximate": 9007199254740993.0, "flag": False},
    {"name": "", "note": ""},
    {"name": 'O\'Brien "said" `so` \\ \\n %s %% :x ?', "note": "line\nline\r\nline\ttab"},
    {"name": "你好, Ünï¢ødé", "note": "😀🏳️‍🌈 \u0301 \u202e rtl"},
    {"name": " leading and trailing ", "note": "x" * 100_000},
    {"day": "2026-02-28", "moment": "2026-11-21 13:14:15.123456"},
    {"day": "1000-01-01", "moment": "1999-12-31 23:59:59.999999"},
    {"day": "9999-12-31", "moment": "2026-01-01 00:00:00"},
    {"instant": "2026-11-21 13:14:15.123456"},
    {"instant": "2001-09-09 01:46:40"},
    {"data": b""},
    {"data": bytes(range(256))},
    {"data": b"\\x00ff", "document": "null"},
    {"document": '{"a": [1, 2.5, "x"], "ü": {"😀": null}, "q": "\\"quoted\\" \\\\"}'},
    {"document": "[]", "flag": True, "big": 0, "exact": "1.5000000000", "name": "NULL"},
]


def test_rows(pair: Pair) -> None:
    """Inserts, updates and deletes, few and many, in one transaction and across batches."""
    pair.write("INSERT INTO item VALUES (1, 'one', 10), (2, 'two', 20), (3, NULL, NULL)")
    pair.assert_delivered("item", rows=3)

    pair.write("UPDATE item SET amount = 11 WHERE id = 1", "DELETE FROM item WHERE id = 2")
    pair.write("INSERT INTO item VALUES (2, 'again', 21)", "UPDATE item SET name = 'x'")
    pair.assert_delivered("item", rows=3)

    many = ", ".join(f"({number}, 'n{number}', {number})" for number in range(100, 700))
    pair.write(f"INSERT INTO item VALUES {many}")
    pair.write("UPDATE item SET amount = amount + 1 WHERE id >= 200")
    pair.write("DELETE FROM item WHERE id >= 300 AND id < 400")
    pair.assert_delivered("item", rows=503)


def test_a_row_that_comes_and_goes_in_one_transaction(pair: Pair) -> None:
    pair.write(
        "INSERT INTO visitor VALUES (1, 'stays', 1), (2, 'goes', 2)",
        "DELETE FROM visitor WHERE id = 2",
        "UPDATE visitor SET amount = 7 WHERE id = 1",
    )
    pair.assert_delivered("visitor", rows=1)
    pair.write("DELETE FROM visitor", "INSERT INTO visitor VALUES (1, 'came back', 1)")
    pair.assert_delivered("visitor", rows=1)


def test_what_is_rolled_back_does_not_come(pair: Pair) -> None:
    pair.write("INSERT INTO draft VALUES (1, 'kept', 1)")
    pair.write("UPDATE draft SET name = 'lost'", "DELETE FROM draft", rollback=True)
    pair.write(
        "SAVEPOINT before_it",
        "INSERT INTO draft VALUES (2, 'lost', 2)",
        "ROLLBACK TO SAVEPOINT before_it",
        "INSERT INTO draft VALUES (3, 'kept', 3)",
    )
    pair.assert_delivered("draft", rows=2)


def test_composite_keys_and_keys_that_change(pair: Pair) -> None:
    pair.write(
        "INSERT INTO line VALUES (1, 'a', 'x'), (1, 'A', 'y'), (1, 'ä', 'z'), (2, 'a', NULL)"
    )
    pair.write("INSERT INTO swapped VALUES (1, 'a', 1), (2, 'b', 2)")
    pair.assert_delivered("line", "swapped", rows=6)
    pair.write("UPDATE line SET pos = 'b' WHERE order_no = 1 AND pos = 'a'")
    pair.write("UPDATE line SET order_no = 3, name = 'moved' WHERE order_no = 2")
    pair.write("UPDATE line SET order_no = order_no + 10", "DELETE FROM line WHERE pos = 'A'")
    pair.write(  # two rows exchange their keys
        "UPDATE swapped SET id = -1 WHERE id = 1",
        "UPDATE swapped SET id = 1 WHERE id = 2",
        "UPDATE swapped SET id = 2 WHERE id = -1",
    )
    pair.assert_delivered("line", "swapped", rows=5)


def test_rows_that_exchange_unique_values(pair: Pair) -> None:
    pair.write("INSERT INTO seat VALUES (1, 'window'), (2, 'aisle'), (3, NULL), (4, NULL)")
    pair.assert_delivered("seat", rows=4)
    if pair.source.kind == "postgresql":
        pair.write(
            "UPDATE seat SET place = 'aisle' WHERE id = 1",
            "UPDATE seat SET place = 'window' WHERE id = 2",
        )
    else:
        pair.write(
            "UPDATE seat SET place = 'nowhere' WHERE id = 1",
            "UPDATE seat SET place = 'window' WHERE id = 2",
            "UPDATE seat SET place = 'aisle' WHERE id = 1",
        )
    pair.assert_delivered("seat", rows=4)
    assert (1, "aisle") in content(pair.target, "seat")
    pair.write("DELETE FROM seat WHERE id = 1", "INSERT INTO seat VALUES (5, 'aisle'), (6, 'door')")
    pair.assert_delivered("seat", rows=5)


def test_foreign_keys_and_cascades(pair: Pair) -> None:
    many = ", ".join(f"({number}, 'n')" for number in range(100, 150))
    more = ", ".join(f"({number + 1000}, {number})" for number in range(100, 150))
    pair.write(
        "INSERT INTO customer VALUES (1, 'a'), (2, 'b'), (3, 'c')",
        "INSERT INTO invoice VALUES (10, 1), (11, 1), (12, 2), (13, 3)",
    )
    pair.write(f"INSERT INTO owner VALUES {many}", f"INSERT INTO pet VALUES {more}")
    pair.assert_delivered("customer", "invoice", "owner", "pet", rows=107)
    pair.write("UPDATE invoice SET customer_id = 2 WHERE id = 11")
    pair.write("DELETE FROM customer WHERE id = 1")  # takes invoice 10 along
    pair.write("INSERT INTO owner VALUES (1, 'd')", "UPDATE pet SET owner_id = 1")
    pair.write("DELETE FROM owner WHERE id > 1", "DELETE FROM pet WHERE id < 1125")
    pair.assert_delivered("customer", "invoice", "owner", "pet", rows=31)
    pair.write("INSERT INTO customer VALUES (4, 'd')", "INSERT INTO invoice VALUES (14, 4)")
    pair.write("DELETE FROM pet", "DELETE FROM owner")
    pair.write("DELETE FROM customer WHERE id <> 4")
    pair.assert_delivered("customer", "invoice", "owner", "pet", rows=2)


def test_a_table_that_refers_to_itself(pair: Pair) -> None:
    pair.write("INSERT INTO employee VALUES (1, NULL)", "INSERT INTO employee VALUES (2, 1)")
    pair.write("INSERT INTO employee VALUES (9, 9)")
    pair.write("INSERT INTO employee VALUES (4, 2)", "INSERT INTO employee VALUES (3, 4)")
    bosses = {number: number - 1 if number > 100 else "NULL" for number in range(100, 150)}
    pair.write(*(f"INSERT INTO employee VALUES ({id_}, {boss})" for id_, boss in bosses.items()))
    pair.assert_delivered("employee", rows=55)
    pair.write("UPDATE employee SET boss_id = 3 WHERE id = 1")  # a ring
    pair.assert_delivered("employee", rows=55)
    pair.write(
        "UPDATE employee SET boss_id = NULL WHERE id < 10",
        "DELETE FROM employee WHERE id < 4",
        *(f"DELETE FROM employee WHERE id = {number}" for number in reversed(bosses)),
    )
    pair.assert_delivered("employee", rows=2)


def test_values(pair: Pair) -> None:
    """Each value comes back as it was: as an insert, and as an update of another row."""
    write_specimens(pair, SPECIMENS)
    pair.assert_delivered("specimen", rows=len(SPECIMENS))
    pair.write("UPDATE specimen SET name = 'all the same' WHERE id >= 0")
    pair.assert_delivered("specimen", rows=len(SPECIMENS))


def write_specimens(pair: Pair, specimens: Sequence[dict[str, Any]]) -> None:
    with pair.source.engine.begin() as connection:
        if pair.source.kind in ("mysql", "mariadb"):
            connection.execute(sa.text("SET time_zone = '+00:00'"))
        if pair.source.kind == "postgresql":
            connection.execute(sa.text("SET LOCAL timezone = 'UTC'"))
        for number, values in enumerate(specimens):
            insert_specimen(connection, number, values)


def test_truncate(pair: Pair) -> None:
    if pair.source.kind != "postgresql":
        pytest.skip("only PostgreSQL has triggers on TRUNCATE")
    pair.write("INSERT INTO cleared VALUES (1, 'a', 1), (2, 'b', 2)", "DELETE FROM customer")
    pair.write("INSERT INTO customer VALUES (1, 'a')", "INSERT INTO invoice VALUES (1, 1)")
    pair.assert_delivered("cleared", "customer", "invoice", rows=4)
    pair.write(
        "INSERT INTO cleared VALUES (3, 'c', 3)",
        "TRUNCATE cleared",
        "INSERT INTO cleared VALUES (4, 'd', 4)",
        "TRUNCATE customer CASCADE",
        "INSERT INTO customer VALUES (2, 'b')",
    )
    pair.assert_delivered("cleared", "customer", "invoice", rows=2)
