"""A store in a folder of this machine."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from replicator.errors import TargetUnavailable
from replicator.targets.files.folder import Folder, explained
from replicator.targets.files.store.probe import probe


class LocalStore:
    """A store in a local folder; what it did survives a power failure."""

    atomic = True

    def __init__(self, path: Path) -> None:
        self._path = path

    def open(self) -> None:
        """As `Store`."""
        Folder(self._path).prepare()

    def put(self, local: Path, name: str) -> None:
        """As `Store`."""
        path = self._path / name
        Folder(path.parent).prepare()
        with local.open("rb") as source, explained(path.parent):
            path.unlink(missing_ok=True)  # whatever stands there is replaced, never followed
            with path.open("xb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
                target.flush()
                os.fsync(target.fileno())
                found = os.fstat(target.fileno()).st_size
        if found != (size := local.stat().st_size):
            raise TargetUnavailable(
                f"{path} has {found} bytes where {size} were written",
                "Does another process write to this folder? The upload is repeated.",
            )

    def rename(self, old: str, new: str) -> None:
        """As `Store`."""
        path = self._path / new
        Folder(path.parent).prepare()
        with explained(path.parent):
            (self._path / old).replace(path)
        Folder(path.parent).sync()

    def size(self, name: str) -> int | None:
        """As `Store`."""
        with explained(self._path), suppress(FileNotFoundError):
            return (self._path / name).stat().st_size
        return None

    def delete(self, name: str) -> None:
        """As `Store`."""
        path = self._path / name
        with explained(path.parent):
            path.unlink(missing_ok=True)

    def names(self, folder: str = "") -> list[str]:
        """As `Store`."""
        with explained(self._path), suppress(FileNotFoundError):
            entries = (self._path / folder).iterdir()
            return sorted(entry.name for entry in entries if entry.is_file())
        return []

    def probe(self) -> None:
        """As `Store`."""
        probe(self)

    def close(self) -> None:
        """Nothing is held between calls."""
