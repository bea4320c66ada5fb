"""The `backup` target: every change of a route, as it is in the outbox."""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path

from replicator.change import Block
from replicator.errors import DeliveryStopped, TargetUnavailable
from replicator.pipeline.contract import (
    DeliveryName,
    Outcome,
    Park,
    Progress,
    ProgressConflict,
    Round,
)
from replicator.targets.backup.compression import Compression
from replicator.targets.backup.journal import Journal
from replicator.targets.backup.record import JournalHeader, RoundStart, SegmentError
from replicator.targets.backup.retention import Keep, remove_old
from replicator.targets.backup.sealing import seal
from replicator.targets.backup.segment import (
    JOURNAL,
    file_digest,
    list_segments,
    read_header,
    segment_number,
)
from replicator.targets.files.folder import Folder, explained
from replicator.targets.files.names import safe_name
from triggers.model import Table

log = logging.getLogger(__name__)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Rotation:
    """When a segment is sealed: at this size (before it is compressed), or when its time is over.

    Time is cut at the multiples of `every`, in UTC.
    """

    size: int = 256 << 20
    every: timedelta = timedelta(hours=1)
    compression: Compression = "gzip"


class BackupTarget:
    """Appends each round to `<path>/<route>/current.jsonl`, which in time becomes a segment.

    A round counts once it is whole in that file. The source's record names the last such batch
    (`Outcome.memo`), so that rounds which are lost from the folder are noticed, and a round that
    was written but not recorded is written again in its place. A round without changes writes
    nothing.

    A folder holds one history of one source: a round that would overlap one of another history
    stops the delivery, and nothing is overwritten.
    """

    keeps_progress = False

    def __init__(
        self,
        path: Path,
        delivery: DeliveryName,
        rotation: Rotation | None = None,
        keep: Keep | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._delivery = delivery
        self._folder = Folder(path / safe_name(delivery.route))
        self._rotation = rotation or Rotation()
        self._keep = keep or Keep()
        self._now = now
        self._tables: Mapping[str, Table] = {}
        self._journal: Journal | None = None
        self._finished = 0  # the last batch that the folder must hold

    def open(self, tables: Mapping[str, Table], memo: str | None = None) -> Progress | None:
        """Create the folder, mend what a crash has left; no progress is kept here."""
        self._tables = tables
        self._finished = int(memo or 0)
        self._folder.prepare()
        with self._locked(), self._readable():
            self._journal = self._mended()
        return None

    def deliver(self, work: Round, blocks: Iterable[Block], park: Park) -> Outcome:  # noqa: ARG002
        """Append the round. Nothing is ever parked."""
        blocks = iter(blocks)
        first = next(blocks, None)
        if first is None:
            return Outcome(changes=0, written=0)
        start = RoundStart(
            first_batch=work.first_batch, last_batch=work.reached.batch_no, mark=work.reached.mark
        )
        with self._locked():
            journal = self._ready(work.reached.epoch, start)
            changes = journal.append(start, chain([first], blocks), self._tables)
        return Outcome(changes=changes, written=changes, memo=str(start.last_batch))

    def close(self) -> None:
        """Nothing is held between rounds."""
        self._journal = None

    def _mended(self) -> Journal | None:
        """The journal, without what was not finished; None when the folder is to be begun."""
        segments = list_segments(self._folder.path)
        journal = Journal.load(self._folder)
        if journal is None and not segments:
            return None
        if journal is None:
            journal = self._begin_after(segments[-1])
        held = journal.last_batch
        if held < self._finished:
            raise DeliveryStopped(
                f"the backup folder {self._folder.path} has lost changes: it ends with batch"
                f" {held}, and delivery {self._delivery} has finished batch {self._finished}",
                f"Bring back what is missing in {JOURNAL} or the last segments, or move"
                f" {self._folder.path} away, resume the delivery, and take a new base copy.",
            )
        journal.cut_off()
        if segments and segment_number(segments[-1]) >= journal.header.number:
            journal = self._seal(journal)
        return journal

    def _begin_after(self, newest: Path) -> Journal:
        header = read_header(newest)
        return self._begin(header.epoch, header.number + 1, file_digest(newest), header.last_batch)

    def _begin(self, epoch: str, number: int, previous: str | None, after_batch: int) -> Journal:
        header = JournalHeader(
            route=self._delivery.route,
            epoch=epoch,
            number=number,
            previous=previous,
            after_batch=after_batch,
            opened_at=self._now().isoformat(),
        )
        return Journal.create(self._folder, header)

    def _ready(self, epoch: str, start: RoundStart) -> Journal:
        """The journal, ready for this round."""
        journal = self._journal
        if journal is None:
            if (self._folder.path / JOURNAL).exists():
                raise ProgressConflict(str(self._delivery))
            if self._finished:
                log.warning(
                    "%s: %s is empty: the backup begins anew after batch %d; take a base copy",
                    self._delivery,
                    self._folder.path,
                    self._finished,
                )
            journal = self._journal = self._begin(epoch, 1, None, self._finished)
        elif not journal.is_unchanged():
            raise ProgressConflict(str(self._delivery))
        self._check_history(journal, epoch, start)
        if journal.last == start:
            journal.forget_last()
        elif journal.last is not None and self._is_full(journal):
            journal = self._journal = self._seal(journal)
            with self._readable():
                remove_old(self._folder.path, epoch, self._keep, self._now())
        return journal

    def _is_full(self, journal: Journal) -> bool:
        opened = datetime.fromisoformat(journal.header.opened_at)
        every = self._rotation.every
        over = (opened - _EPOCH) // every != (self._now() - _EPOCH) // every
        return over or journal.size >= self._rotation.size

    def _seal(self, journal: Journal) -> Journal:
        with explained(self._folder.path):
            return seal(
                self._folder,
                journal,
                self._rotation.size,
                self._rotation.compression,
                self._now().isoformat(),
            )

    def _check_history(self, journal: Journal, epoch: str, start: RoundStart) -> None:
        """Stop when the folder holds rounds that this one does not simply follow or repeat."""
        follows = journal.last_batch < start.first_batch or journal.last == start
        if journal.header.epoch == epoch and follows:
            return
        raise DeliveryStopped(
            f"the backup folder {self._folder.path} holds changes of another history of the "
            f"source: batches {start.first_batch} to {start.last_batch} of delivery "
            f"{self._delivery} do not follow batch {journal.last_batch} there",
            f"Move {self._folder.path} away (it can still be restored), then resume the delivery: "
            "it begins a new folder, which needs a base copy.",
        )

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """Stop the delivery when what is in the folder cannot be read."""
        try:
            with explained(self._folder.path):
                yield
        except SegmentError as error:
            raise DeliveryStopped(error.message, error.hint) from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Be the only writer: another replicator may hold a lease that ran out."""
        with explained(self._folder.path):
            file = (self._folder.path / ".lock").open("wb")
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise TargetUnavailable(
                    f"another process writes to the backup folder {self._folder.path}",
                    "It is tried again by itself.",
                ) from None
            yield
