"""The store on an SSH server, through SFTP."""

from __future__ import annotations

import errno
import stat
from contextlib import suppress
from functools import partial
from pathlib import PurePosixPath
from typing import Any, BinaryIO

import paramiko

from replicator.errors import ReplicatorError, TargetUnavailable
from replicator.targets.files.store.errors import connection_failure, not_allowed, plain_text
from replicator.targets.files.store.server import ServerStore
from replicator.targets.files.store.settings import SftpSettings
from replicator.targets.files.store.ssh import connect

_PIECE = 1 << 15


def sftp_store(settings: SftpSettings) -> ServerStore:
    """Make the store; it connects when it is first used."""
    return ServerStore(
        settings.place,
        partial(_connect, settings),
        partial(_explain, settings.place),
        atomic=settings.rename,
    )


class SftpSession:
    """A login on an SSH server; names are relative to the store's folder."""

    def __init__(self, transport: paramiko.Transport, folder: str, timeout: float) -> None:
        self._transport = transport
        self._folder = PurePosixPath(folder)
        sftp = paramiko.SFTPClient.from_transport(transport)
        assert sftp is not None
        self._sftp = sftp
        channel = sftp.get_channel()
        assert channel is not None
        channel.settimeout(timeout)

    def enter(self) -> None:
        """Make the folder, and those above it, where they are missing."""
        if self.size("") is None:
            for folder in reversed([self._folder, *self._folder.parents]):
                if folder.name:
                    self._make(str(folder))
            self._sftp.stat(str(self._folder))

    def answers(self) -> bool:
        """As `Session`."""
        try:
            self._sftp.stat(".")
        except (OSError, EOFError, paramiko.SSHException):
            return False
        return True

    def make_folder(self, folder: str) -> None:
        """As `Session`."""
        self._make(self._path(folder))

    def upload(self, file: BinaryIO, name: str) -> int | None:
        """As `Session`."""
        path = self._path(name)
        with self._sftp.open(path, "wb") as remote:
            remote.set_pipelined(True)
            while piece := file.read(_PIECE):
                remote.write(piece)
            _confirm(self._sftp, remote)
        return self.size(name)

    def size(self, name: str) -> int | None:
        """As `Session`."""
        try:
            return self._sftp.stat(self._path(name)).st_size
        except FileNotFoundError:
            return None

    def rename(self, old: str, new: str) -> None:
        """As `Session`."""
        source, target = self._path(old), self._path(new)
        try:
            self._sftp.posix_rename(source, target)
        except OSError as error:
            if error.errno is not None or not self._transport.is_active():
                raise
        else:
            return
        # Not OpenSSH: the protocol's own rename, which replaces nothing.
        self._sftp.stat(source)
        with suppress(FileNotFoundError):
            self._sftp.remove(target)
        self._sftp.rename(source, target)

    def delete(self, name: str) -> None:
        """As `Session`."""
        with suppress(FileNotFoundError):
            self._sftp.remove(self._path(name))

    def names(self, folder: str) -> list[str]:
        """As `Session`."""
        try:
            entries = self._sftp.listdir_attr(self._path(folder))
        except FileNotFoundError:
            return []
        return [entry.filename for entry in entries if not stat.S_ISDIR(entry.st_mode or 0)]

    def close(self) -> None:
        """As `Session`."""
        self._transport.close()

    def _path(self, name: str) -> str:
        return str(self._folder / name)

    def _make(self, path: str) -> None:
        # It is there, or whatever is put into it will fail.
        with suppress(OSError):
            self._sftp.mkdir(path)


def _confirm(sftp: Any, file: Any) -> None:
    """Read the answers to all writes: `close` would leave the last ones unread, failures too."""
    while file._reqs:
        sftp._read_response(file._reqs.popleft())


def _connect(settings: SftpSettings) -> SftpSession:
    transport = connect(settings)
    try:
        session = SftpSession(transport, settings.folder, settings.timeout)
        session.enter()
    except Exception as error:
        transport.close()
        raise _explain(settings.place, f"enter the folder {settings.folder}", error) from error
    return session


def _explain(place: str, action: str, error: Exception) -> ReplicatorError:
    if not isinstance(error, OSError) or isinstance(error, TimeoutError | ConnectionError):
        return connection_failure(place, error)
    answer = plain_text(error.strerror or str(error))
    if error.errno == errno.EACCES:
        return not_allowed(place, action, answer)
    if error.errno == errno.ENOENT:
        return TargetUnavailable(
            f"{place}: cannot {action}: there is no such file or folder ({answer})",
            "It is tried again; did somebody remove the folder of the target's url?",
        )
    if answer == "Socket is closed":
        return connection_failure(place, error)
    return TargetUnavailable(
        f"{place}: cannot {action} ({answer})",
        "The server gives no reason; often its disk is full or the account's quota used up. "
        "The delivery goes on by itself when that is mended.",
    )
