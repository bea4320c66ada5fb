"""Where files are put: a local folder, or a folder of an FTP or SFTP server."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, assert_never

from replicator.targets.files.store.settings import (
    FolderSettings,
    FtpSettings,
    SftpSettings,
    StoreSettings,
)

__all__ = [
    "FolderSettings",
    "FtpSettings",
    "SftpSettings",
    "Store",
    "StoreSettings",
    "open_store",
]


class Store(Protocol):
    """A folder that a third party fetches files from.

    Names are relative to that folder, with `/` between the parts. Whatever fails raises
    `TargetUnavailable` when a repetition may help, else `DeliveryStopped`; messages name the
    server, never a password. A connection is kept between calls and made anew when it went.

    Not to be used by two threads at the same time.
    """

    @property
    def atomic(self) -> bool:
        """False: the server cannot rename, so that `rename` must not be called."""

    def open(self) -> None:
        """Connect, log in, and make the folder where it is missing."""

    def put(self, local: Path, name: str) -> None:
        """Upload a whole file, in place of an earlier one, and make missing folders.

        The size of what arrived is compared. A failure may leave a part of the file there.
        """

    def rename(self, old: str, new: str) -> None:
        """Rename a file, in place of an existing `new`.

        Atomic where the server replaces files; where it refuses to, `new` is deleted first.
        """

    def size(self, name: str) -> int | None:
        """Return a file's size in bytes; None: there is no such file."""

    def delete(self, name: str) -> None:
        """Delete a file; nothing happens when it has gone already."""

    def names(self, folder: str = "") -> list[str]:
        """Return the names of the files directly in a folder, sorted; empty if it is missing.

        FTP servers without MLSD may leave out names with a leading dot, and list folders too.
        """

    def probe(self) -> None:
        """Put, rename and delete a small hidden file, as a delivery would."""

    def close(self) -> None:
        """End the connection; the next call makes a new one. Never raises."""


def open_store(settings: StoreSettings) -> Store:
    """Make the store for these settings; it connects when it is first used."""
    # Imported late: reading a configuration is not to wait for an SSH library that nobody uses.
    match settings:
        case FolderSettings():
            from replicator.targets.files.store.local import LocalStore

            return LocalStore(settings.path)
        case FtpSettings():
            from replicator.targets.files.store.ftp import ftp_store

            return ftp_store(settings)
        case SftpSettings():
            from replicator.targets.files.store.sftp import sftp_store

            return sftp_store(settings)
        case _:
            assert_never(settings)
