"""Two tables, threads that write to some of their rows, and differences planted in the others."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from tests.load.threads import Threads
from tests.replication import execute
from tests.servers import Database, DatabaseKind

TABLES = ("item", "word")

Planted = dict[tuple[str, str], tuple[str, tuple[str, ...]]]
"""By table and key: what the row is, and the columns that differ."""

_TYPES: Mapping[DatabaseKind, Mapping[str, str]] = {
    "postgresql": {"at": "TIMESTAMP(6)", "note": "TEXT", "moment": "TIMESTAMPTZ(6)"},
    "mariadb": {"at": "DATETIME(6)", "note": "LONGTEXT", "moment": "TIMESTAMP(6) NULL"},
    "mysql": {"at": "DATETIME(6)", "note": "LONGTEXT", "moment": "TIMESTAMP(6) NULL"},
    "sqlite": {"at": "DATETIME", "note": "TEXT", "moment": "DATETIME"},
}

SPACE = 10
"""Every so many keys there is one that nobody writes to."""


def create(database: Database) -> None:
    """Create the tables: `item` can be compared by checksums, `word` with its text key not."""
    types = _TYPES[database.kind]
    if database.kind == "sqlite":
        with database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    execute(
        database.engine,
        f"CREATE TABLE item (id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(60) NOT NULL,"
        f" note {types['note']}, amount DECIMAL(12,2), at {types['at']},"
        f" moment {types['moment']})",
        "CREATE TABLE word (word VARCHAR(40) NOT NULL PRIMARY KEY, amount BIGINT)",
    )


def fill(engine: Engine, rows: int) -> None:
    """Fill the tables: nine tenths of the rows go into `item`."""
    few = rows // 10
    words: Sequence[Mapping[str, object]] = [
        {"word": _word(number), "amount": number} for number in range(few)
    ]
    insert = sa.text("INSERT INTO word (word, amount) VALUES (:word, :amount)")
    with engine.begin() as connection:
        connection.execute(insert, words)
    for start in range(0, rows - few, 10_000):
        items = [_item(number) for number in range(start, min(start + 10_000, rows - few))]
        with engine.begin() as connection:
            connection.execute(_INSERT, items)


_INSERT = sa.text(
    "INSERT INTO item (id, name, note, amount, at, moment)"
    " VALUES (:id, :name, :note, :amount, :at, :moment)"
)


def _word(number: int) -> str:
    return f"{('ä', 'Z', 'b', '_')[number % 4]}word {number}"


def _item(number: int) -> Mapping[str, object]:
    second = f"2026-11-{1 + number % 28:02} 13:14:{number % 60:02}.{number % 1_000_000:06}"
    return {
        "id": number,
        "name": f"Müller, {number}",
        "note": None if number % 20 == 0 else "" if number % 20 == 10 else f"note {number}",
        "amount": f"{number}.{number % 90 + 10}",
        "at": second,
        "moment": second,
    }


def plant(engine: Engine, rows: int, chance: random.Random) -> Planted:
    """Plant 37 differences in a target that has everything, in rows that nobody writes to."""
    quiet = range(SPACE, (rows - rows // 10) // SPACE * SPACE, SPACE)
    chosen = chance.sample(quiet, 27)
    empty = chance.sample([n for n in quiet if n % 20 == 10 and n not in chosen], 2)
    null = chance.sample([n for n in quiet if n % 20 == 0 and n not in chosen], 2)
    words = chance.sample(range(0, rows // 10, SPACE), 4)
    planted: Planted = {}
    with engine.begin() as connection:

        def change(key: int, column: str, sql: str) -> None:
            execute_one(connection, f"UPDATE item SET {column} = {sql} WHERE id = {key}")
            planted["item", str(key)] = ("different", (column,))

        for key in empty:
            change(key, "note", "NULL")
        for key in null:
            change(key, "note", "''")
        for place, key in enumerate(chosen):
            item = _item(key)
            match place % 7:
                case 0:
                    change(key, "name", f"'Muller, {key}'")
                case 1:
                    change(key, "name", f"'{item['name']} '")
                case 2:
                    change(key, "amount", "amount + 0.01")
                case 3:
                    change(key, "at", f"'{_later(str(item['at']))}'")
                case 4:
                    change(key, "moment", f"'{_later(str(item['moment']))}'")
                case 5:
                    execute_one(connection, f"DELETE FROM item WHERE id = {key}")
                    planted["item", str(key)] = ("missing", ())
                case _:
                    other = -key
                    connection.execute(_INSERT, [dict(item) | {"id": other}])
                    planted["item", str(other)] = ("extra", ())
        for key in words[:2]:
            connection.execute(sa.text("DELETE FROM word WHERE word = :w"), {"w": _word(key)})
            planted["word", _word(key)] = ("missing", ())
        for key in words[2:]:
            update = sa.text("UPDATE word SET amount = -1 WHERE word = :w")
            connection.execute(update, {"w": _word(key)})
            planted["word", _word(key)] = ("different", ("amount",))
        for word in ("above\\all", "'quoted'"):
            insert = sa.text("INSERT INTO word (word, amount) VALUES (:w, 1)")
            connection.execute(insert, {"w": word})
            planted["word", word] = ("extra", ())
    assert len(planted) == 37
    return planted


def content(engine: Engine, table: str) -> list[tuple[object, ...]]:
    """All rows, in one form for every engine, in an order that is the same everywhere."""
    with engine.connect() as connection:
        rows = connection.execute(sa.text(f"SELECT * FROM {table}"))
        return sorted(map(plain, rows))


def plain(row: Sequence[object]) -> tuple[str, ...]:
    """A row in one form for every engine."""
    return tuple(map(_plain, row))


def _plain(value: object) -> str:
    match value:
        case datetime():
            return value.replace(tzinfo=None).isoformat(" ", "microseconds")
        case Decimal() | float() | int():
            return f"{value:.2f}"
        case _:
            return repr(value)


def execute_one(connection: Connection, statement: str) -> None:
    """Execute a statement that finds its row."""
    assert connection.execute(sa.text(statement)).rowcount == 1, statement


def _later(moment: str) -> str:
    """One microsecond later, or earlier."""
    return moment[:-1] + ("8" if moment.endswith("9") else str(int(moment[-1]) + 1))


class Writers(Threads):
    """Threads that write to the rows that are left to them."""

    def __init__(self, engine: Engine, rows: int, number: int = 2) -> None:
        super().__init__(number)
        self.engine = engine
        self.rows = rows
        self.committed = 0

    def _write(self, number: int) -> None:
        chance = random.Random(number)
        fresh = self.rows * (2 + number)
        while not self._stopping.is_set():
            fresh += 1
            key = chance.randrange(self.rows)
            values = {
                "low": key,
                "high": key + 5,
                "space": SPACE,
                "amount": chance.randrange(1_000_000),
                "word": _word(SPACE * chance.randrange(self.rows // 10 // SPACE) + 3),
            }
            try:
                with self.engine.begin() as connection:
                    statement = chance.choice(_STATEMENTS)
                    if statement is _INSERT:
                        connection.execute(_INSERT, [_item(SPACE * fresh + 1)])
                    else:
                        connection.execute(sa.text(str(statement)), values)
                self.committed += 1
            except DBAPIError:
                pass  # a deadlock, or a lock that was not free
            time.sleep(chance.random() * 0.01)


_STATEMENTS = (
    "UPDATE item SET amount = :amount WHERE id BETWEEN :low AND :high AND id % :space <> 0",
    "UPDATE item SET note = 'changed' WHERE id BETWEEN :low AND :high AND id % :space <> 0",
    "DELETE FROM item WHERE id BETWEEN :low AND :low + 1 AND id % :space <> 0",
    "UPDATE word SET amount = :amount WHERE word = :word",
    "DELETE FROM word WHERE word = :word",
    _INSERT,
)
