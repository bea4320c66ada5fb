"""The segment that still grows: `current.jsonl`, to which each round is appended.

It is plain JSON Lines, so that what a crash left at its end is seen and cut off without decoding a
compressed stream: a round counts once its `RoundEnd` is there and agrees with the lines before it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Literal

from replicator.change import Block, json_encoder
from replicator.targets.backup.record import (
    INVALID,
    JournalHeader,
    RoundEnd,
    RoundStart,
    TableRecord,
    decode,
    encode,
)
from replicator.targets.backup.segment import JOURNAL, Item, check_version, damaged
from replicator.targets.files.folder import Folder, explained
from triggers.model import Table

_LINES_AT_ONCE = 500
END = b'{"record":"done"'
"""How the line of a `RoundEnd` begins."""

Tail = Literal["", "torn", "damaged"]
"""What follows the last whole round: nothing, an unfinished round, or one that was finished."""


@dataclass
class State:
    """A journal up to the end of one of its rounds."""

    size: int
    last: RoundStart | None = None
    tables: dict[str, Table] = field(default_factory=dict)


@dataclass
class Scan:
    """What a look at a journal has found."""

    header: JournalHeader
    now: State
    before: State  # without the last round
    changes: int
    tail: Tail


def scan(path: Path) -> Scan:
    """Read a journal and verify its rounds. Raises `SegmentError` when it has no valid header."""
    try:
        with path.open("rb") as file:
            return _scan(path, file)
    except OSError as error:
        raise damaged(path, f"it cannot be read: {error.strerror}") from error


def _scan(path: Path, file: BinaryIO) -> Scan:
    first = file.readline()
    header = _journal_header(path, first)
    now = before = State(len(first))
    changes = 0
    start: RoundStart | None = None
    digest = hashlib.sha256()
    count = 0
    tables: dict[str, Table] = {}
    offset = len(first)
    with suppress(*INVALID):  # of the unfinished end
        for line in file:
            offset += len(line)
            if not line.endswith(b"\n"):
                break
            if line.startswith(b"["):
                count += 1
                digest.update(line)
                continue
            record = decode(line)
            match record:
                case RoundStart():
                    start, count, digest = record, 0, hashlib.sha256(first + line)
                    tables = dict(now.tables)
                case TableRecord():
                    tables[record.table.name] = record.table
                    digest.update(line)
                case RoundEnd():
                    found = (start and start.last_batch, count, digest.hexdigest())
                    if found != (record.last_batch, record.changes, record.sha256):
                        break
                    before, now = now, State(offset, start, tables)
                    changes += count
                case _:
                    break
    return Scan(header, now, before, changes, _tail(file, now.size))


def _tail(file: BinaryIO, size: int) -> Tail:
    if file.seek(0, os.SEEK_END) == size:
        return ""
    file.seek(size)
    finished = any(line.startswith(END) and line.endswith(b"\n") for line in file)
    return "damaged" if finished else "torn"


def read_journal(path: Path, size: int) -> Iterator[Item]:
    """Yield the lines of a journal that was scanned, up to `size`."""
    with path.open("rb") as file:
        yield decode(file.readline())
        while file.tell() < size:
            changes: list[bytes] = []
            for line in islice(iter(file.readline, b""), _LINES_AT_ONCE):
                if line.startswith(b"["):
                    changes.append(line)
                else:
                    yield changes
                    changes = []
                    yield decode(line)
                if file.tell() >= size:
                    break
            yield changes


class Journal:
    """The journal of a folder, as its only writer sees it."""

    def __init__(self, folder: Folder, found: Scan) -> None:
        self.header = found.header
        self._folder = folder
        self._path = folder.path / JOURNAL
        self._now, self._before = found.now, found.before
        self._inode = self._path.stat().st_ino

    @classmethod
    def load(cls, folder: Folder) -> Journal | None:
        """Read the journal of a folder; None when there is none."""
        path = folder.path / JOURNAL
        return cls(folder, scan(path)) if path.exists() else None

    @classmethod
    def create(cls, folder: Folder, header: JournalHeader) -> Journal:
        """Begin a journal in place of the one that is there."""
        draft = folder.draft(JOURNAL)
        try:
            draft.append(encode(header))
            draft.complete()
            draft.publish()
            folder.sync()
        finally:
            draft.discard()
        state = State(draft.size)
        return cls(folder, Scan(header, state, state, 0, ""))

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    @property
    def size(self) -> int:
        """Bytes up to the end of the last whole round."""
        return self._now.size

    @property
    def last(self) -> RoundStart | None:
        """The last whole round in it."""
        return self._now.last

    @property
    def last_batch(self) -> int:
        """The last batch that is in the backup."""
        return self._now.last.last_batch if self._now.last else self.header.after_batch

    def is_unchanged(self) -> bool:
        """Tell whether the file is the one, and ends where, this writer left it."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return False
        return (found.st_ino, found.st_size) == (self._inode, self.size)

    def cut_off(self) -> None:
        """Remove what follows the last whole round."""
        with explained(self._folder.path), self._path.open("r+b") as file:
            file.truncate(self.size)
            os.fsync(file.fileno())

    def forget_last(self) -> None:
        """Take the last round for unfinished: it is going to be written again."""
        self._now = self._before
        self.cut_off()

    def append(
        self, start: RoundStart, blocks: Iterable[Block], tables: Mapping[str, Table]
    ) -> int:
        """Make a round durable; return the number of its changes.

        A failure leaves the file as it was, or with an unfinished end.
        """
        with explained(self._folder.path):
            file = self._path.open("r+b")
        known = dict(self._now.tables)
        with file:
            try:
                line = encode(start)
                digest = hashlib.sha256(file.readline() + line)
                file.seek(self.size)
                self._write(file, line)
                count = 0
                for block in blocks:
                    changes = block.changes()
                    lines = json_encoder.encode_lines(changes)
                    for name in dict.fromkeys(change.table for change in changes):
                        if name in tables and known.get(name) != tables[name]:
                            known[name] = tables[name]
                            lines = encode(TableRecord(table=tables[name])) + lines
                    digest.update(lines)
                    self._write(file, lines)
                    count += len(changes)
                end = RoundEnd(
                    last_batch=start.last_batch, changes=count, sha256=digest.hexdigest()
                )
                self._write(file, encode(end))
                with explained(self._folder.path):
                    file.flush()
                    os.fsync(file.fileno())
            except BaseException:
                with suppress(OSError):
                    file.truncate(self.size)
                raise
            size = file.tell()
        self._before, self._now = self._now, State(size, start, known)
        return count

    def _write(self, file: BinaryIO, data: bytes) -> None:
        with explained(self._folder.path):
            file.write(data)


def _journal_header(path: Path, line: bytes) -> JournalHeader:
    check_version(path, line)
    try:
        record = decode(line)
    except INVALID as error:
        raise damaged(path, "its header cannot be read") from error
    if not isinstance(record, JournalHeader):
        raise damaged(path, "its header is not that of a journal")
    return record
