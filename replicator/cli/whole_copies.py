"""Copies that `replicator snapshot` takes in one go: base copies, snapshots of files targets."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from replicator import config
from replicator.cli.exits import ExitCode
from replicator.cli.progress import bars
from replicator.cli.terminal import say
from replicator.compose import OpenSource, route_transforms, snapshots
from replicator.pace import Interrupted
from replicator.pipeline.contract import DeliveryName
from replicator.pipeline.deliveries import Deliveries
from replicator.reach import named_target
from replicator.snapshot.base_copy import take_base_copy
from replicator.snapshot.letters import Letters
from replicator.snapshot.record import Copies
from replicator.snapshot.whole import WholeTables
from replicator.sources import open_pages
from replicator.targets.files.ledger import Drop
from replicator.targets.files.snapshot import Moment, Snapshots, begun_of, tables_of
from triggers.model import Table


@dataclass(frozen=True)
class WholeCopy:
    """Tables, parents first, for a delivery to a backup or to a files target."""

    settings: config.Config
    source: OpenSource
    name: DeliveryName
    tables: Sequence[Table]
    rate: int | None
    stop: threading.Event

    def take(self) -> ExitCode:
        """Copy them."""
        Deliveries(self.source.engine, self.source.capture.outbox, self.name).register()
        target = self.settings.targets[self.name.target]
        if isinstance(target, config.BackupTarget):
            return self._base_copy(target)
        canonical = self.source.capture.dialect.canonical
        with (
            named_target(self.settings, self.name.target),
            snapshots(self.settings, self.name, canonical) as drops,
        ):
            return self._snapshot(drops)

    def _base_copy(self, target: config.BackupTarget) -> ExitCode:
        try:
            with self._whole() as whole:
                base = take_base_copy(
                    target.path,
                    self.name,
                    self.tables,
                    whole=whole,
                    history=self._history(),
                    compression=target.rotation().compression,
                )
        except Interrupted:
            say(f"{self.name}: interrupted; a base copy begins anew the next time")
            return ExitCode.INTERRUPTED
        self._finish()
        rows = sum(part.rows for part in base.content.parts)
        say(f"{self.name}: base copy {base.path}, {rows:,} rows")
        return ExitCode.DONE

    def _snapshot(self, drops: Snapshots) -> ExitCode:
        interrupted = drops.unfinished()
        if interrupted is not None:
            begun = begun_of(interrupted).isoformat()
            say(f"{self.name}: the snapshot of {begun} goes on where it was")
            code = self._publish(drops, interrupted)
            wanted = [table.name for table in self.tables]
            if code is not ExitCode.DONE or tables_of(interrupted) == wanted:
                return code
        try:
            drop = self._write(drops)
        except Interrupted:
            say(f"{self.name}: interrupted; the snapshot begins anew the next time")
            return ExitCode.INTERRUPTED
        return self._publish(drops, drop)

    def _write(self, drops: Snapshots) -> Drop:
        epoch, last_batch = self._history()
        with self._whole() as whole:
            own = {table.name: table for table in self.tables}
            return drops.write(
                Moment(epoch, last_batch, drops.begin()),
                [whole.seen(table) for table in self.tables],
                lambda seen: whole.changes(own[seen.name]),
            )

    def _publish(self, drops: Snapshots, drop: Drop) -> ExitCode:
        letters = Letters(self.source.engine, self.source.capture.outbox, self.name)
        if not drops.publish(drop, lambda rows: letters.park(rows, begun_of(drop)), self.stop):
            say(f"{self.name}: interrupted; the next command goes on with the snapshot")
            return ExitCode.INTERRUPTED
        self._finish()
        done = drop.outcome
        say(f"{self.name}: snapshot {drop.files[-1].name}, {done.written:,} rows")
        if done.parked:
            say(f"{self.name}: {done.parked:,} rows cannot be written; they are dead letters")
        return ExitCode.DONE

    @contextmanager
    def _whole(self) -> Iterator[WholeTables]:
        """Open tables for reading; progress bars are shown until the block ends."""
        capture = self.source.capture
        transforms = route_transforms(self.settings, capture, self.name)
        transforms.tables({table.name: table for table in self.tables})
        copies = Copies(self.source.engine, capture.outbox, self.name)
        copies.begin_anew([table.name for table in self.tables])
        reader = open_pages(capture)
        try:
            with bars() as shown:
                yield WholeTables(
                    reader,
                    transforms.results,
                    copies,
                    self.rate,
                    self.stop,
                    lambda table, done, whole: shown.set(f"{self.name} {table}", done, whole),
                )
        finally:
            reader.close()

    def _history(self) -> tuple[str, int]:
        """Seal what there is; return the source's epoch, and the last batch."""
        last = self.source.seal_all()
        state = self.source.capture.outbox.state
        with self.source.engine.connect() as connection:
            epoch: str = connection.execute(sa.select(state.c.epoch)).scalar_one()
        return epoch, last

    def _finish(self) -> None:
        Copies(self.source.engine, self.source.capture.outbox, self.name).finish()
