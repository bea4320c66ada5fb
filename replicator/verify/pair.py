"""A source table and the target table that it is delivered to, compared row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec import Raw

from replicator.change import Block, Row, encode
from replicator.snapshot.letters import key_of
from replicator.snapshot.results import find_rows
from replicator.sources.pages import PageReader
from replicator.targets.sql.conversion import Refused
from replicator.targets.sql.dialect import Shape, Values
from replicator.targets.sql.examination import Difference, Examiner
from replicator.targets.sql.images import to_row
from replicator.targets.sql.plan import TablePlan
from replicator.transform.model import Result
from replicator.verify.finding import Finding, Kind
from triggers.model import INCOMPLETE, Table

AT_ONCE = 5_000
"""Rows that are compared by one statement at most."""


@dataclass(frozen=True, slots=True)
class TablePair:
    """One table of one delivery. `result` is what a transform makes of it.

    `reader` goes through the table; `finder` reads single rows, maybe at the same time.
    `finds_extra`: rows of the target that the source lacks are looked for.
    """

    table: Table
    result: Result | None
    plan: TablePlan
    reader: PageReader
    finder: PageReader
    examiner: Examiner
    finds_extra: bool

    @property
    def seen(self) -> Table:
        """The source's table as the target is to see it."""
        return self.plan.source

    def compare(self, images: Sequence[Raw], *, remember: bool = False) -> list[Finding]:
        """Compare rows, given by their images; return those that are not there as they should be.

        With `remember`, the examiner notes the keys of those that the target can hold.
        """
        found: list[Finding] = []
        for start in range(0, len(images), AT_ONCE):
            found += self._compare(images[start : start + AT_ONCE])
            if remember:
                self.examiner.remember(self.plan.whole)
        return found

    def look(self, keys: Mapping[bytes, Row]) -> list[Finding]:
        """Compare what source and target hold now, for these keys."""
        images = images_of(find_rows(self.finder, self.table, self.result, keys))
        there = {key_of(self.seen, to_row(image)) for image in images}
        absent = [row for key, row in keys.items() if key not in there]
        found = self.compare(images)
        if self.finds_extra:
            found += [
                Finding(self.table.name, Kind.EXTRA, row)
                for row, is_there in zip(absent, self._are_there(absent), strict=True)
                if is_there
            ]
        return found

    def _compare(self, images: Sequence[Raw]) -> list[Finding]:
        shape = self.plan.whole
        rows, refused = self._values(images)
        places = list(rows)
        try:
            found = self.examiner.differences(shape, list(rows.values()))
        except Refused:
            refused |= self._refused_by_server(shape, rows)
            places = [place for place in places if place not in refused]
            found = self.examiner.differences(shape, [rows[place] for place in places])
        return [
            *(self._finding(images[places[one.place]], one) for one in found),
            *(self._refusal(images[place], error) for place, error in refused.items()),
        ]

    def _values(self, images: Sequence[Raw]) -> tuple[dict[int, Values], dict[int, str]]:
        """What the images become in the target, by their place, and why others become nothing."""
        try:
            return dict(enumerate(self._converted(images))), {}
        except Refused:
            rows: dict[int, Values] = {}
            refused: dict[int, str] = {}
            for place, image in enumerate(images):
                try:
                    [rows[place]] = self._converted([image])
                except Refused as error:
                    refused[place] = error.error
            return rows, refused

    def _converted(self, images: Sequence[Raw]) -> list[Values]:
        parts = self.plan.images(dict(enumerate(images)))
        return [values for _shape, rows in parts for values in rows]

    def _refused_by_server(self, shape: Shape, rows: Mapping[int, Values]) -> dict[int, str]:
        """Find the rows that cannot even be put into a temporary table."""
        try:
            self.examiner.differences(shape, list(rows.values()))
        except Refused as error:
            places = list(rows)
            if len(places) == 1:
                return {places[0]: error.error}
            middle = len(places) // 2
            halves = (places[:middle], places[middle:])
            return {
                place: why
                for half in halves
                for place, why in self._refused_by_server(
                    shape, {place: rows[place] for place in half}
                ).items()
            }
        return {}

    def _finding(self, image: Raw, difference: Difference) -> Finding:
        kind = Kind.DIFFERENT if difference.is_there else Kind.MISSING
        return Finding(self.table.name, kind, self.key(to_row(image)), difference.columns)

    def _refusal(self, image: Raw, error: str) -> Finding:
        row = to_row(image)
        key = self.key(row)
        if INCOMPLETE in row and self.result is not None and not self.result.keeps_key:
            # The key would have been computed: nobody knows it.
            return Finding(self.table.name, Kind.UNDECIDED, key, refused=error)
        [is_there] = self._are_there([key])
        kind = Kind.DIFFERENT if is_there else Kind.MISSING
        return Finding(self.table.name, kind, key, refused=error)

    def _are_there(self, keys: Sequence[Row]) -> list[bool]:
        """Whether the target has rows with these keys."""
        if not keys:
            return []
        try:
            shape, values = self.plan.keys([Raw(encode(key)) for key in keys])
            found = self.examiner.differences(shape, values)
            lacking = {one.place for one in found if not one.is_there}
        except Refused:
            if len(keys) == 1:
                return [False]  # it cannot hold such a key
            return [is_there for key in keys for is_there in self._are_there([key])]
        return [place not in lacking for place in range(len(keys))]

    def key(self, row: Row) -> Row:
        """The key's columns of a row."""
        return {name: row[name] for name in self.seen.key}


def images_of(blocks: Sequence[Block]) -> list[Raw]:
    """The images of rows that were read."""
    return [change.after for block in blocks for change in block.raw_changes()]
