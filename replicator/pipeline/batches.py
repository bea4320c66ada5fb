"""Looking up sealed batches, and grouping them into rounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from replicator.errors import DeliveryStopped
from replicator.pipeline import ranges
from replicator.pipeline.contract import Progress, Round
from replicator.pipeline.ranges import Range
from triggers.outbox import Outbox

ROUND_BATCHES = 500


@dataclass(frozen=True, slots=True)
class Waiting:
    """A round that waits to be delivered, and the ids of its changes."""

    work: Round
    ids: list[Range]


class Batches:
    """The sealed batches of one source, read on a connection of their own."""

    def __init__(self, engine: Engine, outbox: Outbox) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._outbox = outbox
        self._connection: Connection | None = None
        batch = outbox.batch
        after = sa.select(batch).where(batch.c.batch_no > sa.bindparam("after"))
        self._next = after.order_by(batch.c.batch_no).limit(ROUND_BATCHES)
        self._planned = after.where(batch.c.batch_no <= sa.bindparam("last")).order_by(
            batch.c.batch_no
        )

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def start(self, progress: Progress | None) -> Progress:
        """Return where a delivery begins: its progress, checked against the source's history.

        A delivery that has none begins before the oldest batch that is still there. Raises
        `DeliveryStopped` when the source does not know this progress: it was restored from an
        older backup, or it is another database.
        """
        connection = self._connect()
        state = connection.execute(sa.select(self._outbox.state)).one()
        if progress is None:
            return Progress(state.epoch, state.purged_batch, "")
        if progress.epoch != state.epoch:
            raise DeliveryStopped(
                "the target's progress belongs to another outbox than the source's",
                "the source was set up anew or is another database: verify the target's data, then"
                " delete this delivery's row from replicator_progress in the target",
            )
        if progress.batch_no > state.last_batch or self._mark(progress.batch_no) != progress.mark:
            raise DeliveryStopped(
                f"the target has finished batch {progress.batch_no}, which this source has not"
                f" sealed (its last batch is {state.last_batch})",
                "the source was restored from an older backup and its target is ahead: restore the"
                " target to the same moment, or copy the tables anew",
            )
        return progress

    def last_batch(self) -> int:
        """Return the number of the newest batch; 0 when none was sealed."""
        query = sa.select(self._outbox.state.c.last_batch)
        return int(self._connect().execute(query).scalar_one())

    def next_round(
        self, after: Progress, most_rows: int, planned: Round | None = None
    ) -> Waiting | None:
        """Group the batches after `after` into a round of at most `most_rows` changes.

        At least one batch when there is one, however large; None when there is none. `planned`
        asks for exactly the batches of that round instead.
        """
        if planned is not None:
            bound = {"after": after.batch_no, "last": planned.reached.batch_no}
            rows = self._connect().execute(self._planned, bound).all()
        else:
            rows = self._connect().execute(self._next, {"after": after.batch_no}).all()
        if not rows:
            return None
        if rows[0].batch_no != after.batch_no + 1:
            raise DeliveryStopped(
                f"batch {after.batch_no + 1} is not in the source any more",
                "it was purged before this delivery had it: copy the tables anew",
            )
        chosen: list[sa.Row[Any]] = []
        total = 0
        for row in rows:
            if planned is None and chosen and total + row.row_count > most_rows:
                break
            chosen.append(row)
            total += row.row_count
        last = chosen[-1]
        return Waiting(
            work=Round(
                previous=after,
                reached=Progress(after.epoch, last.batch_no, mark(last)),
                first_batch=chosen[0].batch_no,
                rows=total,
            ),
            ids=ranges.merge(r for row in chosen for r in ranges.decode(row.ids)),
        )

    def _mark(self, batch_no: int) -> str | None:
        batch = self._outbox.batch
        row = self._connect().execute(sa.select(batch).where(batch.c.batch_no == batch_no)).first()
        return mark(row) if row is not None else None

    def _connect(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection


def mark(batch: sa.Row[Any]) -> str:
    """Return what tells this batch from any other of the same number."""
    return f"{batch.first_id}-{batch.last_id}:{batch.row_count}@{batch.sealed_at.isoformat()}"
