"""The `backup` target: every change of a route, as it is in the outbox."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

from replicator.change import Block
from replicator.errors import DeliveryStopped
from replicator.pipeline.contract import DeliveryName, Outcome, Park, Progress, Round
from replicator.targets.backup.segment import (
    SegmentError,
    SegmentHeader,
    SegmentWriter,
    checksum_path,
    list_segments,
    read_header,
    segment_batches,
    segment_name,
)
from replicator.targets.files.folder import Draft, Folder, explained
from replicator.targets.files.names import safe_name
from triggers.model import Table


class BackupTarget:
    """Writes each round to one segment: `<path>/<route>/<first batch>-<last batch>.jsonl.gz`.

    Name and bytes depend only on the round, so a repeated round replaces its segment by an equal
    one. `<segment>.sha256` is published after the segment and says that the round is finished: a
    segment without it was interrupted (or lost it), one without a segment shows that the segment
    was lost. A round without changes writes nothing. Rounds that are delivered in real time are
    small, and so are their files: many of them, until segments rotate by size and hour.

    A folder holds one history of one source: a round that would replace or overlap segments of
    another one stops the delivery, and nothing is overwritten.
    """

    keeps_progress = False

    def __init__(self, path: Path, delivery: DeliveryName) -> None:
        self._delivery = delivery
        self._folder = Folder(path / safe_name(delivery.route))
        self._newest: Path | None = None

    def open(self, tables: Mapping[str, Table], memo: str | None = None) -> Progress | None:  # noqa: ARG002
        """Create the folder; no progress is kept here."""
        self._folder.prepare()
        with explained(self._folder.path):
            self._newest = next(reversed(list_segments(self._folder.path)), None)
        return None

    def deliver(self, work: Round, blocks: Iterable[Block], park: Park) -> Outcome:  # noqa: ARG002
        """Publish the round's segment, then its checksum file. Nothing is ever parked."""
        header = SegmentHeader(
            route=self._delivery.route,
            epoch=work.reached.epoch,
            first_batch=work.first_batch,
            last_batch=work.reached.batch_no,
            mark=work.reached.mark,
        )
        writer = SegmentWriter(header)
        draft: Draft | None = None
        with ExitStack() as stack:
            for block in blocks:
                if draft is None:
                    self._check_history(header)
                    draft = self._draft(stack, segment_name(header.first_batch, header.last_batch))
                draft.append(writer.add(block.changes()))
            if draft is not None:
                draft.append(writer.end())
                checksum = self._draft(stack, checksum_path(draft.path).name)
                checksum.append(writer.checksum_line(draft.path.name))
                draft.complete()
                checksum.complete()
                draft.publish()
                self._folder.sync()
                checksum.publish()
                self._folder.sync()
                self._newest = draft.path
        return Outcome(changes=writer.changes, written=writer.changes)

    def close(self) -> None:
        """Nothing is held between rounds."""

    def _draft(self, stack: ExitStack, name: str) -> Draft:
        draft = self._folder.draft(name)
        stack.callback(draft.discard)
        return draft

    def _check_history(self, header: SegmentHeader) -> None:
        """Stop when the folder holds segments that this round does not simply follow or repeat."""
        if self._newest is None:
            return
        batches = (header.first_batch, header.last_batch)
        newest = segment_batches(self._newest)
        same_history = follows = newest[1] < header.first_batch or newest == batches
        # A damaged header tells nothing: the names alone decide.
        with suppress(SegmentError):
            found = read_header(self._newest)
            same_history = found.epoch == header.epoch and (newest != batches or found == header)
        if not (follows and same_history):
            raise DeliveryStopped(
                f"the backup folder {self._folder.path} holds segments of another history of the "
                f"source: batches {header.first_batch} to {header.last_batch} of delivery "
                f"{self._delivery} do not follow {self._newest.name}",
                f"Move {self._folder.path} away (its segments can still be restored), then resume "
                "the delivery: it begins a new folder.",
            )
