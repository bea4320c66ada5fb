"""Comparing a table by checksums of ranges of its key; ranges that differ are narrowed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from replicator.canonical import Digest, Form
from replicator.change import Block
from replicator.pace import Pace
from replicator.snapshot.results import read_page
from replicator.sources.pages import decode_key
from replicator.targets.sql.dialect import TargetColumn, Values
from replicator.transform.evaluation import RowRefused
from replicator.verify.finding import MOST_FINDINGS, Finding, Kind
from replicator.verify.forms import Forms, source_key
from replicator.verify.pair import TablePair, images_of

RANGE_ROWS = 20_000
"""Rows of the source that the first checksums are taken over."""

PARTS = 12
"""Into so many parts a range that differs is divided."""

FEW_ROWS = 150
"""A range of no more rows is read from both sides."""

End = bytes | None


@dataclass(frozen=True, slots=True)
class _Compared:
    """A range, with the source's number of rows; None where there is no checksum."""

    rows: int | None
    is_equal: bool


class RangeComparison:
    """Compares one table. `forms` are those of all its columns, `key_forms` the target's key's."""

    def __init__(
        self,
        pair: TablePair,
        forms: Mapping[str, Forms],
        key_forms: Sequence[Form],
        pace: Pace,
    ) -> None:
        columns = pair.plan.columns
        self._pair = pair
        self._source_forms = {name: source for name, (source, _target) in forms.items()}
        self._target_forms: dict[TargetColumn, Form] = {
            columns[name]: target for name, (_source, target) in forms.items()
        }
        self._key_forms = key_forms
        self._pace = pace
        self._counted = 0  # rows of a range, part by part: its own checksum may not tell

    def findings(self) -> Iterator[Sequence[Finding]]:
        """Yield what differs at a first look, range by range."""
        reader, table = self._pair.reader, self._pair.table
        with ThreadPoolExecutor(1, "digest") as pool:
            after: End = None
            while True:
                most = self._pace.most(RANGE_ROWS)
                last = reader.boundary(table, after, most)
                compared = self._compare(pool, after, last)
                self._counted = 0
                if not compared.is_equal:
                    yield from self._narrow(pool, after, last, most)
                self._pace.passed(self._counted if compared.rows is None else compared.rows)
                if last is None:
                    return
                after = last

    def _compare(self, pool: ThreadPoolExecutor, after: End, last: End) -> _Compared:
        """Have both servers compute at the same time."""
        pair = self._pair
        coming = pool.submit(
            pair.examiner.digest, pair.plan.whole, self._bounds(after, last), self._target_forms
        )
        source = self._source_digest(after, last)
        target = coming.result()
        is_equal = source is not None and source == target
        return _Compared(source.rows if source is not None else None, is_equal)

    def _source_digest(self, after: End, last: End) -> Digest | None:
        pair = self._pair
        try:
            return pair.reader.digest(pair.table, after, last, self._source_forms, pair.result)
        except RowRefused:  # it is found among the rows themselves
            return None

    def _narrow(
        self, pool: ThreadPoolExecutor, after: End, last: End, rows: int
    ) -> Iterator[Sequence[Finding]]:
        if rows <= FEW_ROWS:
            self._pace.read(rows)
            yield self._read(after, last)
            return
        part = max(FEW_ROWS, -(-rows // PARTS))
        self._pace.read(rows)
        while True:
            middle = self._pair.reader.boundary(self._pair.table, after, part, last)
            end = last if middle is None else middle
            compared = self._compare(pool, after, end)
            if compared.is_equal:
                self._counted += compared.rows or 0
            else:
                yield from self._narrow(pool, after, end, part)
            if middle is None or middle == last:
                return
            after = middle

    def _read(self, after: End, last: End) -> list[Finding]:
        pair = self._pair
        images = images_of(self._blocks(after, last))
        self._counted += len(images)
        found = pair.compare(images)
        bounds = self._bounds(after, last)
        # The rows compared last are those of the range: it is small.
        others = pair.examiner.others(pair.plan.whole, bounds, self._key_forms, MOST_FINDINGS)
        keys = [source_key(pair.seen, texts) for texts in others]
        return found + [Finding(pair.table.name, Kind.EXTRA, key) for key in keys]

    def _blocks(self, after: End, last: End, rows: int = FEW_ROWS) -> Sequence[Block]:
        """Read a range of about so many rows; those for which the transform fails are marked."""
        reader, table, result = self._pair.reader, self._pair.table, self._pair.result
        try:
            return reader.between(table, after, last, result)
        except RowRefused:
            if rows == 1:
                return read_page(reader, table, after, 1, result).blocks
        half = -(-rows // 2)
        middle = reader.boundary(table, after, half, last)
        if middle is None or middle == last:
            return self._blocks(after, last, half)
        return [*self._blocks(after, middle, half), *self._blocks(middle, last, half)]

    def _bounds(self, after: End, last: End) -> tuple[Values | None, Values | None]:
        return self._values(after), self._values(last)

    def _values(self, key: End) -> Values | None:
        """The target's key out of a key of the source, which has the same values."""
        if key is None:
            return None
        row = decode_key(key)
        return [row[name] for name in self._pair.table.key]
