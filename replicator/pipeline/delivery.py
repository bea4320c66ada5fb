"""Carrying one route's changes to one target, round after round, whatever fails in between."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain

import tenacity

from replicator.change import Block
from replicator.errors import DeliveryStopped, describe, needs_somebody
from replicator.pipeline import owner
from replicator.pipeline.batches import Batches
from replicator.pipeline.contract import (
    DeliveryName,
    Park,
    Parked,
    Progress,
    ProgressConflict,
    Round,
    Target,
    Window,
    Windows,
)
from replicator.pipeline.copying import Copying
from replicator.pipeline.deliveries import Deliveries, DeliveryState, LetterState, Record
from replicator.pipeline.feed import Feed
from replicator.pipeline.reader import ChangeReader
from replicator.pipeline.runs import Runs
from replicator.pipeline.schema import CaptureChanged, Schema
from replicator.pipeline.signal import BatchSignal

log = logging.getLogger(__name__)

WAIT = 0.5
"""Seconds between looks at the stop signal while there is nothing to deliver."""

PROGRESS_SECONDS = 5.0
"""Batches without a change for this delivery move its progress at least this often."""

ROUNDS_SECONDS = 2.0
"""While tables are copied, so long are rounds delivered before it is their turn again."""

COPYING_WAIT = 0.05
"""As WAIT, while tables are copied."""

RETRY_WAIT = tenacity.wait_random_exponential(multiplier=0.2, max=30)
"""Seconds before another try: a random share of 0.2, 0.4, 0.8 ... up to 30."""

TOLD_AT_ONCE = 10
"""How many parked changes are told one by one; all are in the source's record."""

ATTEMPTS_ONCE = 6
"""Tries of a delivery that is not to wait for better times (`run --once`)."""


class Delivery:
    """One delivery. `run` works in a thread of its own until `stop` is set or it has finished."""

    def __init__(
        self,
        name: DeliveryName,
        *,
        target: Target,
        schema: Schema,
        record: Deliveries,
        open_batches: Callable[[], Batches],
        open_reader: Callable[[], ChangeReader],
        new_batch: BatchSignal,
        stop: threading.Event,
        next_run: Callable[[datetime], datetime] | None = None,
        until: int | None = None,
        windows: Windows | None = None,
        copying: Copying | None = None,
    ) -> None:
        """Prepare a delivery.

        With `next_run` it delivers what is sealed at each of these times, and once at the start,
        for what was missed; otherwise all the time. With `until` it ends when it has finished that
        batch, or gives up after some tries. With `windows` each round is one of them that is over,
        and with `until`, too, it ends when it has finished those that are over now. With
        `copying`, tables that are to be copied are, in turns with the rounds; with `until` it ends
        when they are, too.
        """
        self.name = name
        self.error: BaseException | None = None
        self._target = target
        self._schema = schema
        self._record = record
        self._open_batches = open_batches
        self._open_reader = open_reader
        self._new_batch = new_batch
        self._stop = stop
        self._until = until
        self._windows = windows
        self._window: Window | None = None  # the next one to be delivered
        self._copying = copying
        self._rounds_until = 0.0  # then copying goes on
        self._caught_up = False
        self._sealed_before: int | None = None  # the last batch when copying last had its turn
        self._began = datetime.now(UTC)
        self._runs = Runs(next_run, record, open_batches) if next_run is not None else None
        self._owner = owner.this_process()
        self._feed: Feed | None = None
        self._kept: Progress | None = None  # what the target, or the record, holds
        self._progress = Progress("", 0, "")  # where delivery stands: `_kept`, or where it began
        self._reached = self._progress  # up to here nothing was for this delivery
        self._moved_at = 0.0
        self._held = threading.Event()  # paused or stopped, as the source's record says
        self._leased = False
        self._stands_by = False  # while another replicator holds the lease

    def run(self) -> None:
        """Deliver until told to stop; never raises."""
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: not needs_somebody(error)),
            wait=RETRY_WAIT,
            stop=tenacity.stop_any(
                tenacity.stop_when_event_set(self._stop),
                tenacity.stop_never
                if self._until is None
                else tenacity.stop_after_attempt(ATTEMPTS_ONCE),
            ),
            sleep=tenacity.sleep_using_event(self._stop),
            before_sleep=self._tell_retry,
            reraise=True,
        )
        try:
            self._attempt(self._record.try_again)
            while not self._stop.is_set() and not self._finished():
                try:
                    retrying(self._step)
                    if self.error is not None and self._feed is not None:
                        log.info("%s: works again", self.name)
                    self.error = None
                except Exception as error:  # noqa: BLE001 - told, recorded, and waited out
                    self._give_up(error)
                    if self._until is not None:
                        return
        finally:
            self._disconnect()
            self._attempt(lambda: self._record.release_lease(self._owner))

    def keep_lease(self) -> None:
        """Renew the lease and look whether somebody paused or resumed; called every few seconds."""
        state = self._record.read().state
        if state in (DeliveryState.PAUSED, DeliveryState.STOPPED):
            self._held.set()
        else:
            self._held.clear()
            if self._leased:
                self._leased = self._record.take_lease(self._owner)

    def _finished(self) -> bool:
        if self._until is None:
            return False
        if self._windows is None:
            reached = self._progress.batch_no >= self._until
        else:
            reached = self._window is not None and self._window.end > self._began
        return (reached and not self._copies()) or self._held.is_set()

    def _step(self) -> None:
        """Deliver one round, or wait a moment for one."""
        try:
            lost = self._feed is not None and not self._leased
            copies = self._copies()
            if self._held.is_set() or lost or not (copies or self._is_time()):
                self._disconnect()
                self._stop.wait(WAIT)
                return
            if self._feed is not None and not self._schema.is_current(self._progress.batch_no):
                self._disconnect()
            feed = self._feed or self._connect()
            if feed is None:
                self._stop.wait(WAIT)
                return
            if copies and time.monotonic() >= self._rounds_until:
                self._copy()
                return
            found = feed.next_round(COPYING_WAIT if copies else WAIT)
            self._caught_up = found is None
            if found is not None:
                self._deliver(*found)
            elif copies:
                self._rounds_until = 0.0
            elif self._reached != self._progress:
                self._move_progress(())
        except CaptureChanged:
            self._disconnect()  # to begin again with the columns that there are now
        except ProgressConflict:
            self._disconnect()  # another replicator has done it: look again where it is
            self._stop.wait(WAIT)
        except BaseException:
            self._disconnect()
            raise

    def _copies(self) -> bool:
        return self._copying is not None and self._copying.is_wanted()

    def _copy(self) -> None:
        """Copy for a while; what is read meanwhile is read after all that is delivered."""
        assert self._copying is not None
        if self._kept is None or self._reached != self._progress:
            self._move_progress(())
        before = self._sealed_before
        self._copying.copy_some(
            self._page_round,
            lambda: not self._stop.is_set() and not self._held.is_set() and self._leased,
            caught_up=self._caught_up or (before is not None and self._progress.batch_no >= before),
        )
        self._sealed_before = self._record.last_batch()
        self._rounds_until = time.monotonic() + ROUNDS_SECONDS

    def _page_round(self, rows: int) -> Round:
        """A round that moves the progress from where it is to where it is."""
        return Round(
            previous=self._kept,
            reached=self._progress,
            first_batch=self._progress.batch_no + 1,
            rows=rows,
        )

    def _is_time(self) -> bool:
        return self._runs is None or self._runs.is_time(self._progress.batch_no)

    def _connect(self) -> Feed | None:
        """Open the target and begin to read; None while another replicator holds the lease."""
        self._record.register()
        holder = self._record.lease_owner()
        gone = [holder] if holder is not None and owner.is_gone(holder) else []
        if not self._record.take_lease(self._owner, gone):
            if not self._stands_by:
                log.info("%s: another replicator delivers (%s), this one waits", self.name, holder)
            self._stands_by = True
            self._follow()
            return None
        if self._stands_by:
            log.info("%s: taken over", self.name)
        self._stands_by = False
        self._leased = True
        recorded = self._record.read()
        if recorded.state is DeliveryState.PAUSED:
            self._held.set()
            return None
        settled = self._schema.settle(recorded.memo)
        if settled.memo != recorded.memo:
            self._record.remember(settled.memo, self._owner)
        kept = self._target.open(settled.tables, settled.memo)
        progress = kept if self._target.keeps_progress else recorded.progress
        if progress is None and recorded.progress is not None:
            raise DeliveryStopped(
                f"the target knows nothing of this delivery, which has finished batch"
                f" {recorded.progress.batch_no}",
                "its table replicator_progress was lost: restore the target, or copy the tables"
                " anew",
            )
        batches = self._open_batches()
        try:
            start = batches.start(progress)
            if progress is not None and progress != recorded.progress:
                self._record.adopt(progress, self._owner)
            self._record.forget_parked_after(progress)
            planned = None if self._target.keeps_progress else recorded.planned
            self._window = self._next_window(recorded, planned, batches, start)
        except BaseException:
            batches.close()
            raise
        self._kept = progress
        self._progress = self._reached = start
        self._feed = Feed(
            batches,
            self._schema.reader(self._open_reader()),
            list(settled.tables),
            start,
            planned,
            self._new_batch,
            self._windows,
            self._window,
        )
        return self._feed

    def _next_window(
        self, recorded: Record, planned: Round | None, batches: Batches, start: Progress
    ) -> Window | None:
        if self._windows is None:
            return None
        if planned is not None:
            return planned.window
        if recorded.window_end is None:
            return batches.first_window(start, self._windows)
        window = self._windows.containing(recorded.window_end)
        return Window(max(window.start, recorded.window_end), window.end)

    def _follow(self) -> None:
        """Take note of how far the replicator is that holds the lease: it may finish for us."""
        recorded = self._record.read()
        if recorded.progress is not None:
            self._progress = self._reached = recorded.progress
        if recorded.window_end is not None and self._windows is not None:
            self._window = self._windows.containing(recorded.window_end)

    def _deliver(self, work: Round, blocks: Iterator[Block]) -> None:
        if work.window is not None or self._windows is not None:
            self._deliver_window(work, blocks)
            return
        first = next(blocks, None)
        self._reached = work.reached
        if first is not None:
            self._move_progress(chain([first], blocks), work)
        elif time.monotonic() - self._moved_at > PROGRESS_SECONDS or self._at_end():
            self._move_progress(())

    def _deliver_window(self, work: Round, blocks: Iterator[Block]) -> None:
        self._reached = work.reached
        self._move_progress(blocks, work)
        if self._windows is None or work.window is None:
            self._disconnect()  # begun under other settings: look anew where this delivery stands
        else:
            self._window = self._windows.containing(work.window.end)

    def _move_progress(self, blocks: Iterable[Block], work: Round | None = None) -> None:
        """Deliver everything read since the target's progress as one round."""
        whole = Round(
            previous=self._kept,
            reached=self._reached,
            first_batch=self._progress.batch_no + 1,
            rows=work.rows if work is not None else 0,
            window=work.window if work is not None else None,
        )
        if not self._target.keeps_progress:
            self._record.plan(whole, self._owner)
        outcome = self._target.deliver(whole, blocks, self._park(whole))
        self._kept = self._progress = whole.reached
        self._moved_at = time.monotonic()
        self._record.finish(whole, outcome, self._owner)
        log.debug("%s: batch %d, %s", self.name, whole.reached.batch_no, outcome)

    def _park(self, work: Round) -> Park:
        def park(parked: Sequence[Parked]) -> None:
            if self._copies():  # what it refers to may not be copied yet
                self._record.park(work, parked, LetterState.COPYING)
                return
            self._record.park(work, parked)
            for item in parked[:TOLD_AT_ONCE]:
                where = f"{item.change.table}, change {item.change.id}"
                log.error("%s: %s parked: %s", self.name, where, item.error)
            if len(parked) > TOLD_AT_ONCE:
                log.error("%s: %d more parked", self.name, len(parked) - TOLD_AT_ONCE)

        return park

    def _at_end(self) -> bool:
        goal = self._runs.goal if self._runs is not None else None
        return any(end is not None and self._reached.batch_no >= end for end in (self._until, goal))

    def _disconnect(self) -> None:
        if self._feed is not None:
            self._feed.close()
            self._feed = None
        if self._copying is not None:
            self._copying.close()
        self._target.close()

    def _tell_retry(self, state: tenacity.RetryCallState) -> None:
        assert state.outcome is not None
        error = state.outcome.exception()
        assert error is not None
        self.error = error
        pause = state.next_action.sleep if state.next_action is not None else 0.0
        log.warning("%s: %s (trying again in %.1f s)", self.name, describe(error), pause)
        self._attempt(lambda: self._record.fail(DeliveryState.FAILING, describe(error)))

    def _give_up(self, error: BaseException) -> None:
        self.error = error
        if self._stop.is_set():
            return
        log.error("%s: %s", self.name, describe(error))
        if needs_somebody(error):
            self._held.set()
            self._attempt(lambda: self._record.fail(DeliveryState.STOPPED, describe(error)))
        else:
            self._attempt(lambda: self._record.fail(DeliveryState.FAILING, describe(error)))

    def _attempt(self, action: Callable[[], None]) -> None:
        """Do something to the source's record, which may be out of reach just now."""
        try:
            action()
        except Exception as error:  # noqa: BLE001 - the record is retold by the next success
            log.debug("%s: the source's record: %s", self.name, describe(error))
