"""An SFTP server of another make: passwords only, and a rename that replaces nothing."""

from __future__ import annotations

import errno
import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paramiko
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED
from paramiko.server import InteractiveQuery
from paramiko.sftp import SFTP_FAILURE, SFTP_OK

from replicator.targets.files.store import SftpSettings

PASSWORD = "a word of passage"
_USER = "partner"


class _Login(paramiko.ServerInterface):
    def __init__(self, interactive: bool) -> None:
        self._method = "keyboard-interactive" if interactive else "password"

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002
        return self._method

    def check_auth_password(self, username: str, password: str) -> int:
        good = self._method == "password" and (username, password) == (_USER, PASSWORD)
        return AUTH_SUCCESSFUL if good else AUTH_FAILED

    def check_auth_interactive(self, username: str, submethods: str) -> Any:  # noqa: ARG002
        query = InteractiveQuery("", "")
        query.add_prompt("Password: ", False)
        return query

    def check_auth_interactive_response(self, responses: list[str]) -> int:
        return AUTH_SUCCESSFUL if responses == [PASSWORD] else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002
        return OPEN_SUCCEEDED


def _status(error: OSError) -> int:
    return paramiko.SFTPServer.convert_errno(error.errno or errno.EIO)


class _Files(paramiko.SFTPServerInterface):
    """Whatever it does not define is not supported: `posix-rename`, for one."""

    def __init__(self, server: paramiko.ServerInterface, root: Path) -> None:
        super().__init__(server)
        self._root = root

    def _path(self, path: str) -> Path:
        return self._root / self.canonicalize(path).lstrip("/")

    def list_folder(self, path: str) -> Any:
        try:
            entries = list(self._path(path).iterdir())
        except OSError as error:
            return _status(error)
        return [paramiko.SFTPAttributes.from_stat(e.stat(), e.name) for e in entries]

    def stat(self, path: str) -> Any:
        try:
            return paramiko.SFTPAttributes.from_stat(self._path(path).stat())
        except OSError as error:
            return _status(error)

    lstat = stat

    def open(self, path: str, flags: int, attr: paramiko.SFTPAttributes) -> Any:  # noqa: ARG002
        try:
            file = os.fdopen(os.open(self._path(path), flags, 0o644), "wb")
        except OSError as error:
            return _status(error)
        handle: Any = paramiko.SFTPHandle(flags)
        handle.writefile = file
        return handle

    def remove(self, path: str) -> int:
        return self._do(lambda: self._path(path).unlink())

    def rename(self, oldpath: str, newpath: str) -> int:
        if self._path(newpath).exists():
            return SFTP_FAILURE
        return self._do(lambda: self._path(oldpath).rename(self._path(newpath)))

    def mkdir(self, path: str, attr: paramiko.SFTPAttributes) -> int:  # noqa: ARG002
        return self._do(lambda: self._path(path).mkdir())

    @staticmethod
    def _do(action: Any) -> int:
        try:
            action()
        except OSError as error:
            return _status(error)
        return SFTP_OK


class PlainSftpServer:
    """A server inside the test's process; its account and its files."""

    def __init__(self, path: Path, *, interactive: bool = False) -> None:
        """`interactive`: it asks for the password as a person would be asked."""
        self.path = path
        self._interactive = interactive
        self._key = paramiko.RSAKey.generate(2048)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._transports: list[paramiko.Transport] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def settings(self, **changes: Any) -> SftpSettings:
        """Settings that log in."""
        given = {"password": PASSWORD, "host_key": self._key.fingerprint, **changes}
        port = self._listener.getsockname()[1]
        return SftpSettings(
            host="127.0.0.1", port=port, user=_USER, folder="出/going", timeout=20, **given
        )

    def close(self) -> None:
        """End every connection."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        for transport in self._transports:
            transport.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(client)
            transport.add_server_key(self._key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Files, self.path)
            self._transports.append(transport)
            try:
                transport.start_server(server=_Login(self._interactive))
            except (paramiko.SSHException, EOFError):
                transport.close()


@contextmanager
def plain_sftp_server(*, interactive: bool = False) -> Iterator[PlainSftpServer]:
    """A running server with a folder of its own, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="outbox-test-sftp-") as folder:
        server = PlainSftpServer(Path(folder), interactive=interactive)
        try:
            yield server
        finally:
            server.close()
