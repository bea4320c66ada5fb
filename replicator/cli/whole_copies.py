"""Copies that `replicator snapshot` takes in one go: base copies, snapshots of files targets."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

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


def copy_whole(
    settings: config.Config,
    source: OpenSource,
    name: DeliveryName,
    tables: Sequence[Table],
    rate: int | None,
    stop: threading.Event,
) -> ExitCode:
    """Copy tables, parents first, for a delivery to a backup or to a files target."""
    Deliveries(source.engine, source.capture.outbox, name).register()
    if isinstance(settings.targets[name.target], config.BackupTarget):
        return _base_copy(settings, source, name, tables, rate, stop)
    with (
        named_target(settings, name.target),
        snapshots(settings, name, source.capture.dialect.canonical) as drops,
    ):
        interrupted = drops.unfinished()
        if interrupted is not None:
            say(f"{name}: the snapshot of {begun_of(interrupted).isoformat()} goes on where it was")
            code = _publish(source, name, drops, interrupted, stop)
            if code is not ExitCode.DONE or tables_of(interrupted) == [t.name for t in tables]:
                return code
        try:
            drop = _write(settings, source, name, drops, tables, rate, stop)
        except Interrupted:
            say(f"{name}: interrupted; the snapshot begins anew the next time")
            return ExitCode.INTERRUPTED
        return _publish(source, name, drops, drop, stop)


def _base_copy(
    settings: config.Config,
    source: OpenSource,
    name: DeliveryName,
    tables: Sequence[Table],
    rate: int | None,
    stop: threading.Event,
) -> ExitCode:
    target = settings.targets[name.target]
    assert isinstance(target, config.BackupTarget)
    try:
        with _whole(settings, source, name, tables, rate, stop) as whole:
            base = take_base_copy(
                target.path,
                name,
                tables,
                whole=whole,
                history=_history(source),
                compression=target.rotation().compression,
            )
    except Interrupted:
        say(f"{name}: interrupted; a base copy begins anew the next time")
        return ExitCode.INTERRUPTED
    Copies(source.engine, source.capture.outbox, name).finish()
    say(f"{name}: base copy {base.path}, {sum(part.rows for part in base.content.parts):,} rows")
    return ExitCode.DONE


def _write(
    settings: config.Config,
    source: OpenSource,
    name: DeliveryName,
    drops: Snapshots,
    tables: Sequence[Table],
    rate: int | None,
    stop: threading.Event,
) -> Drop:
    epoch, last_batch = _history(source)
    with _whole(settings, source, name, tables, rate, stop) as whole:
        own = {table.name: table for table in tables}
        return drops.write(
            Moment(epoch, last_batch, drops.begin()),
            [whole.seen(table) for table in tables],
            lambda seen: whole.changes(own[seen.name]),
        )


def _publish(
    source: OpenSource, name: DeliveryName, drops: Snapshots, drop: Drop, stop: threading.Event
) -> ExitCode:
    outbox = source.capture.outbox
    letters = Letters(source.engine, outbox, name)
    if not drops.publish(drop, lambda rows: letters.park(rows, begun_of(drop)), stop):
        say(f"{name}: interrupted; give the command again, and the snapshot goes on from here")
        return ExitCode.INTERRUPTED
    Copies(source.engine, outbox, name).finish()
    done = drop.outcome
    say(f"{name}: snapshot {drop.files[-1].name}, {done.written:,} rows")
    if done.parked:
        say(f"{name}: {done.parked:,} rows cannot be written; they are dead letters")
    return ExitCode.DONE


@contextmanager
def _whole(
    settings: config.Config,
    source: OpenSource,
    name: DeliveryName,
    tables: Sequence[Table],
    rate: int | None,
    stop: threading.Event,
) -> Iterator[WholeTables]:
    """Open tables for reading; progress bars are shown until the block ends."""
    transforms = route_transforms(settings, source.capture, name)
    transforms.tables({table.name: table for table in tables})
    copies = Copies(source.engine, source.capture.outbox, name)
    copies.begin_anew([table.name for table in tables])
    reader = open_pages(source.capture)
    try:
        with bars() as shown:
            yield WholeTables(
                reader,
                transforms.results,
                copies,
                rate,
                stop,
                lambda table, done, estimate: shown.set(f"{name} {table}", done, estimate),
            )
    finally:
        reader.close()


def _history(source: OpenSource) -> tuple[str, int]:
    """Seal what there is; return the source's epoch, and the last batch."""
    last = source.seal_all()
    with source.engine.connect() as connection:
        epoch = connection.execute(sa.select(source.capture.outbox.state.c.epoch)).scalar_one()
    return epoch, last
