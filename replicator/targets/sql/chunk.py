"""Cutting a round into chunks that fit into memory, and the net effect of a chunk."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter

from replicator.change import Change, Row
from replicator.targets.sql.plan import TablePlan

CHUNK_CHANGES = 50_000
CHUNK_BYTES = 32 << 20


@dataclass(slots=True)
class Chunk:
    """Changes of rows in order of id, then tables that are emptied."""

    changes: list[Change] = field(default_factory=list)
    truncates: list[Change] = field(default_factory=list)
    taken: int = 0  # changes, those included that a truncation made void


@dataclass(slots=True)
class NetEffect:
    """The last state of each key of a table, by key, in order of the first change.

    `inserts` are the keys whose first change is an insertion: rows that should be new.
    """

    inserts: dict[Hashable, Row] = field(default_factory=dict)
    upserts: dict[Hashable, Row] = field(default_factory=dict)
    deletes: dict[Hashable, Row] = field(default_factory=dict)


def cut(blocks: Iterable[Sequence[Change]], plans: Mapping[str, TablePlan]) -> Iterator[Chunk]:
    """Collect blocks into chunks.

    A chunk ends when it is large, after truncations, and before a row that comes back after its
    deletion when rows that referred to it may have been deleted along.
    """
    chunk, size = Chunk(), 0
    gone: set[tuple[str, Hashable]] = set()
    for block in blocks:
        for change in block:
            plan = plans[change.table]
            if change.op == "T":
                changes = [other for other in chunk.changes if other.table != change.table]
                chunk.changes = changes
                chunk.truncates.append(change)
                chunk.taken += 1
                continue
            row = change.row
            back = plan.cascades and (change.table, plan.key_of(row)) in gone
            if chunk.truncates or (back and change.after is not None):
                yield chunk
                chunk, size = Chunk(), 0
                gone.clear()
            if plan.cascades and change.after is None:
                gone.add((change.table, plan.key_of(row)))
            chunk.changes.append(change)
            chunk.taken += 1
            size += plan.weight(row)
            if size >= CHUNK_BYTES or len(chunk.changes) >= CHUNK_CHANGES:
                yield chunk
                chunk, size = Chunk(), 0
                gone.clear()
    if chunk.taken:
        yield chunk


def net_effect(changes: Iterable[Change], plans: Mapping[str, TablePlan]) -> dict[str, NetEffect]:
    """The last state of every row, by table. Images that hold fewer columns add to earlier ones."""
    effects: dict[str, NetEffect] = {}
    for table, run in groupby(changes, key=attrgetter("table")):
        effect = effects.setdefault(table, NetEffect())
        inserts, upserts, deletes = effect.inserts, effect.upserts, effect.deletes
        key_of = plans[table].key_of
        for change in run:
            row = change.after
            if row is None:
                row = change.row
                key = key_of(row)
                inserts.pop(key, None)
                upserts.pop(key, None)
                deletes[key] = row
                continue
            key = key_of(row)
            deleted = deletes.pop(key, None) if deletes else None
            known = inserts if key in inserts else upserts
            earlier = known.get(key)
            if earlier is not None:
                known[key] = row if len(earlier) == len(row) else earlier | row
            elif change.op == "I" and deleted is None:
                inserts[key] = row
            else:
                upserts[key] = row
    return effects
