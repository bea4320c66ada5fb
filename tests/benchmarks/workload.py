"""The table of the benchmarks, and its backlog: 200,000 changes in transactions of 100."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from tests.servers import DatabaseKind
from triggers.capture import Capture
from triggers.model import TableSpec

TABLE = "orders"
COLUMNS = ("id", "customer", "item", "amount", "note", "changed_at")
PER_TRANSACTION = 100
INSERTS, UPDATES, DELETES = 100_000, 80_000, 20_000
CHANGES = INSERTS + UPDATES + DELETES

_TIMESTAMP = {"postgresql": "timestamp", "sqlite": "timestamp"}


def create_table(engine: Engine, kind: DatabaseKind, extra: str = "") -> None:
    """Create the table; `extra` is the definition of one more column."""
    timestamp = _TIMESTAMP.get(kind, "datetime(6)")
    more = f", {extra}" if extra else ""
    with engine.begin() as connection:
        connection.exec_driver_sql(
            f"CREATE TABLE {TABLE} (id bigint NOT NULL PRIMARY KEY, customer int NOT NULL,"
            " item varchar(60) NOT NULL, amount decimal(12,2) NOT NULL, note text,"
            f" changed_at {timestamp} NOT NULL{more})"
        )


def canonical(kind: DatabaseKind) -> str:
    """Return the table's name as a route of a source of this kind gives it."""
    return f"public.{TABLE}" if kind == "postgresql" else TABLE


def install(engine: Engine, kind: DatabaseKind) -> Capture:
    """Put the capture triggers on the table."""
    capture = Capture(engine)
    capture.install([TableSpec(canonical(kind))])
    return capture


def make_backlog(engine: Engine) -> None:
    """Insert 100,000 rows, update 80,000 of them once each, delete the other 20,000.

    Every transaction is 100 changes. No row changes twice after its insertion, so there is little
    that a net effect could spare; rows are updated and deleted in random order.
    """
    rng = random.Random(11)
    order = list(range(1, INSERTS + 1))
    rng.shuffle(order)
    marks = ", ".join(f":{name}" for name in COLUMNS)
    insert = sa.text(f"INSERT INTO {TABLE} ({', '.join(COLUMNS)}) VALUES ({marks})")
    chosen: sa.BindParameter[int] = sa.bindparam("ids", expanding=True)
    update = sa.text(
        f"UPDATE {TABLE} SET amount = round(amount + 1, 2), changed_at = :at WHERE id IN :ids"
    ).bindparams(chosen)
    delete = sa.text(f"DELETE FROM {TABLE} WHERE id IN :ids").bindparams(chosen)
    with engine.connect() as connection:
        for ids in _portions(range(1, INSERTS + 1)):
            _execute(connection, insert, [row(number, rng) for number in ids])
        for ids in _portions(order[:UPDATES]):
            _execute(connection, update, {"ids": ids, "at": "2026-03-01 12:30:00.250000"})
        for ids in _portions(order[UPDATES:]):
            _execute(connection, delete, {"ids": ids})


def forget_sealing(engine: Engine, capture: Capture) -> None:
    """Make the whole backlog unsealed and undelivered again."""
    outbox = capture.outbox
    with engine.begin() as connection:
        for table in (outbox.batch, outbox.gap, outbox.delivery, outbox.dead_letter):
            connection.execute(sa.delete(table))
        zero = {"highest_id": 0, "last_batch": 0, "purged_to": 0, "purged_batch": 0}
        connection.execute(sa.update(outbox.state).values(zero))
        left = connection.execute(sa.select(sa.func.count()).select_from(outbox.change)).scalar()
    if left != CHANGES:
        raise RuntimeError(f"the backlog is not whole any more: {left} changes")


def row(number: int, rng: random.Random) -> dict[str, Any]:
    """Return a row of about 120 bytes."""
    return {
        "id": number,
        "customer": rng.randrange(50_000),
        "item": f"article {rng.randrange(10_000):05d} in colour {rng.randrange(12)}",
        "amount": f"{rng.randrange(1_000_000) / 100:.2f}",
        "note": f"leave it with the neighbour at number {number % 97}",
        "changed_at": f"2026-02-{1 + number % 28:02d} 08:15:{number % 60:02d}.123456",
    }


def content(engine: Engine) -> list[tuple[Any, ...]]:
    """Return all rows in order of the key, in a form that is equal in all engines."""
    query = f"SELECT {', '.join(COLUMNS)} FROM {TABLE} ORDER BY id"
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(query).all()
    return [(*row[:3], f"{row[3]:.2f}", row[4], str(row[5])) for row in rows]


def _portions(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), PER_TRANSACTION):
        yield ids[start : start + PER_TRANSACTION]


def _execute(connection: Connection, statement: sa.TextClause, parameters: Any) -> None:
    with connection.begin():
        connection.execute(statement, parameters)
