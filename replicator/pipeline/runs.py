"""Scheduled runs: when a delivery is to deliver, and up to which batch."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from replicator.pipeline.batches import Batches
from replicator.pipeline.deliveries import Deliveries


class Runs:
    """The runs of one delivery: each delivers what was there when it fell due.

    When the last one ended is kept in the source, so that the runs that were missed because no
    replicator ran are made up for, by one, when one starts again. A delivery that never had a run
    waits for its first. A run that falls due while another goes on is left out.
    """

    def __init__(
        self,
        next_run: Callable[[datetime], datetime],
        record: Deliveries,
        open_batches: Callable[[], Batches],
    ) -> None:
        """`next_run` returns when the first run after a moment falls due."""
        self.goal: int | None = None
        """The last batch of the run that is under way."""
        self._next_run = next_run
        self._record = record
        self._open_batches = open_batches
        self._due: datetime | None = None
        self._newest: int | None = None  # change that has to be sealed before the goal is known

    def is_time(self, progress: int) -> bool:
        """Tell whether to deliver now, when batch `progress` is finished."""
        now = datetime.now(UTC)
        if self.goal is not None and progress >= self.goal:
            self.goal = self._newest = None
            self._record.note_run(now)
            self._due = self._next_run(now)
        if self._due is None:
            self._due = self._next_run(self._last_run(now))
        if self.goal is None and now >= self._due:
            self.goal = self._find_goal()
        return self.goal is not None

    def _last_run(self, now: datetime) -> datetime:
        self._record.register()
        last = self._record.last_run()
        if last is None:
            self._record.note_run(now)
        return last or now

    def _find_goal(self) -> int | None:
        """The newest batch, once all that is visible now is in it."""
        batches = self._open_batches()
        try:
            if self._newest is None:
                self._newest = batches.newest_change()
            return batches.last_batch(self._newest)
        finally:
            batches.close()
