"""Comparing a table row by row: whatever its types, its key, and what a transform makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from replicator.canonical import Form
from replicator.pace import Pace
from replicator.snapshot.results import read_page
from replicator.sources.pages import FIRST_ROWS
from replicator.verify.finding import MOST_FINDINGS, Finding, Kind
from replicator.verify.forms import source_key
from replicator.verify.pair import TablePair, images_of


class RowComparison:
    """Compares one table. `key_forms` are those of the target's key, where extra rows are found."""

    def __init__(self, pair: TablePair, key_forms: Sequence[Form] | None, pace: Pace) -> None:
        self._pair = pair
        self._key_forms = key_forms
        self._pace = pace

    def findings(self) -> Iterator[Sequence[Finding]]:
        """Yield what differs at a first look, page by page; the next one is read meanwhile."""
        pair, pace = self._pair, self._pace
        extra = pair.finds_extra and self._key_forms is not None
        shape = pair.plan.whole
        if extra:
            pair.examiner.forget(shape)
            pair.compare([], remember=True)
        with ThreadPoolExecutor(1, "pages") as pool:
            rows = pace.most(FIRST_ROWS)
            coming = pool.submit(read_page, pair.reader, pair.table, None, rows, pair.result)
            while True:
                page = coming.result()
                if page.last is not None:
                    rows = pace.most(page.rows_next())
                    coming = pool.submit(
                        read_page, pair.reader, pair.table, page.last, rows, pair.result
                    )
                yield pair.compare(images_of(page.blocks), remember=extra)
                pace.passed(page.rows)
                if page.last is None:
                    break
        if extra:
            assert self._key_forms is not None
            unknown = pair.examiner.unknown(shape, self._key_forms, MOST_FINDINGS)
            keys = [source_key(pair.seen, texts) for texts in unknown]
            yield [Finding(pair.table.name, Kind.EXTRA, key) for key in keys]
            pair.examiner.forget(shape)
