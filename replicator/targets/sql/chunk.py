"""Cutting a round into chunks that fit into memory, each with its net effect.

The net effect of a chunk is the last image of every key. Images stay JSON until they are written:
those that a later one replaces are never decoded.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from operator import attrgetter
from typing import TypeAlias

from msgspec import Raw

from replicator.change import Block, Change, Operation, RawChange
from replicator.targets.sql.plan import TablePlan

CHUNK_CHANGES = 250_000
CHUNK_BYTES = 64 << 20


@dataclass(slots=True)
class NetEffect:
    """The last image of each key of a table, in order of the key's first change.

    `inserts` are the keys whose first change is an insertion: rows that should be new.
    """

    inserts: dict[Hashable, Raw] = field(default_factory=dict)
    upserts: dict[Hashable, Raw] = field(default_factory=dict)
    deletes: dict[Hashable, Raw] = field(default_factory=dict)
    # What later images replaced; None where a deletion did. Not by key: it is rarely needed.
    _replaced_keys: list[Hashable] = field(default_factory=list)
    _replaced: list[Raw | None] = field(default_factory=list)

    def delete(self, keys: Iterable[Hashable], images: Iterable[Raw]) -> None:
        """Take in deletions."""
        for key, image in zip(keys, images, strict=True):
            self.inserts.pop(key, None)
            self.upserts.pop(key, None)
            self.deletes[key] = image
            if self._replaced:
                self._replaced_keys.append(key)
                self._replaced.append(None)

    def write(self, keys: Iterable[Hashable], images: Iterable[Raw], *, new: bool) -> None:
        """Take in insertions (`new`) or updates."""
        inserts, upserts, deletes = self.inserts, self.upserts, self.deletes
        unknown = inserts if new else upserts
        for key, image in zip(keys, images, strict=True):
            known = inserts if key in inserts else upserts
            replaced = known.get(key)
            if replaced is not None:
                self._replaced_keys.append(key)
                self._replaced.append(replaced)
                known[key] = image
            elif key in deletes:
                del deletes[key]
                upserts[key] = image
            else:
                unknown[key] = image

    def earlier(self) -> Mapping[Hashable, Sequence[Raw]]:
        """Return, oldest first, the images that later ones replaced: those may hold less."""
        found: dict[Hashable, list[Raw]] = {}
        for key, image in zip(self._replaced_keys, self._replaced, strict=True):
            if image is None:
                found.pop(key, None)
            else:
                found.setdefault(key, []).append(image)
        return found


Effects: TypeAlias = dict[str, NetEffect]
"""By source table."""


def net_effect(changes: Iterable[RawChange], plans: Mapping[str, TablePlan]) -> Effects:
    """Return the net effect of changes of rows."""
    effects: Effects = {}
    for run in _runs(changes, plans):
        _add(effects, run)
    return effects


@dataclass(frozen=True, slots=True)
class _Run:
    """Neighbouring changes of one table and one operation."""

    plan: TablePlan
    op: Operation
    images: Sequence[Raw]
    keys: Sequence[Hashable]

    def part(self, begin: int, end: int) -> _Run:
        return replace(self, images=self.images[begin:end], keys=self.keys[begin:end])


def _runs(changes: Iterable[RawChange], plans: Mapping[str, TablePlan]) -> Iterator[_Run]:
    for (table, op), group in groupby(changes, attrgetter("table", "op")):
        plan = plans[table]
        images = [change.before if op == "D" else change.after for change in group]
        yield _Run(plan, op, images, plan.keys_of(images) if op != "T" else [None] * len(images))


def _add(effects: Effects, run: _Run) -> None:
    effect = effects.setdefault(run.plan.source.name, NetEffect())
    if run.op == "D":
        effect.delete(run.keys, run.images)
    else:
        effect.write(run.keys, run.images, new=run.op == "I")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a block."""

    block: Block
    begin: int
    end: int

    def changes(self) -> Iterator[tuple[RawChange, Change]]:
        """Decode its changes in both ways."""
        both = zip(self.block.raw_changes(), self.block.changes(), strict=True)
        return iter(list(both)[self.begin : self.end])


@dataclass(slots=True)
class Chunk:
    """Changes of rows, as a net effect and one by one, then tables that are emptied."""

    effects: Effects = field(default_factory=dict)
    pieces: list[Piece] = field(default_factory=list)
    truncates: list[Change] = field(default_factory=list)
    taken: int = 0  # changes, those included that a truncation made void

    def add(self, block: Block, begin: int, end: int) -> None:
        """Note that a part of a block was taken in."""
        if end > begin:
            self.pieces.append(Piece(block, begin, end))
            self.taken += end - begin

    def changes(self) -> Iterator[Sequence[tuple[RawChange, Change]]]:
        """Yield the changes of rows in order of id, piece by piece."""
        void = {change.table for change in self.truncates}
        for piece in self.pieces:
            yield [
                both for both in piece.changes() if both[0].op != "T" and both[0].table not in void
            ]


def cut(blocks: Iterable[Block], plans: Mapping[str, TablePlan]) -> Iterator[Chunk]:
    """Collect blocks into chunks.

    A chunk ends when it is large, after truncations, and before a row that comes back after its
    deletion when rows that referred to it may have been deleted along.
    """
    chunk, size = Chunk(), 0
    gone: set[tuple[str, Hashable]] = set()
    for block in blocks:
        begin = place = 0
        for run in _runs(block.raw_changes(), plans):
            table = run.plan.source.name
            if run.op == "T":
                chunk.effects.pop(table, None)
                chunk.truncates += block.changes()[place : place + len(run.keys)]
                place += len(run.keys)
                continue
            for part in _parts(run, gone):
                if chunk.truncates or part.comes_back:
                    chunk.add(block, begin, place)
                    yield chunk
                    chunk, size, begin = Chunk(), 0, place
                    gone.clear()
                _add(chunk.effects, part.run)
                place += len(part.run.keys)
            if run.op == "D" and run.plan.cascades:
                gone.update((table, key) for key in run.keys)
        chunk.add(block, begin, place)
        size += len(block.json)
        if size >= CHUNK_BYTES or chunk.taken >= CHUNK_CHANGES:
            yield chunk
            chunk, size = Chunk(), 0
            gone.clear()
    if chunk.taken:
        yield chunk


@dataclass(frozen=True, slots=True)
class _Part:
    run: _Run
    comes_back: bool  # the first row was deleted before, and rows that refer to it maybe too


def _parts(run: _Run, gone: set[tuple[str, Hashable]]) -> Iterator[_Part]:
    """Divide a run before each row that comes back; `gone` may be emptied in between."""
    comes_back = False
    begin = 0
    if gone and run.op != "D":
        table = run.plan.source.name
        for place, key in enumerate(run.keys):
            if (table, key) in gone:
                if place > begin:
                    yield _Part(run.part(begin, place), comes_back)
                begin, comes_back = place, True
    yield _Part(run.part(begin, len(run.keys)), comes_back)
