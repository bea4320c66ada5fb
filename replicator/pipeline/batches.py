"""Looking up sealed batches, and grouping them into rounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from replicator.errors import DeliveryStopped
from replicator.pipeline import ranges
from replicator.pipeline.closing import close_windows
from replicator.pipeline.contract import Progress, Round, Window, Windows
from replicator.pipeline.ranges import Range
from triggers.outbox import Outbox

ROUND_BATCHES = 500
MANY_RANGES = 10_000
"""How many ranges of ids are collected before they are joined."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A round that waits to be delivered, and the ids of its changes."""

    work: Round
    ids: list[Range]


class Batches:
    """The sealed batches of one source, read on a connection of their own."""

    def __init__(self, engine: Engine, outbox: Outbox) -> None:
        self._source = engine
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._outbox = outbox
        self._connection: Connection | None = None
        batch = outbox.batch
        after = sa.select(batch).where(batch.c.batch_no > sa.bindparam("after"))
        self._next = after.order_by(batch.c.batch_no).limit(ROUND_BATCHES)

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
        if not progress.mark and progress.batch_no <= state.last_batch:
            return progress  # nothing but copied tables yet
        if progress.batch_no > state.last_batch or self._mark(progress.batch_no) != progress.mark:
            raise DeliveryStopped(
                f"the target has finished batch {progress.batch_no}, which this source has not"
                f" sealed (its last batch is {state.last_batch})",
                "the source was restored from an older backup and its target is ahead: restore the"
                " target to the same moment, or copy the tables anew",
            )
        return progress

    def newest_change(self) -> int:
        """Return the highest id of a visible change, sealed or not; 0 when there is none."""
        query = sa.select(sa.func.max(self._outbox.change.c.id))
        return self._connect().execute(query).scalar() or 0

    def last_batch(self, newest_change: int) -> int | None:
        """Return the number of the newest batch; None until changes up to this id are sealed."""
        state = self._outbox.state
        query = sa.select(state.c.last_batch).where(state.c.highest_id >= newest_change)
        found: int | None = self._connect().execute(query).scalar()
        return found

    def next_round(self, after: Progress, most_rows: int) -> Waiting | None:
        """Group the batches after `after` into a round of at most `most_rows` changes.

        At least one batch when there is one, however large; None when there is none.
        """
        total = 0

        def has_room(row: sa.Row[Any]) -> bool:
            nonlocal total
            total += row.row_count
            return total <= most_rows or bool(total == row.row_count)

        found = self._gather(after, takewhile(has_room, self._page(after.batch_no)), None)
        return found if found.ids else None

    def planned_round(self, after: Progress, planned: Round) -> Waiting:
        """Return exactly the batches of a round that was begun before."""
        last = planned.reached.batch_no
        rows = self._rows(after, lambda row: bool(row.batch_no <= last))
        return self._gather(after, rows, planned.window)

    def first_window(self, after: Progress, windows: Windows) -> Window:
        """Return the window of the first batch after `after`, or the current one."""
        batch = self._outbox.batch
        sealed_at = sa.select(batch.c.sealed_at).where(batch.c.batch_no > after.batch_no)
        query = sealed_at.order_by(batch.c.batch_no).limit(1)
        found = self._connect().execute(query).scalar()
        return windows.containing(found or datetime.now(UTC))

    def window_round(self, after: Progress, window: Window) -> Waiting | None:
        """Return the batches of a window; None while it is not over.

        When it is, it is closed, so that the same batches are found ever after.
        """
        if datetime.now(UTC) < window.end:
            return None
        close_windows(self._source, self._outbox, window.end)
        rows = self._rows(after, lambda row: bool(row.sealed_at < window.end))
        return self._gather(after, rows, window)

    def _page(self, after: int) -> Sequence[sa.Row[Any]]:
        return self._connect().execute(self._next, {"after": after}).all()

    def _rows(self, after: Progress, wanted: Callable[[sa.Row[Any]], bool]) -> Iterator[Any]:
        """Yield the batches after `after` up to the first that is not wanted."""
        position = after.batch_no
        while page := self._page(position):
            for row in page:
                if not wanted(row):
                    return
                yield row
            position = page[-1].batch_no

    def _gather(
        self, after: Progress, rows: Iterable[sa.Row[Any]], window: Window | None
    ) -> Waiting:
        reached = after
        total = 0
        ids: list[Range] = []
        many = MANY_RANGES
        for row in rows:
            if reached is after and row.batch_no != after.batch_no + 1:
                raise DeliveryStopped(
                    f"batch {after.batch_no + 1} is not in the source any more",
                    "it was purged before this delivery had it: copy the tables anew",
                )
            reached = Progress(after.epoch, row.batch_no, mark(row))
            total += row.row_count
            ids += ranges.decode(row.ids)
            if len(ids) > many:
                ids = ranges.merge(ids)
                many = 2 * len(ids) + MANY_RANGES
        work = Round(
            previous=after,
            reached=reached,
            first_batch=after.batch_no + 1,
            rows=total,
            window=window,
        )
        return Waiting(work, ranges.merge(ids))

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
