"""A backup segment: its bytes, and reading it back (docs/wire-format.md)."""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import msgspec

from replicator.change import Change, decode_changes
from replicator.errors import ReplicatorError

VERSION = 1
_LEVEL = 3  # about 1.7 times as fast as gzip's own default, for a tenth more bytes
_GZIP = 31  # zlib's name for a gzip stream, without file name and time: same bytes each time
_LINES_AT_ONCE = 500
_NAME = re.compile(r"(\d{12,})-(\d{12,})\.jsonl\.gz")

_encoder = msgspec.json.Encoder(decimal_format="number")


class SegmentError(ReplicatorError):
    """A segment is damaged, incomplete or written by a newer version; the message names it."""


class SegmentHeader(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first line: which round of which route these changes are."""

    route: str
    epoch: str
    first_batch: int
    last_batch: int
    mark: str  # identifies the last batch in the source's history
    version: int = VERSION


class SegmentTrailer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last line: the number of changes, and SHA-256 (hex) of all lines before this one."""

    changes: int
    sha256: str


def segment_name(first_batch: int, last_batch: int) -> str:
    """Return the file name of a round's segment; names sort as the rounds do."""
    return f"{first_batch:012d}-{last_batch:012d}.jsonl.gz"


def segment_batches(path: Path) -> tuple[int, int]:
    """Return the first and last batch that a segment's name tells."""
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise SegmentError(f"{path} is not named like a backup segment")
    return int(match[1]), int(match[2])


def checksum_path(path: Path) -> Path:
    """Return the path of a segment's checksum file, as `sha256sum --check` reads it."""
    return path.with_name(f"{path.name}.sha256")


def list_segments(folder: Path) -> list[Path]:
    """Return one route's segments in the order of their batches."""
    found = (path for path in folder.iterdir() if _NAME.fullmatch(path.name))
    return sorted(found, key=segment_batches)


class SegmentWriter:
    """Turns a round's changes into the bytes of its segment; the caller writes them in order."""

    def __init__(self, header: SegmentHeader) -> None:
        self.changes = 0
        self._lines = hashlib.sha256()
        self._file = hashlib.sha256()
        self._compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
        self._start = _encoder.encode_lines([header])

    def add(self, changes: Sequence[Change]) -> bytes:
        """Return further bytes of the file; may be empty while the compressor collects."""
        lines = self._start + _encoder.encode_lines(changes)
        self._start = b""
        self._lines.update(lines)
        self.changes += len(changes)
        return self._count(self._compressor.compress(lines))

    def end(self) -> bytes:
        """Return the last bytes of the file."""
        trailer = SegmentTrailer(changes=self.changes, sha256=self._lines.hexdigest())
        last = self._compressor.compress(_encoder.encode_lines([trailer]))
        return self._count(last + self._compressor.flush())

    def checksum_line(self, name: str) -> bytes:
        """Return the content of the checksum file of the finished segment."""
        return f"{self._file.hexdigest()}  {name}\n".encode()

    def _count(self, data: bytes) -> bytes:
        self._file.update(data)
        return data


def read_segment(path: Path) -> tuple[SegmentHeader, Iterator[Change]]:
    """Verify a segment against its checksum file; return its header and its changes, streamed.

    Raises `SegmentError`, which names the file; the iterator raises it too, when the lines do not
    agree with the trailer.
    """
    _verify_checksum(path)
    header = read_header(path)
    if (header.first_batch, header.last_batch) != segment_batches(path):
        raise SegmentError(f"{path} holds other batches than its name tells")
    return header, _read_changes(path)


def read_header(path: Path) -> SegmentHeader:
    """Read the first line only, without verifying the rest."""
    try:
        with gzip.open(path, "rb") as file:
            line = file.readline()
        version = msgspec.json.decode(line, type=dict[str, object]).get("version")
        if isinstance(version, int) and version > VERSION:
            raise SegmentError(
                f"{path} was written in version {version} of the format; this program knows "
                f"version {VERSION}",
                "Read it with the version of the replicator that wrote it, or a newer one.",
            )
        return msgspec.json.decode(line, type=SegmentHeader)
    except (OSError, EOFError, zlib.error, msgspec.MsgspecError) as error:
        raise _damaged(path, "its header cannot be read") from error


def _verify_checksum(path: Path) -> None:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SegmentError(f"{path} cannot be read: {error.strerror}") from error
    try:
        line = checksum_path(path).read_bytes()
    except FileNotFoundError:
        raise SegmentError(
            f"{path} has no checksum file beside it: its round was not finished, or the file lost",
            "Start the replicator: it repeats an unfinished round. To take the segment as it is, "
            f"run in its folder: sha256sum {path.name} > {path.name}.sha256",
        ) from None
    except OSError as error:
        raise SegmentError(f"{checksum_path(path)} cannot be read: {error.strerror}") from error
    if line.split() != [found.encode(), path.name.encode()]:
        raise _damaged(path, f"it does not agree with {checksum_path(path).name}")


def _read_changes(path: Path) -> Iterator[Change]:
    """Yield the changes; compare their number and checksum with the trailer at the end."""
    digest = hashlib.sha256()
    count = 0
    trailer = None
    try:
        with gzip.open(path, "rb") as file:
            digest.update(file.readline())
            while lines := list(islice(file, _LINES_AT_ONCE)):
                if trailer is not None:
                    raise _damaged(path, "it goes on after its trailer")
                if lines[-1].startswith(b"{"):
                    trailer = msgspec.json.decode(lines.pop(), type=SegmentTrailer)
                for line in lines:
                    digest.update(line)
                count += len(lines)
                yield from decode_changes(lines)
    except (OSError, EOFError, zlib.error, msgspec.MsgspecError) as error:
        raise _damaged(path, "its lines cannot be read") from error
    if trailer is None:
        raise _damaged(path, "its end is missing")
    if (trailer.changes, trailer.sha256) != (count, digest.hexdigest()):
        raise _damaged(path, "its changes do not agree with its trailer")


def _damaged(path: Path, reason: str) -> SegmentError:
    return SegmentError(f"{path} is damaged: {reason}", "Take this file from another copy.")
