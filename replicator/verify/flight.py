"""What is still under way between a source and a target, and waiting for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from replicator.errors import DeliveryStopped
from replicator.pace import Interrupted
from replicator.pipeline.batches import Batches
from replicator.pipeline.contract import Progress
from replicator.pipeline.deliveries import Deliveries, DeliveryState
from replicator.pipeline.reader import ChangeReader
from replicator.pipeline.sealing import Sealer
from replicator.snapshot.letters import key_of
from triggers.model import INCOMPLETE, Table

LOOK_SECONDS = 0.05

PATIENCE_SECONDS = 60.0
"""A delivery that has not moved for so long is not waited for any longer."""

MOST_CHANGES = 1_000_000


class NoProgress(Exception):
    """The delivery does not go on; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Touched:
    """Keys that were changed in some batches; `all`: maybe every one."""

    keys: frozenset[bytes] = frozenset()
    all: bool = False

    def __contains__(self, key: bytes) -> bool:
        return self.all or key in self.keys


class Patience:
    """Waiting for a delivery as long as it goes on."""

    def __init__(self, record: Deliveries) -> None:
        self._record = record
        self._reached: object = None
        self._deadline = 0.0

    def look(self, reached: object, awaited: str) -> None:
        """Raise `NoProgress` when nothing will come of waiting; `reached` changes while it does."""
        state = self._record.read().state
        if state is DeliveryState.PAUSED:
            raise NoProgress("it is paused: replicator resume lets it go on")
        if state is DeliveryState.STOPPED:
            raise NoProgress("it is stopped: replicator status tells why")
        now = time.monotonic()
        if reached != self._reached:
            self._reached, self._deadline = reached, now + PATIENCE_SECONDS
        elif now > self._deadline:
            raise NoProgress(
                f"nothing has come of waiting {PATIENCE_SECONDS:.0f} s for {awaited}:"
                " replicator status tells what it is doing"
            )


class Flight:
    """Of one delivery. `open_reader` gives changes as its target is to see them."""

    def __init__(
        self,
        sealer: Sealer,
        record: Deliveries,
        open_batches: Callable[[], Batches],
        open_reader: Callable[[], ChangeReader],
        stop: threading.Event,
    ) -> None:
        self._sealer = sealer
        self._record = record
        self._open_batches = open_batches
        self._open_reader = open_reader
        self._stop = stop

    def seal(self) -> int:
        """Seal everything that is visible now; return the last batch."""
        return self._sealer.seal_all()

    def wait_for(self, batch: int) -> None:
        """Wait until the target has a batch. Raises `NoProgress`, `Interrupted`."""
        patience = Patience(self._record)
        while True:
            progress = self._record.read().progress
            reached = progress.batch_no if progress is not None else 0
            if reached >= batch:
                return
            patience.look(reached, f"batch {batch}, it has finished batch {reached}")
            if self._stop.wait(LOOK_SECONDS):
                raise Interrupted

    def touched(self, table: Table, after: int, last: int) -> Touched:
        """Return the keys of a table that batches after one, up to another, change."""
        if last == after:
            return Touched()
        batches, reader = self._open_batches(), self._open_reader()
        keys: set[bytes] = set()
        position = Progress("", after, "")
        try:
            while position.batch_no < last:
                found = batches.next_round(position, MOST_CHANGES)
                if found is None:
                    break
                position = found.work.reached
                for block in reader.read(found.ids, [table.name]):
                    for change in block.changes():
                        for row in (change.before, change.after):
                            if row is not None and all(name in row for name in table.key):
                                keys.add(key_of(table, row))
                        if change.op == "T" or INCOMPLETE in change.row:
                            return Touched(all=True)
            if batches.start(None).batch_no > after:  # purged while it was read, or before
                return Touched(all=True)
        except DeliveryStopped:  # purged before
            return Touched(all=True)
        finally:
            reader.close()
            batches.close()
        return Touched(frozenset(keys))
