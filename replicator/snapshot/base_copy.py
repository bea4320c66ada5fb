"""The base copy that a backup begins with."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from replicator.change import Row
from replicator.pipeline.contract import DeliveryName
from replicator.sources.pages import FIRST_ROWS, PageReader
from replicator.targets.backup.base import Base, BaseWriter
from replicator.targets.backup.compression import Compression
from replicator.targets.files.names import safe_name
from triggers.model import Table

Tell = Callable[[str, int, int], None]
"""Is told a table, how many of its rows are copied, and about how many it has."""


class Interrupted(Exception):
    """The copy was told to stop; nothing of it is left."""


def take_base_copy(
    folder: Path,
    name: DeliveryName,
    tables: Sequence[Table],
    *,
    reader: PageReader,
    history: tuple[str, int],
    compression: Compression,
    stop: threading.Event,
    tell: Tell,
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
            writer.table(table)
            writer.rows(_rows(reader, table, stop, tell))
        return writer.finish(datetime.now(UTC))


def _rows(reader: PageReader, table: Table, stop: threading.Event, tell: Tell) -> Iterator[Row]:
    estimate = reader.estimate(table)
    copied, rows = 0, FIRST_ROWS
    last: bytes | None = None
    while True:
        if stop.is_set():
            raise Interrupted
        page = reader.page(table, last, rows)
        for block in page.blocks:
            for change in block.changes():
                yield change.row
        copied += page.rows
        tell(table.name, copied, estimate)
        last, rows = page.last, page.rows_next()
        if last is None:
            return
