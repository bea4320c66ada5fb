"""What a receiver checks: files against their manifests, and manifests against each other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Literal

from replicator.errors import ReplicatorError
from replicator.targets.files.manifest import (
    MARKS,
    ListedFile,
    Manifest,
    SnapshotManifest,
    decode,
    decode_snapshot,
)

Kind = Literal["missing", "damaged", "gap", "contradiction", "unlisted"]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong with one file."""

    kind: Kind
    name: str
    message: str


@dataclass(frozen=True, slots=True)
class Chain:
    """The manifests of one delivery, from the first to the last that are there."""

    delivery: str
    first: int
    last: int
    start: str | None  # of the first window
    end: str | None  # of the last window


@dataclass(slots=True)
class Report:
    """What was found in a folder."""

    manifests: int = 0
    snapshots: int = 0  # manifests of snapshots, which are counted there, too
    files: int = 0
    rows: int = 0
    bytes: int = 0
    chains: list[Chain] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Found:
    name: str
    sha256: str
    manifest: Manifest


_Listing = tuple[str, Sequence[ListedFile]]
"""A manifest's name, and the files that it lists."""


def verify_folder(folder: Path) -> Report:
    """Check every manifest in a folder and below, and every file that one lists or should list.

    Names in manifests are relative to the folder. Hidden files are not looked at. Manifests older
    than the oldest one are taken to have been put away.
    """
    if not folder.is_dir():
        raise ReplicatorError(f"there is no folder {folder}")
    report = Report()
    manifests: list[_Found] = []
    listings: list[_Listing] = []
    others: set[str] = set()
    for name in _names(folder):
        data = _read_manifest(folder / name)
        manifest: Manifest | SnapshotManifest | None = None
        try:
            if data is not None:
                manifest = decode(data) or decode_snapshot(data)
        except ValueError as error:
            report.problems.append(Problem("damaged", name, f"cannot be read: {error}"))
            continue
        if data is None or manifest is None:
            others.add(name)
            continue
        listings.append((name, manifest.files))
        if isinstance(manifest, Manifest):
            manifests.append(_Found(name, hashlib.sha256(data).hexdigest(), manifest))
    report.manifests = len(listings)
    report.snapshots = len(listings) - len(manifests)
    listed = _check_files(folder, listings, report)
    for delivery in sorted({found.manifest.delivery for found in manifests}):
        chain = [found for found in manifests if found.manifest.delivery == delivery]
        chain.sort(key=lambda found: found.manifest.number)
        report.problems += _check_chain(chain)
        report.chains.append(_summary(chain))
    for name in sorted(others - listed):
        report.problems.append(Problem("unlisted", name, "no manifest lists it (yet)"))
    return report


def _names(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in relative.parts):
            yield relative.as_posix()


def _read_manifest(path: Path) -> bytes | None:
    """Return the bytes of a manifest, None of anything else."""
    with path.open("rb") as file:
        start = file.read(max(map(len, MARKS)))
        return start + file.read() if start.startswith(MARKS) else None


def _check_files(folder: Path, listings: list[_Listing], report: Report) -> set[str]:
    """Compare every file with its manifest; return the names of those that are listed."""
    listed: dict[str, str] = {}
    for manifest, files in listings:
        for entry in files:
            if entry.name in listed:
                message = f"{listed[entry.name]} and {manifest} both list it"
                report.problems.append(Problem("contradiction", entry.name, message))
                continue
            listed[entry.name] = manifest
            report.files += 1
            report.rows += entry.rows
            report.bytes += entry.bytes
            problem = _check_file(folder, entry, manifest)
            if problem is not None:
                report.problems.append(problem)
    return set(listed)


def _check_file(folder: Path, entry: ListedFile, manifest: str) -> Problem | None:
    path = folder / entry.name
    if not path.resolve().is_relative_to(folder.resolve()):
        return Problem("contradiction", entry.name, f"{manifest} lists it, outside the folder")
    if not path.is_file():
        return Problem("missing", entry.name, f"{manifest} lists it ({entry.rows} rows)")
    if (size := path.stat().st_size) != entry.bytes:
        return Problem("damaged", entry.name, f"has {size} bytes, {manifest} says {entry.bytes}")
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != entry.sha256:
            return Problem("damaged", entry.name, f"has another SHA-256 than {manifest} says")
    return None


def _check_chain(chain: list[_Found]) -> Iterator[Problem]:
    """Compare each manifest with the one that it names as its predecessor."""
    for before, found in pairwise(chain):
        manifest = found.manifest
        if manifest.number == before.manifest.number:
            message = f"has number {manifest.number}, as {before.name} has"
            yield Problem("contradiction", found.name, message)
        elif manifest.number != before.manifest.number + 1:
            yield _gap(before, found)
        elif manifest.previous is None or manifest.previous.name != before.name:
            yield Problem("contradiction", found.name, f"does not follow {before.name}")
        elif manifest.previous.sha256 != before.sha256:
            message = f"has another SHA-256 than {found.name} says"
            yield Problem("damaged", before.name, message)


def _gap(before: _Found, found: _Found) -> Problem:
    first, last = before.manifest.number + 1, found.manifest.number - 1
    what = f"manifest {first}" if first == last else f"manifests {first} to {last}"
    windows = before.manifest.window, found.manifest.window
    if windows[0] is not None and windows[1] is not None:
        what += f" ({_time(windows[0].end)} to {_time(windows[1].start)})"
    name = found.manifest.previous.name if found.manifest.previous is not None else found.name
    return Problem("gap", name, f"between {before.name} and {found.name}, {what} missing")


def _summary(chain: list[_Found]) -> Chain:
    first, last = chain[0].manifest, chain[-1].manifest
    return Chain(
        delivery=first.delivery,
        first=first.number,
        last=last.number,
        start=_time(first.window.start) if first.window is not None else None,
        end=_time(last.window.end) if last.window is not None else None,
    )


def _time(moment: datetime) -> str:
    return moment.isoformat()
