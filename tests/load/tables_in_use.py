"""Tables with keys of several forms, and threads that insert, update and delete in them."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from tests.replication import execute
from tests.servers import Database, DatabaseKind

TABLES = ("plain", "pairs", "words", "bare", "still")
"""Of the last two, one has no rows, and one is never written to."""

STILL_ROWS = 300

WORD: Mapping[DatabaseKind, str] = {
    "postgresql": 'VARCHAR(40) COLLATE "en-x-icu"',
    "mariadb": "VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
    "mysql": "VARCHAR(40) CHARACTER SET latin1 COLLATE latin1_german1_ci",
    "sqlite": "VARCHAR(40) COLLATE NOCASE",
}
"""Orders that differ from that of the characters' numbers, and from each other."""

LETTERS = "aAbBzZäÄöéßøñ'\"\\% _-0189"


def create(database: Database) -> None:
    """Create the tables."""
    word = WORD[database.kind]
    if database.kind == "sqlite":
        with database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    execute(
        database.engine,
        "CREATE TABLE plain (id INTEGER PRIMARY KEY, amount BIGINT NOT NULL, note VARCHAR(200))",
        f"CREATE TABLE pairs (word {word} NOT NULL, number INTEGER NOT NULL, amount BIGINT,"
        " PRIMARY KEY (word, number))",
        f"CREATE TABLE words (word {word} NOT NULL PRIMARY KEY, amount BIGINT)",
        "CREATE TABLE bare (id INTEGER PRIMARY KEY, amount BIGINT)",
        "CREATE TABLE still (id INTEGER PRIMARY KEY, amount BIGINT)",
    )


def fill(engine: Engine, rows: int) -> None:
    """Fill the tables: most rows go into `plain`."""
    chance = random.Random(rows)
    few = rows // 10
    words = _words(chance, few)
    parts: list[tuple[str, list[dict[str, object]]]] = [
        ("plain", [_plain(2 * number, chance) for number in range(rows - 2 * few)]),
        (
            "pairs",
            [
                {"word": words[number // 7], "number": number % 7, "amount": number}
                for number in range(few)
            ],
        ),
        ("words", [{"word": word, "amount": chance.randrange(1000)} for word in words]),
        ("still", [{"id": number, "amount": number} for number in range(STILL_ROWS)]),
    ]
    for table, content in parts:
        insert = sa.insert(sa.table(table, *map(sa.column, content[0])))
        for start in range(0, len(content), 10_000):
            with engine.begin() as connection:
                connection.execute(insert, content[start : start + 10_000])


def rows_of(engine: Engine, table: str) -> list[tuple[object, ...]]:
    """All rows, in an order that is the same everywhere."""
    with engine.connect() as connection:
        return sorted(tuple(row) for row in connection.execute(sa.text(f"SELECT * FROM {table}")))


@dataclass
class Writers:
    """Threads that write to the tables; `stop` ends them."""

    engine: Engine
    rows: int
    number: int = 4
    pause: float = 0.02

    def __post_init__(self) -> None:
        self.committed = 0
        self.longest = 0.0
        """Seconds that the slowest transaction took."""
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._write, args=(number,), daemon=True)
            for number in range(self.number)
        ]

    def __enter__(self) -> Writers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _write(self, number: int) -> None:
        chance = random.Random(number)
        while not self._stopping.is_set():
            try:
                began = time.monotonic()
                with self.engine.begin() as connection:
                    for _ in range(chance.randint(1, 4)):
                        self._change(connection, chance)
                with self._lock:
                    self.longest = max(self.longest, time.monotonic() - began)
                    self.committed += 1
            except DBAPIError:
                pass  # a deadlock, a key that is there already, or a lock that was not free
            time.sleep(chance.random() * self.pause)

    def _change(self, connection: Connection, chance: random.Random) -> None:
        statements = [*_ON_PLAIN] * 4 + [*_ON_WORDS, *_ON_PAIRS, _ON_BARE]
        key = chance.randrange(2 * self.rows)
        connection.execute(
            sa.text(chance.choice(statements)),
            {
                "id": key,
                "other": chance.randrange(2 * self.rows),
                "amount": chance.randrange(1_000_000),
                "word": _word(chance),
                "digit": chance.randrange(10),
            },
        )


_ON_PLAIN = (
    "UPDATE plain SET amount = :amount WHERE id BETWEEN :id AND :id + 20",
    "UPDATE plain SET id = :other WHERE id = :id",
    "DELETE FROM plain WHERE id = :id",
    "INSERT INTO plain (id, amount, note) VALUES (:id, :amount, 'new')",
)
_ON_WORDS = (
    "UPDATE words SET amount = :amount WHERE word > :word AND amount % 100 = :digit",
    "DELETE FROM words WHERE amount = :digit",
    "INSERT INTO words (word, amount) VALUES (:word, :amount)",
)
_ON_PAIRS = (
    "UPDATE pairs SET number = number + 10 WHERE amount = :id",
    "DELETE FROM pairs WHERE amount = :other",
    "INSERT INTO pairs (word, number, amount) VALUES (:word, :digit, :amount)",
)
_ON_BARE = "UPDATE bare SET amount = :amount"


def _plain(number: int, chance: random.Random) -> dict[str, object]:
    note = None if number % 11 == 0 else f"note {chance.random()} é"
    return {"id": number, "amount": chance.randrange(1_000_000), "note": note}


def _word(chance: random.Random) -> str:
    return "".join(chance.choice(LETTERS) for _ in range(chance.randint(3, 9))) + "."


def _words(chance: random.Random, count: int) -> Sequence[str]:
    """Words that no collation takes for equal."""
    return [f"{_word(chance)}{number}" for number in range(count)]
