"""What a restore reads: which base copy, which changes on top, and what tables they make."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain

import msgspec

from replicator.change import Block, Change, Operation, encode
from replicator.errors import ReplicatorError
from replicator.targets.backup.archive import Archive
from replicator.targets.backup.base import Base
from replicator.targets.backup.record import (
    JournalHeader,
    RoundStart,
    SegmentHeader,
    TableRecord,
)
from replicator.targets.backup.segment import Item
from triggers.model import Table

_BLOCK_CHANGES = 1000


class _Line(msgspec.Struct, array_like=True, gc=False):
    """A change whose images are still JSON."""

    id: int
    table: str
    op: Operation
    before: msgspec.Raw
    after: msgspec.Raw
    origin: str | None
    captured_at: str


_decoder = msgspec.json.Decoder(list[_Line])


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to have restored."""

    until: str | None = None  # UTC, "2026-11-21T13:14:15.000000"; captured later: left out
    tables: tuple[str, ...] = ()  # none: all
    replace: bool = False  # empty the tables first
    incomplete: bool = False  # do without the changes that were removed and no base copy holds


@dataclass
class RestorePlan:
    """A restore that can be begun."""

    archive: Archive
    wish: Wish
    base: Base | None
    tables: dict[str, Table] = field(default_factory=dict)  # parents are not sorted first
    rows: int = 0  # of the base copy
    changes: int = 0
    first_captured_at: str | None = None
    last_captured_at: str | None = None  # of what is restored
    warnings: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """The length of what `blocks` yields."""
        return self.rows + self.changes + (len(self.tables) if self.wish.replace else 0)

    @property
    def mark(self) -> str:
        """Equal for two plans when one can go on where the other was interrupted."""
        parts = [
            self.archive.epoch,
            self.archive.first_number,
            self.base.path.name if self.base else None,
            self.wish.until,
            sorted(self.tables),
            self.wish.replace,
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def blocks(self, skip: int = 0) -> Iterator[Block]:
        """Yield all that is to be applied, in order, without the first `skip` changes."""
        waiting: list[bytes] = []
        for lines in chain([self._truncations()], self._selected()):
            if skip >= len(lines):
                skip -= len(lines)
                continue
            waiting += lines[skip:]
            skip = 0
            if len(waiting) >= _BLOCK_CHANGES:
                yield Block.of(waiting)
                waiting = []
        if waiting:
            yield Block.of(waiting)

    def _truncations(self) -> list[bytes]:
        names = self.tables if self.wish.replace else ()
        return [encode(Change(0, name, "T", None, None, None, "")) for name in names]

    def _selected(self) -> Iterator[list[bytes]]:
        for item in _items(self.archive, self.base):
            if isinstance(item, _FromBase):
                yield [line for line, _ in _of_tables(item.lines, self.wish.tables)]
            elif isinstance(item, list):
                yield [line for line, _ in _chosen(item, self.wish)]


@dataclass(frozen=True, slots=True)
class _FromBase:
    """Rows of a base copy: no moment of capture decides about them."""

    lines: list[bytes]


def make_plan(
    archive: Archive, wish: Wish, done: Callable[[int], None] = lambda _changes: None
) -> RestorePlan:
    """Read the whole backup once and find what is to be restored.

    The archive has been verified: any problem is raised. `done` is told the number of changes read.
    """
    for problem in archive.problems:
        raise problem
    base = _choose_base(archive, wish)
    plan = RestorePlan(archive, wish, base)
    plan.warnings += _gaps(archive, wish, base)
    known: dict[str, Table] = {}
    seen: set[str] = set()
    in_base = True
    for item in _items(archive, base):
        match item:
            case TableRecord():
                known[item.table.name] = item.table
                seen.add(item.table.name)
                if in_base and base is not None and item.table.name in base.content.tables:
                    _choose_table(plan, item.table)
            case _FromBase():
                plan.rows += len(_of_tables(item.lines, wish.tables))
                done(len(item.lines))
            case SegmentHeader() | JournalHeader():
                in_base = False
            case list():
                for _, change in _chosen(item, wish):
                    if plan.tables.get(change.table) is not known[change.table]:
                        plan.tables[change.table] = known[change.table]
                    at = change.captured_at
                    plan.first_captured_at = min(plan.first_captured_at or at, at)
                    plan.last_captured_at = max(plan.last_captured_at or at, at)
                    plan.changes += 1
                done(len(item))
            case _:
                pass
    _check_found(plan, seen)
    return plan


def _choose_table(plan: RestorePlan, table: Table) -> None:
    if not plan.wish.tables or table.name in plan.wish.tables:
        plan.tables[table.name] = table


def _items(archive: Archive, base: Base | None) -> Iterator[Item | _FromBase]:
    """All lines of the base copy, then those of the rounds that are not wholly in it."""
    after = -1
    if base is not None:
        after = base.content.after_batch
        for item in archive.rows_of(base):
            yield _FromBase(item) if isinstance(item, list) else item
    wanted = True
    for item in archive.changes_after(after):
        if isinstance(item, RoundStart):
            wanted = item.last_batch > after
        if wanted or not isinstance(item, list):
            yield item


def _chosen(lines: list[bytes], wish: Wish) -> list[tuple[bytes, _Line]]:
    chosen = _of_tables(lines, wish.tables)
    if wish.until is None:
        return chosen
    # Fractions may be shorter than six digits: they compare as texts all the same.
    return [(line, change) for line, change in chosen if change.captured_at <= wish.until]


def _of_tables(lines: list[bytes], tables: tuple[str, ...]) -> list[tuple[bytes, _Line]]:
    both = zip(lines, _decoder.decode(b"[" + b",".join(lines) + b"]"), strict=True)
    return [(line, change) for line, change in both if not tables or change.table in tables]


def _choose_base(archive: Archive, wish: Wish) -> Base | None:
    """The newest base copy from which the wished moment can be reached."""
    usable = [base for base in archive.bases if base.content.epoch == archive.epoch]
    if not usable:
        return None
    reachable = [
        base for base in usable if wish.until is None or base.content.taken_at <= wish.until
    ]
    if reachable:
        return reachable[-1]
    if archive.first_number > 1 or archive.after_batch > 0:
        raise ReplicatorError(
            f"the backup reaches back to {usable[0].content.taken_at}Z, not to {wish.until}Z",
            "Name a later moment.",
        )
    return None  # the changes go back to the first one


def _gaps(archive: Archive, wish: Wish, base: Base | None) -> list[str]:
    """What cannot be restored; raises when that is more than the user knows about."""
    if base is None:
        removed = archive.first_number > 1 or archive.after_batch > 0
        text = (
            "there is no base copy: rows that were not changed since the backup began are missing"
        )
        if removed and not wish.incomplete:
            raise ReplicatorError(
                f"{archive.folder} has neither a base copy nor its first changes",
                "To restore only the rows that were changed later, add --incomplete.",
            )
        return [text]
    if archive.after_batch > base.content.after_batch:
        raise ReplicatorError(
            f"{archive.folder}: the changes between {base.path.name} (batch "
            f"{base.content.after_batch}) and the first segment (after batch "
            f"{archive.after_batch}) are missing",
            "Take the missing segments from another copy.",
        )
    return []


def _check_found(plan: RestorePlan, seen: set[str]) -> None:
    missing = sorted(set(plan.wish.tables) - seen)
    if missing:
        raise ReplicatorError(
            f"the backup has no table {missing[0]!r}",
            f"It has: {', '.join(sorted(seen)) or 'none'}",
        )
    if not plan.tables:
        raise ReplicatorError(
            f"{plan.archive.folder} holds nothing"
            + (f" from before {plan.wish.until}Z" if plan.wish.until else ""),
            "The backup begins with the first change that was delivered to it.",
        )
