"""Reading changes through transforms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
from msgspec import Raw

from replicator.change import Block, Decoder, Row, encode
from replicator.errors import DeliveryStopped, SourceUnavailable
from replicator.pipeline.ranges import Range
from replicator.pipeline.reader import ChangeReader
from replicator.transform.evaluation import (
    AFTER,
    BEFORE,
    Evaluator,
    Line,
    Place,
    RowRefused,
)
from replicator.transform.model import Result
from triggers.model import INCOMPLETE, Column

NULL = Raw(b"null")
MARK = b'"":'
"""What an image holds that lacks columns; others rarely do."""

TRUNCATED = "the source's table was emptied: which rows of the target were its own is not known"

decode_lines = msgspec.json.Decoder(list[Line]).decode
_decode_row = Decoder(Row).decode


class TransformingReader:
    """A `ChangeReader` whose changes of some tables are those of their results.

    A row that leaves the filter becomes a deletion, and so does the old key of a row whose computed
    key changes. A change for which the transform fails becomes one that lacks columns, and is
    parked for that. `inserts_replace`: an insertion may stand for an update, too.
    """

    def __init__(
        self,
        reader: ChangeReader,
        evaluator: Evaluator,
        results: Mapping[str, Result],
        *,
        inserts_replace: bool,
    ) -> None:
        self._reader = reader
        self._evaluator = evaluator
        self._results = dict(results)
        self._inserts_replace = inserts_replace

    def read(self, ids: Sequence[Range], tables: Sequence[str]) -> Iterator[Block]:
        """See `ChangeReader.read`."""
        for block in self._reader.read(ids, tables):
            lines = decode_lines(block.json)
            if len(lines) != block.count:
                raise SourceUnavailable(f"the source sent {len(lines)} of {block.count} changes")
            made = {
                name: self._table(result, [line for line in lines if line.table == name])
                for name, result in self._results.items()
            }
            passed: list[Line] = []
            for line in lines:
                if line.table in made:
                    passed += made[line.table].get(line.id, ())
                else:
                    passed.append(line)
            if passed:
                yield Block(encode(passed), len(passed))

    def close(self) -> None:
        """See `ChangeReader.close`."""
        self._reader.close()
        self._evaluator.close()

    def _table(self, result: Result, lines: Sequence[Line]) -> Mapping[int, Sequence[Line]]:
        if not lines:
            return {}
        images = _Images(self._evaluator, result, self._inserts_replace)
        images.evaluate(lines)
        return {line.id: [*images.changes(line)] for line in lines}


@dataclass
class _Images:
    """The result images of some changes of one table, and the changes made of them."""

    evaluator: Evaluator
    result: Result
    inserts_replace: bool
    passing: dict[Place, Raw] = field(default_factory=dict)
    keys: dict[Place, Raw] = field(default_factory=dict)
    failed: dict[Place, str] = field(default_factory=dict)
    lacking: dict[int, str] = field(default_factory=dict)

    def evaluate(self, lines: Sequence[Line]) -> None:
        """Run the transform: for rows that pass, then for the keys of others where needed."""
        for line in lines:
            reason = _lacks(line)
            if reason is not None:
                self.lacking[line.id] = reason
        whole = [line for line in lines if line.op != "T" and line.id not in self.lacking]
        as_is = self.result.transform.columns is None
        columns = self.result.key_columns if as_is else self.result.columns
        self._run(whole, columns, self.passing, filtered=True)
        if as_is:
            for line in whole:
                for side, image in line.images():
                    if (line.id, side) in self.passing:
                        self.passing[line.id, side] = image
        needed = [line for line in whole if self._needs_key(line)]
        if self.result.key_is_own and self.result.key:
            needed += [line for line in lines if line.id in self.lacking and line.op == "D"]
            needed.sort(key=lambda line: line.id)
        refused = dict(self.failed)
        self._run(needed, self.result.key_columns, self.keys, filtered=False)
        self.failed |= refused

    def changes(self, line: Line) -> Iterator[Line]:
        """Yield what becomes of a change."""
        if line.op == "T":
            yield line if self.result.keeps_key else self._parked(line, TRUNCATED)
        elif line.op == "D":
            yield self._deletion(line, BEFORE)
        elif line.id in self.lacking:
            yield self._parked(line, self.lacking[line.id])
        elif (line.id, AFTER) in self.failed:
            yield self._parked(line, self.failed[line.id, AFTER])
        elif (line.id, AFTER) in self.passing:
            yield from self._passing(line)
        elif line.op == "U" or self.inserts_replace:
            has_before = any(side == BEFORE for side, _image in line.images())
            yield self._deletion(line, BEFORE if has_before else AFTER)

    def _passing(self, line: Line) -> Iterator[Line]:
        after = self.passing[line.id, AFTER]
        before = self.passing.get((line.id, BEFORE))
        if not self.result.key_is_own and bytes(line.before) != b"null":
            old = before or self.keys.get((line.id, BEFORE))
            if old is None or self._key(old) != self._key(after):
                yield self._deletion(line, BEFORE)
                before = None
        yield self._made(line, line.op, before, after)

    def _deletion(self, line: Line, side: int) -> Line:
        """The deletion of the row that an image is about."""
        place = (line.id, side)
        image = self.passing.get(place) or self.keys.get(place)
        if image is None:
            reason = self.lacking.get(line.id) or self.failed.get(place, "there is no old row")
            return self._parked(line, reason)
        return self._made(line, "D", image, None)

    def _needs_key(self, line: Line) -> bool:
        """Whether a row that does not pass has to be deleted."""
        if line.op == "I":
            return self.inserts_replace and (line.id, AFTER) not in self.passing
        return any((line.id, side) not in self.passing for side, _image in line.images())

    def _run(
        self,
        lines: Sequence[Line],
        columns: Sequence[Column],
        into: dict[Place, Raw],
        *,
        filtered: bool,
        side: int | None = None,
    ) -> None:
        """Evaluate; where that fails, again for each half, until the culprits are found."""
        if not lines:
            return
        evaluate = self.evaluator.evaluate
        try:
            found = evaluate(self.result, lines, columns, side, filtered=filtered)
        except RowRefused as refused:
            if len(lines) > 1:
                middle = len(lines) // 2
                self._run(lines[:middle], columns, into, filtered=filtered)
                self._run(lines[middle:], columns, into, filtered=filtered)
            elif side is None:
                for one, _image in lines[0].images():
                    self._run(lines, columns, into, filtered=filtered, side=one)
            else:
                self.failed[lines[0].id, side] = f"the transform fails: {refused}"
        else:
            wanted = {line.id for line in lines}
            into.update((place, Raw(image)) for place, image in found.items() if place[0] in wanted)

    def _key(self, image: Raw) -> Sequence[object]:
        row = _decode_row(image)
        return [row[column.name] for column in self.result.key_columns]

    def _parked(self, line: Line, reason: str) -> Line:
        """A change that nobody can write: it tells why, and has a key of its own."""
        key = self.result.key
        if key and len(key) == len(self.result.columns):
            raise DeliveryStopped(
                f"change {line.id} of table {line.table}: {reason}",
                "it could be set aside if `columns` held more than the key",
            )
        marked: Row = dict.fromkeys(key, f"change {line.id}")
        return self._made(line, "U", None, Raw(encode({**marked, INCOMPLETE: reason})))

    def _made(self, line: Line, op: str, before: Raw | None, after: Raw | None) -> Line:
        return Line(
            line.id, line.table, op, before or NULL, after or NULL, line.origin, line.captured_at
        )


def _lacks(line: Line) -> str | None:
    """Why an image lacks columns, or None."""
    for _side, image in line.images():
        if MARK in bytes(image):
            row = _decode_row(image)
            if INCOMPLETE in row:
                return str(row[INCOMPLETE])
    return None
