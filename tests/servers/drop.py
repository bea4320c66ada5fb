"""What every server has that the tests drop files on."""

from __future__ import annotations

import getpass
import os
import pwd
import signal
import socket
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Self

from replicator.targets.files.store import FtpSettings, SftpSettings
from tests.servers.base import free_port
from tests.servers.process import ServerProcess

_READY_DEADLINE_SECONDS = 30.0


class DropServer(ABC):
    """A real server with one account, on 127.0.0.1, whose files are in `path`."""

    name: ClassVar[str]
    as_tester: ClassVar[bool] = False
    """Whether it has to run as the user who runs the tests."""
    password: ClassVar[str] = "a word of passage"

    def __init__(self) -> None:
        """Prepare the server; `start()` starts it. Raises ServerNotInstalled."""
        self.port = free_port()
        self._process = ServerProcess(self.name, signal.SIGKILL, as_tester=self.as_tester)
        self.path = self.folder / "drop"
        self.path.mkdir()
        self._own(self.path)

    @property
    def folder(self) -> Path:
        """Where the server's own files live; removed by `close()`."""
        return self._process.folder

    @abstractmethod
    def settings(self, *, port: int | None = None, **changes: Any) -> FtpSettings | SftpSettings:
        """Settings that log in; `port` when not the server's own, as for a proxy."""

    @abstractmethod
    def url(self) -> str:
        """The URL of the drop folder as a user writes it."""

    def start(self) -> None:
        """Start the server, always on the same port; return when it takes connections."""
        self._process.start(self._command())
        deadline = time.monotonic() + _READY_DEADLINE_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 5).close()
            except OSError:
                if not self._process.running or time.monotonic() > deadline:
                    log = self._process.log_tail()
                    raise RuntimeError(f"{self.name} did not start; its log:\n{log}") from None
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        """SIGKILL the server and all its processes; return when they are gone."""
        self._process.kill()

    def close(self) -> None:
        """End the server for good and remove its folder."""
        self._process.close()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @abstractmethod
    def _command(self) -> list[str | Path]:
        """The command that runs the server in the foreground."""

    def _write(self, name: str, text: str, mode: int = 0o600) -> Path:
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        self._own(path)
        return path

    def _own(self, path: Path) -> None:
        """Give a file to the user that the server runs as."""
        owner = self.folder.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def server_user(folder: Path) -> str:
    """The name of the user that owns a server's folder, and runs the server."""
    try:
        return pwd.getpwuid(folder.stat().st_uid).pw_name
    except KeyError:
        return getpass.getuser()
