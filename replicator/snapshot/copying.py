"""Copying the tables of one delivery: pages in turns with its rounds."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import groupby
from operator import attrgetter

from replicator.change import Block, Change, encode
from replicator.pipeline.contract import Parked
from replicator.pipeline.copying import PageRound, PageTarget
from replicator.snapshot.letters import LOOKS, Letter, Letters, key_of
from replicator.snapshot.record import Copies, CopyState, TableCopy
from replicator.snapshot.results import find_rows, read_page, read_raw_page
from replicator.sources.pages import FIRST_ROWS, Page, PageReader
from replicator.transform.model import Result
from triggers.model import Table

log = logging.getLogger(__name__)

COPY_SECONDS = 2.0
"""How long copying goes on before rounds are delivered: changes are late by so much meanwhile."""

LOOK_SECONDS = 2.0
"""Seconds between looks whether somebody wants tables copied."""

LETTERS_AT_ONCE = 200

CLOSE_SECONDS = 2.0


class TableCopies:
    """See `Copying`. The next page is read while one is written."""

    def __init__(
        self,
        target: PageTarget,
        copies: Copies,
        letters: Letters,
        open_pages: Callable[[], PageReader],
        tables: Callable[[], Mapping[str, Table]],
        results: Callable[[], Mapping[str, Result]] = dict,
    ) -> None:
        """Prepare. `tables` returns the source's tables, `results` what transforms make of some."""
        self._target = target
        self._copies = copies
        self._letters = letters
        self._open_pages = open_pages
        self._tables = tables
        self._results = results
        self._wanted = False
        self._looked_at = float("-inf")
        self._reader: PageReader | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._coming: Future[Page] | None = None
        self._rows: dict[str, int] = {}  # of each table's next page
        self._paced_to = 0.0
        self._passes: dict[int, int] = {}  # how many rows each look at the letters has helped

    def is_wanted(self) -> bool:
        """See `Copying.is_wanted`."""
        now = time.monotonic()
        if now - self._looked_at >= LOOK_SECONDS:
            self._looked_at = now
            self._wanted = self._copies.is_unfinished()
        return self._wanted

    def copy_some(
        self, page_round: PageRound, go_on: Callable[[], bool], *, caught_up: bool
    ) -> bool:
        """See `Copying.copy_some`."""
        deadline = time.monotonic() + COPY_SECONDS
        tables = self._tables()
        wrote = False

        def may_go_on() -> bool:
            return go_on() and max(time.monotonic(), self._paced_to) < deadline

        copies = self._copies.read()
        for copy in copies:
            if copy.state not in (CopyState.WAITING, CopyState.COPYING):
                continue
            if not may_go_on():
                return wrote
            table = tables.get(copy.table)
            if table is None:
                log.warning("table %s is not part of the route any more: not copied", copy.table)
                self._copies.advance(copy.table, None, copy.copied)
                continue
            wrote = True
            if not self._copy_table(table, copy, page_round, may_go_on):
                return wrote
        is_behind = any(copy.state is CopyState.BEHIND for copy in copies)
        if caught_up and not is_behind and self._look_again(tables, page_round):
            self._copies.finish()
            self._passes.clear()
            self._looked_at = float("-inf")
        return wrote

    def copy_again(self, tables: Sequence[str]) -> None:
        """Have tables copied anew, but only after `catch_up`."""
        self._copies.restart(tables)
        self._looked_at = float("-inf")

    def catch_up(self) -> None:
        """Let the copies of `copy_again` begin."""
        self._copies.catch_up()

    def waits_for(self) -> list[str]:
        """Return the tables whose copies wait for `catch_up`."""
        return [copy.table for copy in self._copies.read() if copy.state is CopyState.BEHIND]

    def close(self) -> None:
        """See `Copying.close`."""
        pool, self._pool = self._pool, None
        reader, self._reader = self._reader, None
        coming, self._coming = self._coming, None
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)
        # A read that hangs in the network is left behind: its connection is in use.
        if reader is not None and (coming is None or wait([coming], CLOSE_SECONDS).done):
            reader.close()

    def _copy_table(
        self, table: Table, copy: TableCopy, page_round: PageRound, go_on: Callable[[], bool]
    ) -> bool:
        """Copy on from where a table is; return whether it is copied."""
        reader = self._reader = self._reader or self._open_pages()
        pool = self._pool = self._pool or ThreadPoolExecutor(1, "pages")
        copied = copy.copied
        if copy.state is CopyState.WAITING:
            self._letters.discard_written(table.name)
            self._copies.begin(table.name, reader.estimate(table))

        result = self._results().get(table.name)
        form = self._target.raw_form(table.name) if result is None else None

        def read(after: bytes | None, rows: int) -> Future[Page]:
            most = min(rows, copy.rate) if copy.rate else rows
            if form is not None:
                return pool.submit(read_raw_page, reader, table, after, most, form)
            return pool.submit(read_page, reader, table, after, most, result)

        position = copy.position
        self._coming = read(position, self._rows.get(table.name, FIRST_ROWS))
        while self._coming is not None:
            page = self._coming.result()
            self._coming = None
            self._pace(page, copy.rate)
            rows = self._rows[table.name] = page.rows_next()
            if page.last is not None and go_on():
                self._coming = read(page.last, rows)
            blocks = page.blocks
            if page.raw and not self._target.deliver_raw(
                page_round(page.rows), table.name, page.raw
            ):
                form = self._target.raw_form(table.name)
                # After the page that is on its way: both use one connection.
                blocks = pool.submit(reader.between, table, position, page.last).result()
            if blocks:
                self._target.deliver(page_round(page.rows), blocks, self._letters.add)
            copied += page.rows
            position = page.last
            self._copies.advance(table.name, position, copied)
            if position is None:
                return True
        return False

    def _pace(self, page: Page, rate: int | None) -> None:
        if rate:
            self._paced_to = max(self._paced_to, time.monotonic()) + page.rows / rate

    def _look_again(self, tables: Mapping[str, Table], page_round: PageRound) -> bool:
        """Read refused rows again and write what they are now; return whether none is left."""
        letters = self._letters.waiting(LETTERS_AT_ONCE)
        left = len(letters) == LETTERS_AT_ONCE
        by_table = attrgetter("change.table")
        for name, some in groupby(sorted(letters, key=by_table), by_table):
            again = list(some)
            table = tables.get(name)
            if table is None:
                refused = dict.fromkeys((one.id for one in again), "the route has no such table")
            else:
                refused = {one.id: one.error for one in again if one.is_hopeless}
                refused |= self._write_again(
                    table, [one for one in again if one.id not in refused], page_round
                )
            park = {one.id for one in again if one.id in refused and self._is_final(one)}
            for one in again:
                self._passes[one.looks] = self._passes.get(one.looks, 0) + (one.id not in refused)
                if one.id in park:
                    log.error("parked a row of table %s: %s", name, refused[one.id])
            self._letters.settle(again, refused, park)
            left = left or len(refused) > len(park)
        return not left

    def _is_final(self, letter: Letter) -> bool:
        """Tell whether trying again has stopped to help any row."""
        helped = self._passes.get(letter.looks - 1, 1)
        return letter.is_hopeless or (letter.looks >= LOOKS and not helped)

    def _write_again(
        self, table: Table, letters: Sequence[Letter], page_round: PageRound
    ) -> dict[int, str]:
        """Return what is still refused, by the id of its letter."""
        if not letters:
            return {}
        reader = self._reader = self._reader or self._open_pages()
        result = self._results().get(table.name)
        seen = table if result is None else result.as_table()
        images = {key_of(seen, letter.change.row): letter.change.row for letter in letters}
        found = find_rows(reader, table, result, images)
        there = {key_of(seen, c.row) for block in found for c in block.changes()}
        gone = [
            Change(0, table.name, "D", row, None, None, letters[0].change.captured_at)
            for key, row in images.items()
            if key not in there
        ]
        blocks = [*found, *([Block.of([encode(change) for change in gone])] if gone else [])]
        rows = sum(block.count for block in blocks)
        refused: list[Parked] = []
        self._target.deliver(page_round(rows), blocks, lambda parked: refused.extend(parked))
        errors = {key_of(seen, p.change.row): p.error for p in refused}
        return {
            letter.id: errors[key]
            for letter in letters
            if (key := key_of(seen, letter.change.row)) in errors
        }
