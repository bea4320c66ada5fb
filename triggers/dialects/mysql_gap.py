"""MySQL's and MariaDB's proof that an id which is not visible never will be.

An outbox id is taken by a transaction that has written before, so InnoDB has given it a
transaction id. Every transaction that could fill a gap is therefore among the read-write
transactions that run at any moment after the gap was seen, or has ended by then. The largest of
their ids is the gap's horizon; the gap is dead when, before some later read view was opened, no
running transaction had an id at or below the horizon, and that read view does not show the id.

`information_schema.innodb_trx` answers from a cache of up to 0.1 s, which is no proof. The query
carries a fresh word; only when the row of this very connection shows this very query was the cache
filled by it. A stale answer is no answer: the gap stays open and is looked at again.

Reading innodb_trx needs the PROCESS privilege. Without it gaps stay open until purge passes them:
slower, never lossy.
"""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

READ_ONLY_FROM = 1 << 48
"""InnoDB shows transactions that have written nothing under made-up ids from here on, or as 0."""

ACCESS_DENIED = 1227


class MysqlGapProof:
    """See the module."""

    reason = "every transaction that was running when the gap was seen has ended"
    dead_when_seen = False

    def __init__(self) -> None:
        self._running: list[int] | None = None

    def before_reading(self, connection: Connection, *, open_gaps: bool) -> None:
        """List the running transactions, when there is a gap that asks for it."""
        if not open_gaps:
            return
        word = secrets.token_hex(8)
        try:
            rows = connection.execute(
                sa.text(
                    f"SELECT /* {word} */ trx_id, trx_mysql_thread_id = CONNECTION_ID()"
                    " AND trx_query LIKE :word FROM information_schema.innodb_trx"
                ),
                {"word": f"%{word}%"},
            ).all()
        except DBAPIError as error:
            if error.orig is not None and error.orig.args[0] == ACCESS_DENIED:
                return
            raise
        if any(fresh for _id, fresh in rows):
            self._running = [
                number for number in (int(trx) for trx, _f in rows) if 0 < number < READ_ONLY_FROM
            ]

    def horizon_now(self, connection: Connection) -> int | None:
        """Nothing that was read before the gap was seen can serve: the next sealing gives it."""
        del connection

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
