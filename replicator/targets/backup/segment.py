"""Compressed files of a backup: their names, writing one, and reading one back."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

from replicator.targets.backup.compression import (
    DAMAGE,
    SUFFIXES,
    Compression,
    compressor,
    open_compressed,
)
from replicator.targets.backup.record import (
    INVALID,
    VERSION,
    Record,
    SegmentError,
    SegmentHeader,
    Trailer,
    decode,
    encode,
    version_of,
)
from replicator.targets.files.folder import Draft, Folder

JOURNAL = "current.jsonl"

_LINES_AT_ONCE = 500
_WRITE_BYTES = 1 << 20
_NAME = re.compile(r"changes-(\d{8,})-\d{8}T\d{6}Z\.jsonl\.(gz|zst)")

Item = Record | list[bytes]
"""What a segment holds: records, and in between the lines of changes, some at a time."""


def segment_name(number: int, first_captured_at: str, compression: Compression) -> str:
    """Return a segment's file name: its number, and when its first change was captured."""
    at = re.sub(r"[-: T]", "", first_captured_at[:19])
    return f"changes-{number:08d}-{at[:8]}T{at[8:]}Z{SUFFIXES[compression]}"


def segment_number(path: Path) -> int:
    """Return the number that a segment's name tells. `ValueError` for other files."""
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise ValueError(f"{path} is not named like a backup segment")
    return int(match[1])


def list_segments(folder: Path) -> list[Path]:
    """Return the sealed segments of one route in their order."""
    found = (path for path in folder.iterdir() if _NAME.fullmatch(path.name))
    return sorted(found, key=segment_number)


def checksum_path(path: Path) -> Path:
    """Return the path of a file's checksum file, as `sha256sum --check` reads it."""
    return path.with_name(f"{path.name}.sha256")


class CompressedFile:
    """A compressed file that grows as a draft, and appears together with its checksum file."""

    def __init__(
        self, folder: Folder, name: str, compression: Compression, stack: ExitStack
    ) -> None:
        """Begin it; `stack` discards what is not published."""
        self.path = folder.path / name
        self._folder = folder
        self._stack = stack
        self._draft = self._begin(name)
        self._compressor = compressor(compression)
        self._digest = hashlib.sha256()
        self._lines = hashlib.sha256()
        self._waiting: list[bytes] = []
        self._size = 0

    def add(self, lines: bytes) -> None:
        """Write whole lines."""
        self._waiting.append(lines)
        self._size += len(lines)
        if self._size >= _WRITE_BYTES:
            self._flush()

    def publish(self, changes: int) -> str:
        """Write the trailer and give the file its name; return its SHA-256."""
        self._flush()
        trailer = Trailer(changes=changes, sha256=self._lines.hexdigest())
        self._write(self._compressor.compress(encode(trailer)) + self._compressor.flush())
        checksum = self._begin(checksum_path(self.path).name)
        checksum.append(f"{self._digest.hexdigest()}  {self.path.name}\n".encode())
        for draft in (self._draft, checksum):
            draft.complete()
        for draft in (self._draft, checksum):
            draft.publish()
            self._folder.sync()
        return self._digest.hexdigest()

    def _begin(self, name: str) -> Draft:
        draft = self._folder.draft(name)
        self._stack.callback(draft.discard)
        return draft

    def _flush(self) -> None:
        lines = b"".join(self._waiting)
        self._waiting, self._size = [], 0
        self._lines.update(lines)
        self._write(self._compressor.compress(lines))

    def _write(self, data: bytes) -> None:
        if data:
            self._digest.update(data)
            self._draft.append(data)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes. Raises `SegmentError`."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise SegmentError(f"{path} is missing", "Take this file from another copy.") from None
    except OSError as error:
        raise SegmentError(f"{path} cannot be read: {error.strerror}") from error


def recorded_digest(path: Path) -> str | None:
    """Return what a file's checksum file says; None when there is none."""
    try:
        words = checksum_path(path).read_bytes().split()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SegmentError(f"{checksum_path(path)} cannot be read: {error.strerror}") from error
    if len(words) != 2 or words[1] != path.name.encode():
        raise SegmentError(f"{checksum_path(path)} is not the checksum file of {path.name}")
    return words[0].decode(errors="replace")


def read_header(path: Path) -> SegmentHeader:
    """Read the first line of a segment only, without verifying the rest."""
    for item in read_lines(path):
        if isinstance(item, SegmentHeader) and item.number == segment_number(path):
            return item
        break
    raise damaged(path, "its header is not that of a segment of this number")


def read_lines(path: Path) -> Iterator[Item]:
    """Yield a compressed file's lines in order, from its header up to its trailer.

    Raises `SegmentError`, which names the file, when it cannot be read; that its lines are those
    that were written shows at the end, when they are held against the trailer.
    """
    digest = hashlib.sha256()
    count = 0
    trailer: Trailer | None = None
    try:
        with open_compressed(path) as file:
            digest.update(first := file.readline())
            yield _header(path, first)
            while lines := list(islice(file, _LINES_AT_ONCE)):
                changes: list[bytes] = []
                for line in lines:
                    if trailer is not None:
                        raise damaged(path, "it goes on after its trailer")
                    if line.startswith(b"["):
                        changes.append(line)
                        count += 1
                    else:
                        yield changes
                        changes = []
                        record = decode(line)
                        yield record
                        if isinstance(record, Trailer):
                            trailer = record
                            continue
                    digest.update(line)
                yield changes
    except (OSError, *DAMAGE, *INVALID) as error:
        raise damaged(path, "its lines cannot be read") from error
    if trailer is None:
        raise damaged(path, "its end is missing")
    if (trailer.changes, trailer.sha256) != (count, digest.hexdigest()):
        raise damaged(path, "its lines do not agree with its trailer")


def check_version(path: Path, line: bytes) -> None:
    """Refuse a file that a newer version of the program has written."""
    version = version_of(line)
    if version is not None and version > VERSION:
        raise SegmentError(
            f"{path} was written in version {version} of the format; this program knows version "
            f"{VERSION}",
            "Read it with the version of the replicator that wrote it, or a newer one.",
        )


def damaged(path: Path, reason: str) -> SegmentError:
    """Return the error for a file whose content is not what was written."""
    return SegmentError(f"{path} is damaged: {reason}", "Take this file from another copy.")


def _header(path: Path, line: bytes) -> Record:
    check_version(path, line)
    try:
        return decode(line)
    except INVALID as error:
        raise damaged(path, "its header cannot be read") from error
