"""Base copies: all rows of the tables at one moment, beside the changes that follow.

A base copy is `base-<begun>.json`, which lists its parts, `base-<begun>-<part>.jsonl.gz`. The list
is published last: parts without it belong to a copy that was not finished.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from replicator.change import Change, Row, json_encoder
from replicator.targets.backup.compression import SUFFIXES, Compression
from replicator.targets.backup.record import (
    INVALID,
    VERSION,
    BaseHeader,
    SegmentError,
    TableRecord,
    encode,
)
from replicator.targets.backup.segment import (
    CompressedFile,
    check_version,
    checksum_path,
    damaged,
    file_digest,
    recorded_digest,
)
from replicator.targets.files.folder import Folder
from triggers.model import Table

_PART_BYTES = 256 << 20
_ROWS_AT_ONCE = 500
_NAME = re.compile(r"base-\d{8}T\d{6}\d{6}Z\.json")


class BasePart(msgspec.Struct, frozen=True):
    """One file of a base copy."""

    name: str
    rows: int
    sha256: str


class BaseList(msgspec.Struct, frozen=True):
    """A finished base copy.

    It holds what all batches up to `after_batch` did, and may hold some of what later ones did:
    with the changes that were captured up to `taken_at` applied on top, it is exactly the tables.
    """

    version: int
    route: str
    epoch: str
    after_batch: int
    taken_at: str  # UTC: when its last row was read
    tables: tuple[str, ...]
    parts: tuple[BasePart, ...]


@dataclass(frozen=True, slots=True)
class Base:
    """A base copy in a folder."""

    path: Path  # of its list
    content: BaseList

    @property
    def parts(self) -> list[Path]:
        """Its files, in order."""
        return [self.path.with_name(part.name) for part in self.content.parts]


def list_bases(folder: Path) -> list[Base]:
    """Return the finished base copies of a folder, oldest first. Raises `SegmentError`."""
    paths = sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))
    return [Base(path, _read_list(path)) for path in paths]


def _read_list(path: Path) -> BaseList:
    if recorded_digest(path) != file_digest(path):
        raise damaged(path, f"it does not agree with {checksum_path(path).name}")
    text = path.read_bytes()
    check_version(path, text)
    try:
        return msgspec.json.decode(text, type=BaseList)
    except INVALID as error:
        raise damaged(path, "it is not a list of parts") from error


class BaseWriter:
    """Writes a base copy into a route's backup folder.

    `table`, then `rows` for it, table after table, parents before children; then `finish`. Leaving
    the `with` block without `finish` removes what is not published.
    """

    def __init__(
        self,
        folder: Path,
        *,
        route: str,
        epoch: str,
        after_batch: int,
        compression: Compression = "gzip",
        part_bytes: int = _PART_BYTES,
    ) -> None:
        """Begin a copy. `after_batch`: the last batch sealed before the first row was read."""
        self._folder = Folder(folder)
        self._folder.prepare()
        self._route, self._epoch, self._after_batch = route, epoch, after_batch
        self._compression = compression
        self._part_bytes = part_bytes
        begun = datetime.now(UTC)
        self._begun = begun.strftime("%Y-%m-%dT%H:%M:%S.%f")
        self._name = f"base-{begun:%Y%m%dT%H%M%S%f}Z"
        self._stack = ExitStack()
        self._parts: list[BasePart] = []
        self._tables: list[str] = []
        self._table: Table | None = None
        self._file: CompressedFile | None = None
        self._rows = self._size = self._number = 0

    def __enter__(self) -> BaseWriter:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def table(self, table: Table) -> None:
        """Say which table the next rows are of."""
        self._table = table
        self._tables.append(table.name)
        self._open().add(encode(TableRecord(table=table)))

    def rows(self, rows: Iterable[Row]) -> None:
        """Add rows of the current table, as the wire format has them."""
        assert self._table is not None
        for some in _some(rows):
            changes = []
            for row in some:
                self._number += 1
                changes.append(
                    Change(self._number, self._table.name, "I", None, row, None, self._begun)
                )
            lines = json_encoder.encode_lines(changes)
            self._open().add(lines)
            self._rows += len(changes)
            self._size += len(lines)
            if self._size >= self._part_bytes:
                self._end_part()

    def finish(self, taken_at: datetime) -> Base:
        """Publish the copy. `taken_at`: when the last row had been read, with time zone."""
        self._end_part()
        content = BaseList(
            version=VERSION,
            route=self._route,
            epoch=self._epoch,
            after_batch=self._after_batch,
            taken_at=taken_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f"),
            tables=tuple(self._tables),
            parts=tuple(self._parts),
        )
        path = self._folder.path / f"{self._name}.json"
        data = msgspec.json.format(msgspec.json.encode(content)) + b"\n"
        digest = hashlib.sha256(data).hexdigest()
        for name, text in (
            (checksum_path(path).name, f"{digest}  {path.name}\n".encode()),
            (path.name, data),
        ):
            draft = self._folder.draft(name)
            self._stack.callback(draft.discard)
            draft.append(text)
            draft.complete()
            draft.publish()
            self._folder.sync()
        return Base(path, content)

    def _open(self) -> CompressedFile:
        if self._file is None:
            part = len(self._parts) + 1
            name = f"{self._name}-{part:04d}{SUFFIXES[self._compression]}"
            self._file = CompressedFile(self._folder, name, self._compression, self._stack)
            header = BaseHeader(route=self._route, epoch=self._epoch, part=part)
            self._file.add(encode(header))
            if self._table is not None:
                self._file.add(encode(TableRecord(table=self._table)))
        return self._file

    def _end_part(self) -> None:
        if self._file is not None:
            digest = self._file.publish(self._rows)
            self._parts.append(BasePart(self._file.path.name, self._rows, digest))
            self._file, self._rows, self._size = None, 0, 0


def verify_part(path: Path, part: BasePart) -> None:
    """Hold a part's bytes against the list. Raises `SegmentError`."""
    if file_digest(path) != part.sha256:
        raise SegmentError(
            f"{path} is damaged: it does not agree with the list of its base copy",
            "Take this file from another copy, or use another base copy.",
        )


def _some(rows: Iterable[Row]) -> Iterator[list[Row]]:
    some: list[Row] = []
    for row in rows:
        some.append(row)
        if len(some) >= _ROWS_AT_ONCE:
            yield some
            some = []
    if some:
        yield some
