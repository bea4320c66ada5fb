"""Tables with keys of several forms, and threads that insert, update and delete in them."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from tests.load.threads import Threads
from tests.replication import execute
from tests.servers import Database, DatabaseKind

TABLES = ("plain", "pairs", "words", "bare", "still")
"""Of the last two, one has no rows, and one is never written to."""

STILL_ROWS = 300

LONG = 0.2
"""Seconds that no statement of an application should wait for a copy."""

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


def words_of(rows: int) -> Sequence[str]:
    """The words in tables of so many rows: no collation takes two of them for equal."""
    chance = random.Random(rows)
    return [f"{_word(chance)}{number}" for number in range(rows // 10)]


def fill(engine: Engine, rows: int) -> None:
    """Fill the tables: most rows go into `plain`."""
    words = words_of(rows)
    few = len(words)
    chance = random.Random(rows)
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


class Writers(Threads):
    """Threads that write to the tables."""

    def __init__(self, engine: Engine, rows: int, number: int = 4, seed: int = 0) -> None:
        super().__init__(number)
        self.engine = engine
        self.rows = rows
        self.seed = seed
        self.words = words_of(rows)
        self.committed = 0
        self._seconds: list[float] = []
        """What each statement took."""

    @property
    def waits(self) -> str:
        """How long the statements took that were committed, as far as is of interest."""
        seconds = sorted(self._seconds)
        late = sum(one > LONG for one in seconds)
        rare = seconds[len(seconds) * 999 // 1000]
        return (
            f"{len(seconds):,} statements, 99.9 % within {rare * 1000:.0f} ms, longest"
            f" {seconds[-1] * 1000:.0f} ms, {late} longer than {LONG * 1000:.0f} ms"
        )

    def _write(self, number: int) -> None:
        chance = random.Random(10 * self.seed + number)
        while not self._stopping.is_set():
            seconds: list[float] = []
            try:
                with self.engine.begin() as connection:
                    if connection.dialect.name == "postgresql":  # they wait for each other, too
                        connection.execute(sa.text("SET LOCAL deadlock_timeout = '20ms'"))
                    for _ in range(chance.randint(1, 4)):
                        began = time.monotonic()
                        self._change(connection, chance)
                        seconds.append(time.monotonic() - began)
                with self._lock:
                    self._seconds += seconds
                    self.committed += 1
            except DBAPIError:
                pass  # a deadlock, a key that is there already, or a lock that was not free
            time.sleep(chance.random() * 0.02)

    def _change(self, connection: Connection, chance: random.Random) -> None:
        statements = [*_ON_PLAIN] * 4 + [*_ON_WORDS, *_ON_PAIRS, _ON_BARE]
        key = chance.randrange(2 * self.rows)
        connection.execute(
            sa.text(chance.choice(statements)),
            {
                "id": key,
                "other": chance.randrange(2 * self.rows),
                "amount": chance.randrange(1_000_000),
                "word": chance.choice(self.words),
                "other_word": _word(chance),
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
    "UPDATE words SET amount = :amount WHERE word = :word",
    "UPDATE words SET word = :other_word WHERE word = :word",
    "DELETE FROM words WHERE word = :word",
    "INSERT INTO words (word, amount) VALUES (:other_word, :amount)",
)
_ON_PAIRS = (
    "UPDATE pairs SET number = number + 10 WHERE word = :word",
    "DELETE FROM pairs WHERE word = :word AND number = :digit",
    "INSERT INTO pairs (word, number, amount) VALUES (:word, :digit, :amount)",
)
_ON_BARE = "UPDATE bare SET amount = :amount"


def _plain(number: int, chance: random.Random) -> dict[str, object]:
    note = None if number % 11 == 0 else f"note {chance.random()} é"
    return {"id": number, "amount": chance.randrange(1_000_000), "note": note}


def _word(chance: random.Random) -> str:
    return "".join(chance.choice(LETTERS) for _ in range(chance.randint(3, 9))) + "."
