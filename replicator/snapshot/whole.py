"""Reading whole tables for a copy that is taken in one go."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from replicator.change import Change
from replicator.snapshot.record import Copies
from replicator.snapshot.results import read_page
from replicator.sources.pages import FIRST_ROWS, PageReader
from replicator.transform.model import Result
from triggers.model import Table

Tell = Callable[[str, int, int], None]
"""Is told a table, how many of its rows are copied, and about how many it has."""


class Interrupted(Exception):
    """The copy was told to stop."""


@dataclass(slots=True)
class WholeTables:
    """Reads tables page by page, through the route's transforms, at most `rate` rows a second.

    How far it is goes into the source's record (`copies`), and to `tell`. `stop` ends it with
    `Interrupted`.
    """

    reader: PageReader
    results: Mapping[str, Result]
    copies: Copies
    rate: int | None
    stop: threading.Event
    tell: Tell
    _paced_to: float = 0.0

    def seen(self, table: Table) -> Table:
        """A table as targets see it."""
        result = self.results.get(table.name)
        return table if result is None else result.as_table()

    def changes(self, table: Table) -> Iterator[list[Change]]:
        """Yield a table's rows as insertions, with ids that count them."""
        estimate = self.reader.estimate(table)
        self.copies.begin(table.name, estimate)
        result = self.results.get(table.name)
        copied = number = 0
        rows = FIRST_ROWS
        last: bytes | None = None
        while True:
            if self.stop.wait(max(0.0, self._paced_to - time.monotonic())):
                raise Interrupted
            began = time.monotonic()
            most = min(rows, self.rate) if self.rate else rows
            page = read_page(self.reader, table, last, most, result)
            for block in page.blocks:
                changes = block.changes()
                for change in changes:
                    number += 1
                    change.id = number
                yield changes
            copied += page.rows
            last, rows = page.last, page.rows_next()
            self.copies.advance(table.name, last, copied)
            self.tell(table.name, copied, estimate)
            if self.rate:
                self._paced_to = began + page.rows / self.rate
            if last is None:
                return
