"""Manifests: what a third party checks the files of a round against."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from replicator.targets.files.window import TimeWindows

VERSION = 1
_MARK = b'{\n  "replicator_manifest":'
_SNAPSHOT_MARK = b'{\n  "replicator_snapshot":'
MARKS = (_MARK, _SNAPSHOT_MARK)
"""How manifests begin."""


class ListedFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file."""

    name: str
    table: str
    rows: int
    bytes: int
    sha256: str


class FileEntry(ListedFile, frozen=True, kw_only=True):
    """One file of changes. Their ids are the source's; within one source they only rise."""

    first_change: int
    last_change: int


class Previous(msgspec.Struct, frozen=True):
    """The manifest before."""

    name: str
    sha256: str


class Span(msgspec.Struct, frozen=True):
    """A window."""

    start: datetime
    end: datetime


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The files of one round of one delivery, and the link to the round before."""

    replicator_manifest: int = VERSION
    delivery: str
    epoch: str  # identifies the source's outbox
    number: int  # of this manifest in its chain, from 1 on
    window: Span | None
    first_batch: int
    last_batch: int
    previous: Previous | None
    files: Sequence[FileEntry]

    def encode(self) -> bytes:
        """Return the JSON text, the same for the same manifest."""
        return _encode(self)


class SnapshotManifest(msgspec.Struct, frozen=True, kw_only=True):
    """The files of one snapshot of one delivery; no link of the chain of rounds.

    The files hold what all batches up to `last_batch` did, and may hold some of what later ones
    did: with the changes of those applied on top, they are exactly the tables.
    """

    replicator_snapshot: int = VERSION
    delivery: str
    epoch: str  # identifies the source's outbox
    begun: datetime
    last_batch: int
    files: Sequence[ListedFile]

    def encode(self) -> bytes:
        """Return the JSON text, the same for the same manifest."""
        return _encode(self)


def _encode(manifest: Manifest | SnapshotManifest) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


_decoder = msgspec.json.Decoder(Manifest)
_snapshot_decoder = msgspec.json.Decoder(SnapshotManifest)


def decode(data: bytes) -> Manifest | None:
    """Read a manifest; None when the text is none. Raises `ValueError` for a damaged one."""
    if not data.startswith(_MARK):
        return None
    try:
        manifest = _decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from None
    _check_version(manifest.replicator_manifest)
    return manifest


def decode_snapshot(data: bytes) -> SnapshotManifest | None:
    """Read a snapshot's manifest; as `decode` does others."""
    if not data.startswith(_SNAPSHOT_MARK):
        return None
    try:
        manifest = _snapshot_decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from None
    _check_version(manifest.replicator_snapshot)
    return manifest


def _check_version(version: int) -> None:
    if version > VERSION:
        raise ValueError(f"it has version {version}; this program knows {VERSION}")


class Memo(msgspec.Struct, frozen=True):
    """What the next manifest has to know of the last one; kept in the source's record."""

    number: int
    name: str
    sha256: str


def read_memo(text: str | None) -> Memo | None:
    """Read what `write_memo` wrote."""
    return msgspec.json.decode(text, type=Memo) if text else None


def write_memo(memo: Memo) -> str:
    """Write a memo as text."""
    return msgspec.json.encode(memo).decode()


def check_line(line: str) -> None:
    """Raise `ValueError` with the reason when a plain list cannot have such lines."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    entry = FileEntry(
        name="n", table="t", rows=1, bytes=1, sha256="0" * 64, first_change=1, last_change=1
    )
    sample = Manifest(
        delivery="r/t",
        epoch="e",
        number=1,
        window=Span(start, start + timedelta(hours=1)),
        first_batch=1,
        last_batch=1,
        previous=None,
        files=[entry],
    )
    try:
        plain_list(line, sample, TimeWindows(3600))
    except (KeyError, ValueError, IndexError, AttributeError) as error:
        raise ValueError(f"the manifest line {line!r} cannot be used: {error}") from None


def plain_snapshot_list(line: str, manifest: SnapshotManifest) -> str:
    """Return such lines for a snapshot: {window} is when it began, in UTC, other numbers are 0."""
    values: dict[str, object] = {
        "delivery": manifest.delivery,
        "window": manifest.begun,
        "window_end": manifest.begun,
        "number": 0,
        "first_change": 0,
        "last_change": 0,
    }
    return "".join(
        line.format_map(values | msgspec.structs.asdict(file)) + "\n" for file in manifest.files
    )


def plain_list(line: str, manifest: Manifest, windows: TimeWindows | None) -> str:
    """Return a line for each file: `line` with {name}, {table}, {rows}, {bytes}, {sha256}, ...

    {window} and {window_end} take a strftime format, as in names.
    """
    values: dict[str, object] = {"delivery": manifest.delivery, "number": manifest.number}
    if manifest.window is not None and windows is not None:
        zone = windows.zone
        values["window"] = manifest.window.start.astimezone(zone)
        values["window_end"] = manifest.window.end.astimezone(zone)
    return "".join(
        line.format_map(values | msgspec.structs.asdict(file)) + "\n" for file in manifest.files
    )
