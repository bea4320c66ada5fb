"""The contract between the pipeline and its targets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from replicator.change import Block, Change
from triggers.model import Table


@dataclass(frozen=True, slots=True)
class DeliveryName:
    """One route to one target."""

    route: str
    target: str

    def __str__(self) -> str:
        return f"{self.route}/{self.target}"


@dataclass(frozen=True, slots=True)
class Progress:
    """The last batch that a delivery has finished.

    `mark` identifies that batch in the history of its source, so that a source which was restored
    from an older backup, and has since sealed another batch of the same number, is noticed.
    """

    epoch: str
    batch_no: int
    mark: str


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time; the batches sealed in it are delivered together."""

    start: datetime
    end: datetime  # not part of it


class Windows(Protocol):
    """Divides time into windows, one right after the other."""

    def containing(self, moment: datetime) -> Window:
        """Return the window that holds this moment (with time zone)."""


@dataclass(frozen=True, slots=True)
class Round:
    """Consecutive batches that are delivered together: those after `previous` up to `reached`.

    With a `window` they are exactly those sealed in it, perhaps none.
    """

    previous: Progress | None
    reached: Progress
    first_batch: int
    rows: int  # changes in these batches, of all tables
    window: Window | None = None


@dataclass(frozen=True, slots=True)
class Parked:
    """A change that the target refuses for what it holds; it becomes a dead letter."""

    change: Change
    error: str  # names the rule that refused it; never holds row values


class Park(Protocol):
    """Records dead letters durably. A target calls it before it commits the rest of the round."""

    def __call__(self, parked: Sequence[Parked]) -> None: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a target did in one round."""

    changes: int  # changes taken in, parked ones included
    written: int  # rows, or lines, written or deleted after net effect
    parked: int = 0
    coerced: int = 0
    memo: str | None = None  # replaces what `Target.open` gets the next time


class ProgressConflict(Exception):
    """Another replicator has moved this delivery's progress; nothing was written."""


class Target(Protocol):
    """A place where changes are delivered, for one delivery.

    The pipeline calls `open`, then `deliver` for one round after another, then `close`, always
    from one thread. Any exception from `open` or `deliver` leaves nothing of that round behind, or
    only what a repetition of the same round overwrites with the same bytes; the pipeline then
    calls `close`, and `open` again before the next attempt. `close` never raises.
    """

    keeps_progress: bool
    """Whether progress is stored in the target, in one transaction with the data.

    Where it is not, the pipeline records each round in the source before it delivers it, and
    repeats exactly that round after a crash.
    """

    def open(self, tables: Mapping[str, Table], memo: str | None = None) -> Progress | None:
        """Connect and prepare for changes of these source tables (by canonical name).

        `memo` is the text that the last finished round gave in `Outcome.memo`; the source keeps it.
        Return the progress that the target itself keeps together with the data; None when it
        keeps none, or nothing was ever delivered.
        """

    def deliver(self, work: Round, blocks: Iterable[Block], park: Park) -> Outcome:
        """Make one round durable, progress included, before returning.

        `blocks` yields the round's changes of this delivery's tables in order of id; it can be
        read once. Blocks are small (about a thousand rows); a whole round need not fit in memory.
        Raises `ProgressConflict` when the progress kept here is not `work.previous`.
        """

    def close(self) -> None:
        """Release connections and files."""
