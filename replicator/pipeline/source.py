"""Looking after one source: sealing as changes come, and housekeeping."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

import sqlalchemy as sa
import tenacity
from sqlalchemy import Connection, Engine

from replicator.errors import describe
from replicator.pipeline.purge import purge
from replicator.pipeline.sealing import Sealer
from replicator.pipeline.signal import BatchSignal
from triggers.outbox import Outbox

log = logging.getLogger(__name__)

BUSY_WAIT = 0.005
"""Seconds between looks while changes come."""

IDLE_WAIT = 0.5
"""Seconds between looks when nothing has come for a while."""

BUSY_FOR = 2.0
"""Seconds after a change during which the next one is expected at once."""

SLOWING = 1.3
"""Factor by which the wait then grows with each look that finds nothing."""

TICK = 2.0
"""Seconds between renewals of leases."""

PURGE_EVERY = 15.0
RETRY_WAIT = tenacity.wait_random_exponential(multiplier=0.2, max=10)


class Watch:
    """Tells, at the cost of one small query, whether there is anything to seal."""

    def __init__(self, engine: Engine, outbox: Outbox) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._connection: Connection | None = None
        gap, state = outbox.gap, outbox.state
        newest = sa.select(sa.func.max(outbox.change.c.id)).scalar_subquery()
        oldest = sa.select(sa.func.min(outbox.change.c.id)).scalar_subquery()
        has_gap = sa.select(gap.c.first_id).where(gap.c.closed_at.is_(None)).exists()
        self._query = sa.select(
            state.c.last_batch,
            sa.or_(has_gap, newest > state.c.highest_id, oldest <= state.c.purged_to),
        )

    def look(self) -> tuple[int, bool]:
        """Return the last batch, whoever sealed it, and whether there is something to look at."""
        if self._connection is None:
            self._connection = self._engine.connect()
        last_batch, found = self._connection.execute(self._query).one()
        return last_batch, bool(found)

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class SealLoop:
    """Seals one source's changes as they come, in a thread of its own."""

    def __init__(
        self,
        name: str,
        watch: Watch,
        sealer: Sealer,
        new_batch: BatchSignal,
        stop: threading.Event,
    ) -> None:
        self._name = name
        self._watch = watch
        self._sealer = sealer
        self._new_batch = new_batch
        self._stop = stop
        self._last_batch = -1
        self._failing = False

    def run(self) -> None:
        """Seal until told to stop; a source that is out of reach is tried again."""
        retrying = tenacity.Retrying(
            wait=RETRY_WAIT,
            stop=tenacity.stop_when_event_set(self._stop),
            sleep=tenacity.sleep_using_event(self._stop),
            before_sleep=self._tell_retry,
            reraise=True,
        )
        wait = BUSY_WAIT
        found_at = 0.0
        try:
            while not self._stop.is_set():
                began = time.monotonic()
                try:
                    found = retrying(self.step)
                except Exception as error:  # noqa: BLE001 - stopping; the next start tries again
                    log.debug("source %s: %s", self._name, describe(error))
                    return
                now = time.monotonic()
                if found:
                    found_at = now
                if now - found_at < BUSY_FOR:
                    wait = max(BUSY_WAIT, now - began)
                else:
                    wait = min(wait * SLOWING, IDLE_WAIT)
                self._stop.wait(wait)
        finally:
            self._watch.close()
            self._sealer.close()

    def step(self) -> bool:
        """Look, and seal what is there; return whether changes were found."""
        try:
            last_batch, found = self._watch.look()
            rows = 0
            while found and not self._stop.is_set():
                sealing = self._sealer.seal()
                last_batch = sealing.last_batch
                rows += sealing.rows
                found = sealing.rows >= self._sealer.batch_rows
        except BaseException:
            self._watch.close()
            self._sealer.close()
            raise
        if self._failing:
            self._failing = False
            log.info("source %s: back again", self._name)
        if last_batch != self._last_batch:
            self._last_batch = last_batch
            self._new_batch.wake()
        return rows > 0

    def _tell_retry(self, state: tenacity.RetryCallState) -> None:
        assert state.outcome is not None
        error = state.outcome.exception()
        assert error is not None
        if not self._failing:
            self._failing = True
            log.warning("source %s: %s (trying again)", self._name, describe(error))


def keep_house(
    name: str,
    engine: Engine,
    outbox: Outbox,
    ticks: Sequence[Callable[[], object]],
    stop: threading.Event,
) -> None:
    """Call `ticks` every few seconds and purge now and then, until told to stop."""
    purged_at = time.monotonic()
    while not stop.wait(TICK):
        for tick in ticks:
            _try(name, tick)
        if time.monotonic() - purged_at > PURGE_EVERY:
            _try(name, lambda: log.debug("source %s: purged %d", name, purge(engine, outbox, stop)))
            purged_at = time.monotonic()


def _try(name: str, action: Callable[[], object]) -> None:
    try:
        action()
    except Exception as error:  # noqa: BLE001 - the sealing loop tells of a source that is away
        log.debug("source %s: housekeeping: %s", name, describe(error))
