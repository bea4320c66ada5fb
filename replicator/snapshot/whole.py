"""Reading whole tables for a copy that is taken in one go."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from replicator.change import Change
from replicator.pace import Pace, Tell
from replicator.snapshot.record import Copies
from replicator.snapshot.results import read_page
from replicator.sources.pages import FIRST_ROWS, PageReader
from replicator.transform.model import Result
from triggers.model import Table


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

    def seen(self, table: Table) -> Table:
        """A table as targets see it."""
        result = self.results.get(table.name)
        return table if result is None else result.as_table()

    def changes(self, table: Table) -> Iterator[list[Change]]:
        """Yield a table's rows as insertions, with ids that count them."""
        estimate = self.reader.estimate(table)
        self.copies.begin(table.name, estimate)
        result = self.results.get(table.name)
        pace = Pace(table.name, estimate, self.rate, self.stop, self.tell)
        number = 0
        rows = FIRST_ROWS
        last: bytes | None = None
        while True:
            page = read_page(self.reader, table, last, pace.most(rows), result)
            for block in page.blocks:
                changes = block.changes()
                for change in changes:
                    number += 1
                    change.id = number
                yield changes
            last, rows = page.last, page.rows_next()
            self.copies.advance(table.name, last, pace.rows + page.rows)
            pace.passed(page.rows)
            if last is None:
                return
