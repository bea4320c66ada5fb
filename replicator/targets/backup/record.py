"""The lines of a backup that are not changes (docs/wire-format.md)."""

from __future__ import annotations

from typing import Any

import msgspec

from replicator.change import json_encoder
from replicator.errors import ReplicatorError
from triggers.model import Table

VERSION = 1


class SegmentError(ReplicatorError):
    """A file of a backup is damaged, missing or of a newer version; the message names it."""


class SegmentHeader(msgspec.Struct, frozen=True, kw_only=True, tag="segment", tag_field="record"):
    """The first line of a sealed segment."""

    version: int = VERSION
    route: str
    epoch: str  # identifies the source's outbox
    number: int  # 1, 2, 3 ... without a gap
    previous: str | None  # SHA-256 of the file before this one; None: there was none
    after_batch: int  # the last batch before this segment's first
    last_batch: int
    changes: int
    first_captured_at: str
    last_captured_at: str


class JournalHeader(msgspec.Struct, frozen=True, kw_only=True, tag="journal", tag_field="record"):
    """The first line of the segment that still grows."""

    version: int = VERSION
    route: str
    epoch: str
    number: int
    previous: str | None
    after_batch: int
    opened_at: str


class BaseHeader(msgspec.Struct, frozen=True, kw_only=True, tag="base", tag_field="record"):
    """The first line of one part of a base copy."""

    version: int = VERSION
    route: str
    epoch: str
    part: int


class TableRecord(msgspec.Struct, frozen=True, kw_only=True, tag="table", tag_field="record"):
    """How a table is, from here on; stands before its first change in each segment."""

    table: Table


class RoundStart(msgspec.Struct, frozen=True, kw_only=True, tag="round", tag_field="record"):
    """The changes up to the next `RoundEnd` are those of these batches."""

    first_batch: int
    last_batch: int
    mark: str  # identifies the last batch in the source's history
    continued: bool = False  # the round began in the segment before


class RoundEnd(msgspec.Struct, frozen=True, kw_only=True, tag="done", tag_field="record"):
    """The round is whole: the number of its changes, and SHA-256 of the journal's header and of the
    round's lines before this one.
    """

    last_batch: int
    changes: int
    sha256: str


class Trailer(msgspec.Struct, frozen=True, kw_only=True, tag="end", tag_field="record"):
    """The last line: the number of changes, and SHA-256 of all lines before this one."""

    changes: int
    sha256: str


Header = SegmentHeader | JournalHeader | BaseHeader
Record = Header | TableRecord | RoundStart | RoundEnd | Trailer

INVALID = (msgspec.MsgspecError, UnicodeDecodeError)
"""What `decode` raises for a line that is no record."""

_decoder: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)


def encode(record: Record) -> bytes:
    """Return a record as a line."""
    return json_encoder.encode(record) + b"\n"


def decode(line: bytes) -> Record:
    """Read a line that is not a change. Raises one of `INVALID`."""
    return _decoder.decode(line)


def version_of(line: bytes) -> int | None:
    """Return the version that a header tells, whatever else is in it."""
    try:
        found: Any = msgspec.json.decode(line, type=dict[str, Any]).get("version")
    except INVALID:
        return None
    return found if isinstance(found, int) else None


def captured_at(line: bytes) -> str:
    """Return when a change was captured: the last item of its line."""
    return line[line.rfind(b'"', 0, line.rindex(b'"')) + 1 : line.rindex(b'"')].decode()
