"""Files in a local folder: each appears under its name complete, or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from replicator.errors import DeliveryStopped, TargetUnavailable

_FULL = {errno.ENOSPC, errno.EDQUOT}
_REFUSED = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.EFBIG,
    errno.ELOOP,
}


class Folder:
    """A local folder that holds published files.

    A file grows as a draft: `.<name>.part` in the same folder. A draft that an interrupted
    attempt left behind is replaced by the next draft of the same name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def prepare(self) -> None:
        """Create the folder, and those above it, where they are missing."""
        with explained(self.path):
            missing = []
            above = self.path
            while not above.exists():
                missing.append(above)
                above = above.parent
            for folder in reversed(missing):
                folder.mkdir(exist_ok=True)
                _sync(folder.parent)
            if not self.path.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))

    def draft(self, name: str) -> Draft:
        """Start a file that is to be published as `name`."""
        return Draft(self.path, name)

    def sync(self) -> None:
        """Make the names published so far survive a power failure."""
        with explained(self.path):
            _sync(self.path)


class Draft:
    """A file under a temporary name.

    It is not kept open between appends: a round over a thousand tables has a thousand drafts. Two
    processes that write the same draft (a stale lease) write the same bytes; whenever the sizes
    show that it happened, the attempt fails and is repeated, so that no partial file is published.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / name
        self.size = 0
        self._part = folder / f".{name}.part"
        self._published = False
        with explained(folder):
            self._part.unlink(missing_ok=True)
            with self._part.open("xb"):
                pass

    def append(self, data: bytes) -> None:
        """Write at the end of the draft."""
        with explained(self.path.parent), self._part.open("r+b") as file:
            self._check_size(file.seek(0, os.SEEK_END))
            file.write(data)
        self.size += len(data)

    def complete(self) -> None:
        """Bring all bytes to the disk and check that none is missing."""
        with explained(self.path.parent), self._part.open("r+b") as file:
            os.fsync(file.fileno())
            self._check_size(os.fstat(file.fileno()).st_size)

    def publish(self) -> None:
        """Give the completed draft its name, in place of an earlier file of that name."""
        with explained(self.path.parent):
            self._check_size(self._part.stat().st_size)
            self._part.replace(self.path)
        self._published = True

    def discard(self) -> None:
        """Remove the draft unless it was published. Never raises."""
        if not self._published:
            with suppress(OSError):
                self._part.unlink(missing_ok=True)

    def _check_size(self, found: int) -> None:
        if found != self.size:
            raise TargetUnavailable(
                f"{self._part} has {found} bytes where {self.size} were written",
                "Does another process write to this folder? The round is repeated.",
            )


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turn an operating system's error into one that says what to do about this folder."""
    try:
        yield
    except OSError as error:
        reason = f"cannot write to the folder {folder}: {error.strerror}"
        if error.errno in _FULL:
            raise TargetUnavailable(
                reason, f"Free space for {folder}; the delivery then goes on by itself."
            ) from error
        if error.errno == errno.ENAMETOOLONG:
            raise DeliveryStopped(
                reason, "Shorten the target's name pattern, then resume the delivery."
            ) from error
        if error.errno in _REFUSED:
            raise DeliveryStopped(
                reason,
                f"Make {folder} a folder in which the replicator's user may create, rename and "
                "remove files, then resume the delivery.",
            ) from error
        raise TargetUnavailable(
            reason, f"Check that {folder} exists and that its disk or share is in order."
        ) from error
