"""Removing what is not needed any more to restore the moments that are to stay restorable."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from replicator.targets.backup.base import Base, list_bases
from replicator.targets.backup.record import SegmentHeader
from replicator.targets.backup.segment import checksum_path, list_segments, read_header
from replicator.targets.files.folder import explained

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Keep:
    """What stays. Without any of these, everything does."""

    span: timedelta | None = None  # every moment of it stays restorable
    bases: int | None = None  # so many base copies, and all changes since the oldest of them
    without_base: bool = False  # segments older than `span` go, whether or not a base copy is newer


def remove_old(folder: Path, epoch: str, keep: Keep, now: datetime) -> list[Path]:
    """Remove base copies and segments that `keep` does not ask for; return their paths.

    Segments go oldest first, and only those whose changes a base copy holds that stays (unless
    `without_base`): what stays is a chain without a gap.
    """
    if keep.span is None and keep.bases is None:
        return []
    with explained(folder):
        bases = [base for base in list_bases(folder) if base.content.epoch == epoch]
        removed: list[Path] = []
        oldest = _oldest_kept(bases, keep, now)
        if oldest is not None:
            for base in bases[: bases.index(oldest)]:
                removed += _remove_base(base)
        for path in list_segments(folder):
            if not _may_go(read_header(path), oldest, keep, now):
                break
            removed += _remove(path)
    if removed:
        log.info("%s: %d old files removed", folder, len(removed))
    return removed


def _oldest_kept(bases: list[Base], keep: Keep, now: datetime) -> Base | None:
    """The oldest base copy that is needed; None: all of them, and every segment."""
    needed: list[int] = []
    if keep.bases is not None:
        needed.append(max(0, len(bases) - keep.bases))
    if keep.span is not None:
        limit = _text(now - keep.span)
        old = [n for n, base in enumerate(bases) if base.content.taken_at <= limit]
        if not old:
            return None
        needed.append(old[-1])
    return bases[min(needed)] if bases and needed else None


def _may_go(header: SegmentHeader, oldest: Base | None, keep: Keep, now: datetime) -> bool:
    if oldest is not None and header.last_batch <= oldest.content.after_batch:
        return True
    old = keep.span is not None and header.last_captured_at <= _text(now - keep.span)
    return keep.without_base and old


def _remove_base(base: Base) -> list[Path]:
    """The list goes first: parts without one belong to no base copy."""
    return [path for file in (base.path, *base.parts) for path in _remove(file)]


def _remove(path: Path) -> list[Path]:
    checksum_path(path).unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    return [path]


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
