"""Turning a journal into sealed segments.

The journal stays until all its segments are published, and the next journal replaces it in one
step. So whatever a crash interrupts is simply done again from the same journal.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from replicator.targets.backup.compression import Compression
from replicator.targets.backup.journal import END, Journal
from replicator.targets.backup.record import (
    JournalHeader,
    RoundEnd,
    RoundStart,
    SegmentHeader,
    TableRecord,
    captured_at,
    decode,
    encode,
)
from replicator.targets.backup.segment import (
    CompressedFile,
    checksum_path,
    list_segments,
    segment_name,
    segment_number,
)
from replicator.targets.files.folder import Folder, explained

_COPY_BYTES = 1 << 20


@dataclass
class _Part:
    """What becomes one segment: a span of the journal."""

    begin: int
    end: int
    after_batch: int
    last_batch: int = 0
    tables: tuple[TableRecord, ...] = ()  # in force where it begins
    inside: RoundStart | None = None  # the round that began in the part before
    changes: int = 0
    first: str = field(default="9")  # sorts after every time
    last: str = field(default="")


def seal(
    folder: Folder, journal: Journal, segment_bytes: int, compression: Compression, now: str
) -> Journal:
    """Publish the journal's rounds as segments, and return the journal that follows them.

    One segment, or several where the journal is larger than `segment_bytes`.
    """
    number, previous = journal.header.number, journal.header.previous
    _remove_from(folder, number)
    last_batch = journal.last_batch
    for part in _parts(journal, segment_bytes):
        header = SegmentHeader(
            route=journal.header.route,
            epoch=journal.header.epoch,
            number=number,
            previous=previous,
            after_batch=part.after_batch,
            last_batch=part.last_batch,
            changes=part.changes,
            first_captured_at=part.first,
            last_captured_at=part.last,
        )
        previous = _write(folder, journal.path, header, part, compression)
        number += 1
    return Journal.create(
        folder,
        JournalHeader(
            route=journal.header.route,
            epoch=journal.header.epoch,
            number=number,
            previous=previous,
            after_batch=last_batch,
            opened_at=now,
        ),
    )


def _remove_from(folder: Folder, number: int) -> None:
    """Remove the segments that an interrupted sealing of the same journal has left."""
    with explained(folder.path):
        for path in list_segments(folder.path):
            if segment_number(path) >= number:
                checksum_path(path).unlink(missing_ok=True)
                path.unlink()


def _parts(journal: Journal, segment_bytes: int) -> Iterator[_Part]:
    tables: dict[str, TableRecord] = {}
    inside: RoundStart | None = None
    with journal.path.open("rb") as file:
        begin = len(file.readline())
        part = _Part(begin, begin, journal.header.after_batch)
        while part.end < journal.size:
            line = file.readline()
            full = part.end - part.begin + len(line) > segment_bytes
            if full and part.changes and not line.startswith(END):
                after = part.last_batch if inside is None else inside.first_batch - 1
                yield part
                known = tuple(tables.values())
                part = _Part(part.end, part.end, after, tables=known, inside=inside)
                part.last_batch = after if inside is None else inside.last_batch
            part.end += len(line)
            if line.startswith(b"["):
                at = captured_at(line)
                part.first, part.last = min(part.first, at), max(part.last, at)
                part.changes += 1
                continue
            match decode(line):
                case TableRecord() as record:
                    tables[record.table.name] = record
                case RoundStart() as inside:
                    part.last_batch = inside.last_batch
                case RoundEnd():
                    inside = None
    yield part


def _write(
    folder: Folder, journal: Path, header: SegmentHeader, part: _Part, compression: Compression
) -> str:
    with ExitStack() as stack:
        name = segment_name(header.number, header.first_captured_at, compression)
        made = CompressedFile(folder, name, compression, stack)
        made.add(encode(header))
        for record in part.tables:
            made.add(encode(record))
        if part.inside is not None:
            start = part.inside
            made.add(
                encode(
                    RoundStart(
                        first_batch=start.first_batch,
                        last_batch=start.last_batch,
                        mark=start.mark,
                        continued=True,
                    )
                )
            )
        with journal.open("rb") as file:
            file.seek(part.begin)
            left = part.end - part.begin
            while left:
                data = file.read(min(left, _COPY_BYTES))
                made.add(data)
                left -= len(data)
        return made.publish(part.changes)
