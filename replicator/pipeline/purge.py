"""Removing what every delivery has finished.

Never the highest row of the outbox: an old InnoDB that is restarted takes ids up again from the
highest one that it finds. In small ranges of the primary key, each in a transaction of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import takewhile

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from replicator.pipeline import ranges
from replicator.pipeline.lock import lock_state
from triggers.engine import for_writing
from triggers.outbox import Outbox

SPAN = 5_000
BATCHES = 100
GAP_PATIENCE = timedelta(hours=1)
"""How old a gap without proof gets before its range is left to the purge mark."""

CLOSED_GAPS_KEPT = timedelta(days=7)


def purge(engine: Engine, outbox: Outbox, stop: threading.Event) -> int:
    """Remove changes and batches that every delivery has finished; return how many changes.

    Ends early, between two ranges, when `stop` is set. Another purge may run at the same time.
    """
    removed = 0
    writing = for_writing(engine)
    batch, change = outbox.batch, outbox.change
    while not stop.is_set():
        with writing.begin() as connection:
            rows = _give_up_batches(connection, outbox)
        ids = ranges.merge(ids for row in rows for ids in ranges.decode(row.ids))
        for first, last in ranges.split(ids, SPAN):
            with writing.begin() as connection:
                removed += connection.execute(
                    sa.delete(change).where(change.c.id.between(first, last))
                ).rowcount
            if stop.is_set():
                return removed
        if not rows:
            break
        with writing.begin() as connection:
            first, last = rows[0].batch_no, rows[-1].batch_no
            connection.execute(sa.delete(batch).where(batch.c.batch_no.between(first, last)))
    with writing.begin() as connection:
        _purge_gaps(connection, outbox)
    return removed


def _give_up_batches(connection: Connection, outbox: Outbox) -> Sequence[sa.Row[int, str, int]]:
    """Return the next batches to remove; no delivery begins with one of them from now on.

    A delivery that registers waits meanwhile: it is either counted here, or begins above them.
    """
    batch, delivery, state = outbox.batch, outbox.delivery, outbox.state
    lock_state(connection, outbox)
    finished = connection.execute(sa.select(sa.func.min(delivery.c.progress))).scalar()
    highest = connection.execute(sa.select(state.c.highest_id)).scalar_one()
    rows = connection.execute(
        sa.select(batch.c.batch_no, batch.c.ids, batch.c.last_id)
        .where(batch.c.batch_no < (finished or 0))
        .order_by(batch.c.batch_no)
        .limit(BATCHES)
    ).all()
    rows = list(takewhile(lambda row: row.last_id < highest, rows))
    if rows:
        connection.execute(sa.update(state).values(purged_batch=rows[-1].batch_no))
    return rows


def _purge_gaps(connection: Connection, outbox: Outbox) -> None:
    """Forget old gaps. One that was never proven dead leaves its range to the purge mark.

    A row that still turns up at or below the mark is late by definition, and is sealed. Sealers
    wait meanwhile: one of them could be sealing such a row out of its gap just now.
    """
    gap, state = outbox.gap, outbox.state
    lock_state(connection, outbox)
    now = datetime.now(UTC)
    connection.execute(sa.delete(gap).where(gap.c.closed_at < now - CLOSED_GAPS_KEPT))
    unproven = gap.c.closed_at.is_(None)
    oldest_kept = connection.execute(sa.select(sa.func.min(outbox.change.c.id))).scalar()
    passed = sa.and_(
        unproven, gap.c.seen_at < now - GAP_PATIENCE, gap.c.last_id < (oldest_kept or 0)
    )
    last = connection.execute(sa.select(sa.func.max(gap.c.last_id)).where(passed)).scalar()
    if last is not None:
        connection.execute(sa.update(state).where(state.c.purged_to < last).values(purged_to=last))
        connection.execute(sa.delete(gap).where(unproven, gap.c.last_id <= last))
