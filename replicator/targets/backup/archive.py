"""One route's backup folder, as whoever restores it sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from replicator.change import Change, decode_changes
from replicator.errors import ReplicatorError
from replicator.targets.backup.base import Base, list_bases, verify_part
from replicator.targets.backup.journal import Scan, read_journal, scan
from replicator.targets.backup.record import SegmentError, SegmentHeader
from replicator.targets.backup.segment import (
    JOURNAL,
    Item,
    checksum_path,
    damaged,
    file_digest,
    list_segments,
    read_header,
    read_lines,
    recorded_digest,
)


@dataclass(frozen=True, slots=True)
class Segment:
    """A sealed segment."""

    path: Path
    header: SegmentHeader


@dataclass
class Archive:
    """What a folder holds, oldest first; `problems` is what is wrong with it."""

    folder: Path
    segments: list[Segment] = field(default_factory=list)
    bases: list[Base] = field(default_factory=list)
    journal: Scan | None = None
    problems: list[SegmentError] = field(default_factory=list)

    @classmethod
    def open(cls, folder: Path) -> Archive:
        """Look at a folder. Raises `ReplicatorError` when it is not that of a route's backup."""
        archive = cls(_route_folder(folder))
        for path in list_segments(archive.folder):
            with archive._noted():
                archive.segments.append(Segment(path, read_header(path)))
        with archive._noted():
            archive.bases = list_bases(archive.folder)
        with archive._noted():
            archive._open_journal()
        return archive

    @property
    def epoch(self) -> str | None:
        """What identifies the source's outbox."""
        if self.journal is not None:
            return self.journal.header.epoch
        return self.segments[-1].header.epoch if self.segments else None

    @property
    def after_batch(self) -> int:
        """The last batch before the first one that is here."""
        if self.segments:
            return self.segments[0].header.after_batch
        return self.journal.header.after_batch if self.journal is not None else 0

    @property
    def first_number(self) -> int:
        """The number of the first segment that is here; 1 when none was ever removed."""
        if self.segments:
            return self.segments[0].header.number
        return self.journal.header.number if self.journal is not None else 1

    @property
    def size(self) -> int:
        """Bytes of all files that `verify` reads."""
        paths = [segment.path for segment in self.segments]
        paths += [part for base in self.bases for part in base.parts if part.exists()]
        return sum(path.stat().st_size for path in paths)

    def verify(self, done: Callable[[int], None] = lambda _size: None) -> list[SegmentError]:
        """Hold every file against the checksums and the chain; return all problems found.

        `done` is told the size of each file when it was read.
        """
        self._verify_numbers()
        headers = [segment.header for segment in self.segments]
        previous = {header.number: header.previous for header in headers}
        if self.journal is not None:
            previous[self.journal.header.number] = self.journal.header.previous
        for segment in self.segments:
            with self._noted():
                _verify_file(segment.path, previous.get(segment.header.number + 1))
            done(segment.path.stat().st_size)
        for base in self.bases:
            for path, part in zip(base.parts, base.content.parts, strict=True):
                with self._noted():
                    verify_part(path, part)
                    done(path.stat().st_size)
        return self.problems

    def changes_after(self, batch: int) -> Iterator[Item]:
        """Yield what the segments and the journal hold, without segments up to a batch."""
        for segment in self.segments:
            if segment.header.last_batch > batch:
                yield from read_lines(segment.path)
        if self.journal is not None:
            yield from read_journal(self.folder / JOURNAL, self.journal.now.size)

    def rows_of(self, base: Base) -> Iterator[Item]:
        """Yield what a base copy holds."""
        for path in base.parts:
            yield from read_lines(path)

    def _open_journal(self) -> None:
        path = self.folder / JOURNAL
        if path.exists():
            self.journal = scan(path)
            if self.journal.tail == "damaged":
                raise damaged(path, "the lines of a round do not agree with its checksum")
        elif self.segments:
            raise SegmentError(
                f"{path} is missing: the newest changes are in it",
                "Take this file from another copy.",
            )

    def _verify_numbers(self) -> None:
        numbers = [segment.header.number for segment in self.segments]
        if self.journal is not None:
            numbers.append(self.journal.header.number)
        for before, after in pairwise(numbers):
            if after != before + 1:
                missing = f"{before + 1}" if after == before + 2 else f"{before + 1} to {after - 1}"
                self.problems.append(
                    SegmentError(
                        f"{self.folder}: segment {missing} is missing",
                        "Take it from another copy.",
                    )
                )
        for path in sorted(self.folder.glob("*.sha256")):
            if not path.with_suffix("").exists():
                self.problems.append(
                    SegmentError(
                        f"{path.with_suffix('')} is missing: its checksum file is there",
                        "Take it from another copy.",
                    )
                )

    def _noted(self) -> _Noting:
        return _Noting(self.problems)


class _Noting:
    """Collects a `SegmentError` instead of raising it."""

    def __init__(self, problems: list[SegmentError]) -> None:
        self._problems = problems

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, trace: object) -> bool:
        if isinstance(error, SegmentError):
            self._problems.append(error)
            return True
        return False


def read_changes(folder: Path) -> Iterator[Change]:
    """Yield every change of a route's backup in order; raises the first problem on the way."""
    archive = Archive.open(folder)
    for problem in archive.verify():
        raise problem
    for item in archive.changes_after(-1):
        if isinstance(item, list):
            yield from decode_changes(item)


def _route_folder(folder: Path) -> Path:
    if not folder.is_dir():
        raise ReplicatorError(f"there is no folder {folder}")
    if _is_route_folder(folder):
        return folder
    routes = sorted(path for path in folder.iterdir() if path.is_dir() and _is_route_folder(path))
    match routes:
        case [only]:
            return only
        case []:
            raise ReplicatorError(
                f"{folder} holds no backup",
                f"Name the folder of one route: the one with {JOURNAL} in it.",
            )
    listed = ", ".join(path.name for path in routes)
    raise ReplicatorError(
        f"{folder} holds the backups of several routes: {listed}",
        f"Name one of them: {folder / routes[0].name}",
    )


def _is_route_folder(folder: Path) -> bool:
    return (folder / JOURNAL).exists() or bool(list_segments(folder))


def _verify_file(path: Path, previous: str | None) -> None:
    """Hold a segment against its checksum file, and against what the next one says of it."""
    found, recorded = file_digest(path), recorded_digest(path)
    if recorded is None and previous is None:
        raise SegmentError(
            f"{path} has no checksum file beside it",
            "Take it from another copy. To take the segment as it is, run in its folder: "
            f"sha256sum {path.name} > {path.name}.sha256",
        )
    if found not in (recorded, previous):
        raise damaged(path, f"it does not agree with {checksum_path(path).name}")
    if recorded is not None and recorded != found:
        raise damaged(checksum_path(path), "the next segment confirms the file that it is for")
    if previous is not None and previous != found:
        raise SegmentError(
            f"{path} is not the file that the next segment follows",
            "Take both from the same copy.",
        )
