"""MySQL's and MariaDB's proof that an id which is not visible never will be.

An outbox id is taken by a transaction that has written before, so InnoDB has given it a
transaction id. Every transaction that could fill a gap is therefore among the read-write
transactions that run at any moment after the gap was seen, or has ended by then. The largest of
their ids is the gap's horizon; the gap is dead when, before some later read view was opened, no
running transaction had an id at or below the horizon, and that read view does not show the id.

`information_schema.innodb_trx` answers from a cache of up to 0.1 s, which is no proof. The query
carries a fresh word; only when the row of this very connection shows this very query was the cache
filled by it. A stale answer is no answer: the gap stays open and is looked at again. Every reading
keeps the cache as it is for another 0.1 s, so that who asks all the time never gets an answer: the
looks are further apart than that, and at random after a stale one (docs/decisions/0003).

The cache is also limited to 16 MB and cut off beyond that, without a word to the reader. An answer
that comes near that size is no answer either.

Reading innodb_trx needs the PROCESS privilege. Without it gaps stay open until purge passes them:
slower, never lossy.
"""

from __future__ import annotations

import random
import secrets
import time

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

READ_ONLY_FROM = 1 << 48
"""InnoDB shows transactions that have written nothing under made-up ids from here on, or as 0."""

ACCESS_DENIED = 1227

LOOK_EVERY = 0.15
"""Seconds between looks; more than the 0.1 s without a reading after which the cache is filled."""

LONGEST_WAIT = 2.0
"""Seconds at most until the next look after stale answers."""

DENIED_WAIT = 60.0
"""Seconds until the privilege is looked for again."""

MOST_TRANSACTIONS = 4_000
MOST_WAITING = 500
"""More than these might not fit into the cache: a transaction takes up to 2 kB, and each of n that
wait for one lock is noted down with each that waits before it."""


class MysqlGapProof:
    """See the module."""

    reason = "every transaction that was running when the gap was seen has ended"
    dead_when_seen = False

    def __init__(self) -> None:
        self._running: list[int] | None = None
        self._wait = LOOK_EVERY
        self._next_look = 0.0

    def before_reading(self, connection: Connection, *, open_gaps: bool) -> None:
        """List the running transactions, when there is a gap that asks for it, and it is time."""
        self._running = None
        now = time.monotonic()
        if not open_gaps or now < self._next_look:
            return
        try:
            self._running = _running_now(connection)
        except DBAPIError as error:
            if error.orig is None or error.orig.args[0] != ACCESS_DENIED:
                raise
            self._next_look = now + DENIED_WAIT
            return
        if self._running is not None:
            self._wait = LOOK_EVERY
        else:
            self._wait = min(self._wait * 2, LONGEST_WAIT)
        self._next_look = time.monotonic() + random.uniform(LOOK_EVERY, self._wait)

    def horizon_now(self, connection: Connection) -> int | None:
        """Nothing that was read before the gap was seen can serve: the next sealing gives it."""
        del connection
        return None

    def horizon_before(self) -> int | None:
        """Return the largest id of the transactions that run now, after an earlier sealing."""
        return None if self._running is None else max(self._running, default=0)

    def is_dead(self, connection: Connection, horizon: int | None) -> bool:
        """Tell whether no transaction up to the horizon was running before the read view."""
        del connection
        return (
            self._running is not None
            and horizon is not None
            and all(number > horizon for number in self._running)
        )


def _running_now(connection: Connection) -> list[int] | None:
    """Return the ids of the read-write transactions that run now; None when that is not certain."""
    word = secrets.token_hex(8)
    rows = connection.execute(
        sa.text(
            f"SELECT /* {word} */ trx_id, trx_mysql_thread_id = CONNECTION_ID()"
            " AND trx_query LIKE :word, trx_state = 'LOCK WAIT'"
            " FROM information_schema.innodb_trx"
        ),
        {"word": f"%{word}%"},
    ).all()
    if not any(fresh for _id, fresh, _waits in rows):
        return None
    if len(rows) > MOST_TRANSACTIONS or sum(waits for *_rest, waits in rows) > MOST_WAITING:
        return None
    return [number for number in (int(trx) for trx, *_rest in rows) if 0 < number < READ_ONLY_FROM]
