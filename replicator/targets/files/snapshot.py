"""Snapshots: all rows of tables at one time, as files beside those of the changes that follow.

Files grow in a folder of their own, in `.drops`. Once they are complete and recorded in the
snapshots' own ledger they move to the local copy, and are published as other drops are.
"""

from __future__ import annotations

import fcntl
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from replicator.change import Change, encode
from replicator.errors import DeliveryStopped, TargetUnavailable
from replicator.pipeline.contract import DeliveryName, Outcome, Parked, Progress, Round
from replicator.targets.files.folder import Folder, explained
from replicator.targets.files.formats import new_file
from replicator.targets.files.layout import DropLayout
from replicator.targets.files.ledger import Drop, Ledger
from replicator.targets.files.manifest import SnapshotManifest, plain_snapshot_list
from replicator.targets.files.publish import publish_file
from replicator.targets.files.spool import DraftedFile, RoundFiles
from replicator.targets.files.store import Store
from replicator.targets.files.target import ledger_path
from triggers.model import Table

_CLOCK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Moment:
    """What a snapshot holds: everything up to a batch, and maybe some of what came later."""

    epoch: str
    last_batch: int
    begun: datetime  # UTC, whole seconds


class Snapshots:
    """The snapshots of one delivery, in a `with` block: one process at a time has them.

    `write` makes one, complete, in the local copy; `publish` puts it there, and goes on with one
    that was interrupted: `unfinished`. What was interrupted while it was written leaves nothing.
    """

    def __init__(
        self,
        layout: DropLayout,
        store: Store,
        delivery: DeliveryName,
        into: Mapping[str, str],
    ) -> None:
        """`layout` is that of snapshots; `into` says what stands for `{table}`."""
        self._layout = layout
        self._store = store
        self._delivery = delivery
        self._into = into
        self._path = snapshots_path(layout.local_copy, delivery)
        self._drafts = self._path.with_suffix(".drafts")
        self._stack = ExitStack()

    def __enter__(self) -> Snapshots:
        """Connect to the store. Raises `TargetUnavailable` while another process has them."""
        with ExitStack() as stack:
            Folder(self._path.parent).prepare()
            self._lock(stack)
            self._ledger = Ledger(self._path)
            stack.callback(self._ledger.close)
            stack.callback(self._store.close)
            self._store.open()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def unfinished(self) -> Drop | None:
        """Return a snapshot that is complete, but not yet published as a whole."""
        return self._ledger.unfinished()

    def begin(self) -> datetime:
        """Return when a snapshot begins that is begun now: never in the second of the last one."""
        last = [begun_of(drop) for drop in self._ledger.drops()[-1:]]
        while (now := datetime.now(UTC).replace(microsecond=0)) in last:
            time.sleep(_CLOCK_SECONDS)
        return now

    def write(
        self,
        moment: Moment,
        tables: Sequence[Table],
        rows: Callable[[Table], Iterable[Sequence[Change]]],
    ) -> Drop:
        """Write tables; `rows` gives those of one as insertions, in pieces, each with its own id.

        `DeliveryStopped` when their names are taken, or a table has not what its files are to hold.
        """
        if "I" not in self._layout.contents.operations:
            raise DeliveryStopped(
                f"delivery {self._delivery}: the target's files hold no inserted rows, and a"
                " snapshot has no others",
                'Add "I" to the `operations` of the target.',
            )
        for table in tables:
            new_file(self._layout.contents, table, self._layout.encoding)
        self._discard_drafts()
        try:
            return self._write(moment, tables, rows)
        finally:
            if self.unfinished() is None:
                self._discard_drafts()

    def publish(
        self, drop: Drop, park: Callable[[Sequence[Parked]], None], stop: threading.Event
    ) -> bool:
        """Publish what has not been published yet; return whether everything is.

        `park` records the rows that could not be written; a repetition gives it the same ones.
        """
        self._take_over(drop)
        park([item for some in self._ledger.parked(drop) for item in some])
        for file in drop.files:
            if stop.is_set():
                return False
            publish_file(file, self._layout.local_copy, self._store, self._ledger)
        self._ledger.finish(drop)
        return True

    def _lock(self, stack: ExitStack) -> None:
        with explained(self._path.parent):
            lock = stack.enter_context(self._path.with_suffix(".lock").open("wb"))
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise TargetUnavailable(
                    f"delivery {self._delivery}: another process takes a snapshot",
                    "Give the command again when it has ended.",
                ) from None

    def _write(
        self,
        moment: Moment,
        tables: Sequence[Table],
        rows: Callable[[Table], Iterable[Sequence[Change]]],
    ) -> Drop:
        begun = moment.begun.strftime("%Y-%m-%dT%H:%M:%S")
        work = Round(None, Progress(moment.epoch, moment.last_batch, begun), 1, 0)
        layout = replace(self._layout, local_copy=self._drafts)
        parked: list[tuple[str, str]] = []
        changes = 0

        def keep(refused: Sequence[Parked]) -> None:
            parked.extend((encode(item.change).decode(), item.error) for item in refused)

        with ExitStack() as stack:
            files = RoundFiles(layout, self._delivery, self._into, work, stack, captured_at=begun)
            for table in tables:
                files.begin(table.name, table)
                for some in rows(table):
                    keep(files.add(table.name, table, some))
                    changes += len(some)
            drafted, refused = files.complete()
            keep(refused)
            manifest = self._manifest(work, moment, drafted, stack)
            everything = [*drafted, manifest]
            self._check_untaken([file.name for file in everything])
            for file in everything:
                file.publish()
        outcome = Outcome(
            changes=changes,
            written=sum(file.rows for file in drafted),
            parked=len(parked),
            coerced=files.replaced,
            memo=_names([table.name for table in tables]),
        )
        planned = [file.planned(is_manifest=file is manifest) for file in everything]
        return self._ledger.plan(work, outcome, planned, parked)

    def _manifest(
        self, work: Round, moment: Moment, files: Sequence[DraftedFile], stack: ExitStack
    ) -> DraftedFile:
        layout = self._layout
        manifest = SnapshotManifest(
            delivery=str(self._delivery),
            epoch=moment.epoch,
            begun=moment.begun,
            last_batch=moment.last_batch,
            files=[file.listed() for file in files],
        )
        assert layout.manifest is not None
        name = layout.manifest.name(
            table="",
            route=self._delivery.route,
            batch=moment.last_batch,
            first_batch=work.first_batch,
            captured_at=work.reached.mark,
        )
        file = DraftedFile(self._drafts, name, "", stack)
        if layout.manifest_line is None:
            file.append(manifest.encode())
        else:
            lines = plain_snapshot_list(layout.manifest_line, manifest)
            file.append(lines.encode(layout.encoding))
        file.complete()
        return file

    def _check_untaken(self, names: Sequence[str]) -> None:
        """A snapshot has files of its own: it overwrites nothing that was published."""
        name = self._ledger.taken(names)
        others = ledger_path(self._layout.local_copy, self._delivery)
        if name is None and others.exists():
            ledger = Ledger(others)
            try:
                name = ledger.taken(names)
            finally:
                ledger.close()
        if name is not None:
            raise DeliveryStopped(
                f"delivery {self._delivery}: an earlier drop has published {name} already",
                "Was the clock set back, or a name pattern changed? Choose a `snapshot_name` that"
                " gives new names.",
            )

    def _take_over(self, drop: Drop) -> None:
        """Move a recorded snapshot's files to the local copy, those that are not there yet."""
        with explained(self._layout.local_copy):
            for file in drop.files:
                draft = self._drafts / file.name
                if draft.exists():
                    path = self._layout.local_copy / file.name
                    Folder(path.parent).prepare()
                    draft.replace(path)
                    Folder(path.parent).sync()
        self._discard_drafts()

    def _discard_drafts(self) -> None:
        shutil.rmtree(self._drafts, ignore_errors=True)


def snapshots_path(local_copy: Path, delivery: DeliveryName) -> Path:
    """Return where the ledger of a delivery's snapshots is."""
    path = ledger_path(local_copy, delivery)
    return path.parent / "snapshots" / path.name


def begun_of(drop: Drop) -> datetime:
    """Return when a snapshot began."""
    return datetime.fromisoformat(drop.mark).replace(tzinfo=UTC)


def tables_of(drop: Drop) -> list[str]:
    """Return the source tables of a snapshot, in their order."""
    return msgspec.json.decode(drop.outcome.memo or "[]", type=list[str])


def _names(tables: Sequence[str]) -> str:
    return msgspec.json.encode(list(tables)).decode()
