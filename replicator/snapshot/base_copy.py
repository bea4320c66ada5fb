"""The base copy that a backup begins with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from replicator.change import Row
from replicator.pipeline.contract import DeliveryName
from replicator.snapshot.whole import WholeTables
from replicator.targets.backup.base import Base, BaseWriter
from replicator.targets.backup.compression import Compression
from replicator.targets.files.names import safe_name
from triggers.model import Table


def take_base_copy(
    folder: Path,
    name: DeliveryName,
    tables: Sequence[Table],
    *,
    whole: WholeTables,
    history: tuple[str, int],
    compression: Compression,
) -> Base:
    """Write the rows of tables, parents first, beside the changes of a backup.

    `history`: the source's epoch, and the last batch that was sealed before the copy begins. The
    delivery goes on meanwhile: a restore applies what came after that batch on top. Raises
    `Interrupted`; a copy is taken anew then.
    """
    epoch, after_batch = history
    with BaseWriter(
        folder / safe_name(name.route),
        route=name.route,
        epoch=epoch,
        after_batch=after_batch,
        compression=compression,
    ) as writer:
        for table in tables:
            writer.table(whole.seen(table))
            writer.rows(_rows(whole, table))
        return writer.finish(datetime.now(UTC))


def _rows(whole: WholeTables, table: Table) -> Iterator[Row]:
    for changes in whole.changes(table):
        for change in changes:
            yield change.row
