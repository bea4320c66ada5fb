"""What a files target's configuration says about its drops: names, windows, sizes, manifests."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from replicator.targets.files.formats import FormatOptions
from replicator.targets.files.names import NamePattern
from replicator.targets.files.window import TimeWindows


@dataclass(frozen=True, slots=True)
class DropLayout:
    """How the changes of a round become files. `local_copy` holds them as they are published."""

    local_copy: Path
    name: NamePattern
    encoding: str = "utf-8"
    contents: FormatOptions = field(default_factory=FormatOptions)
    windows: TimeWindows | None = None
    roll_rows: int | None = None
    """A file that has as many rows is followed by another one."""
    roll_bytes: int | None = None
    """A file that has as many bytes is followed by another one; it may be a few rows larger."""
    manifest: NamePattern | None = None
    manifest_line: str | None = None
    """The form of a file's line in a plain list; None: the manifest is JSON."""
    empty_windows: bool = True
    """Whether a window without changes has a manifest."""
    empty_files: bool = False
    """Whether a table without changes has a file."""
