"""Writers that fight over a few rows: random transactions, with pauses and rollbacks in them.

Every write raises the row's `version` by one, so a row's history is known: a target that was
given each change once, in order, has seen every version it was shown exactly once.
"""

from __future__ import annotations

import random
import time

import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from tests.load.threads import Threads

TABLE = "hot"
ROWS = 50

CREATE = (
    f"CREATE TABLE {TABLE} (id INTEGER PRIMARY KEY, version INTEGER NOT NULL, writer INTEGER,"
    " note VARCHAR(80))"
)


class Load(Threads):
    """Writers at work."""

    def __init__(
        self,
        engine: Engine,
        writers: int = 8,
        rollbacks: float = 0.15,
        longest_pause: float = 0.02,
    ) -> None:
        super().__init__(writers)
        self.engine = engine
        self.rollbacks = rollbacks
        self.longest_pause = longest_pause
        self.committed = 0

    def _write(self, number: int) -> None:
        chance = random.Random(number)
        while not self._stopping.is_set():
            try:
                with self.engine.connect() as connection:
                    transaction = connection.begin()
                    if connection.dialect.name == "postgresql":
                        # Writers that lock rows in any order deadlock all the time, and the
                        # default of a second before it looks would leave them idle.
                        connection.execute(sa.text("SET LOCAL deadlock_timeout = '20ms'"))
                    for _ in range(chance.randint(1, 8)):
                        self._change_a_row(connection, chance, number)
                        if chance.random() < 0.3:
                            time.sleep(chance.random() * self.longest_pause)
                    if chance.random() < self.rollbacks:
                        transaction.rollback()
                    else:
                        transaction.commit()
                        with self._lock:
                            self.committed += 1
            except DBAPIError:
                time.sleep(0.01)  # a deadlock, or a server that was killed: the next one may do

    def _change_a_row(self, connection: Connection, chance: random.Random, number: int) -> None:
        row = chance.randint(1, ROWS)
        bound = {"id": row, "writer": number, "note": f"écrit par {number}"}
        kind = chance.random()
        if kind < 0.1:
            connection.execute(sa.text(f"DELETE FROM {TABLE} WHERE id = :id"), bound)
            return
        changed = connection.execute(
            sa.text(
                f"UPDATE {TABLE} SET version = version + 1, writer = :writer, note = :note"
                " WHERE id = :id"
            ),
            bound,
        ).rowcount
        if not changed:
            start = time.monotonic_ns() // 1_000_000 % 1_000_000_000
            connection.execute(
                sa.text(f"INSERT INTO {TABLE} VALUES (:id, :version, :writer, :note)"),
                {**bound, "version": start},
            )


def content(engine: Engine, table: str = TABLE) -> list[tuple[object, ...]]:
    """Return a table's rows, in order of the key."""
    with engine.connect() as connection:
        rows = connection.execute(sa.text(f"SELECT * FROM {table} ORDER BY 1")).all()
        return [tuple(row) for row in rows]
