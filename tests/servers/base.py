"""What every database server of the tests can do."""

from __future__ import annotations

import random
import shutil
import signal
import socket
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from sqlalchemy import Engine, NullPool, create_engine
from sqlalchemy.exc import OperationalError

from tests.servers.process import ServerProcess

_READY_DEADLINE_SECONDS = 60.0


class ServerNotInstalled(Exception):
    """A server's program is not on this machine."""

    def __init__(self, product: str) -> None:
        super().__init__(f"{product} is not installed; scripts/install-test-servers installs it")


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on.

    It lies below the range that the kernel gives to outgoing connections, so that no client takes
    it while a server that is to come back on the same port is down.
    """
    while True:
        port = random.randrange(15_000, 32_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def find_program(name: str, folders: Sequence[Path]) -> Path | None:
    """The program of that name in the first of the folders that has it, else on the PATH."""
    for folder in folders:
        if (folder / name).exists():
            return folder / name
    found = shutil.which(name)
    return Path(found) if found else None


class DatabaseServer(ABC):
    """A real server with its own data folder and port on 127.0.0.1, for one user without password.

    Not durable by default: nothing is flushed to the disk, because tests do not survive a power cut
    either. What was committed survives `kill()` all the same, since it was handed to the operating
    system, with one exception: a page that was being written at that moment may be torn. Tests that
    kill a server under load therefore ask for `durable=True`.
    """

    kind: ClassVar[str]
    """The scheme of a URL as a user writes it; also the name in test parameters."""
    driver: ClassVar[str]
    connect_arguments: ClassVar[dict[str, Any]] = {}
    superuser: ClassVar[str]
    system_database: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]
    abandon_signal: ClassVar[signal.Signals]

    def __init__(self, *, durable: bool = False) -> None:
        """Prepare an empty server; `start()` starts it. Raises ServerNotInstalled."""
        self.durable = durable
        self.port = free_port()
        self._process = ServerProcess(self.kind, self.abandon_signal)
        self._initialised = False
        self.admin: Engine = self.engine(
            self.system_database, poolclass=NullPool, isolation_level="AUTOCOMMIT"
        )
        """The superuser's engine on the system database; every statement commits by itself."""

    @property
    def folder(self) -> Path:
        """Where data and log live; removed by `close()`."""
        return self._process.folder

    @property
    def running(self) -> bool:
        """Whether the server's program runs."""
        return self._process.running

    def url(self, database: str, *, port: int | None = None) -> str:
        """SQLAlchemy URL with the driver; `port` when not the server's own, as for a proxy."""
        return self.plain_url(database, port=port).replace(self.kind, self.driver, 1)

    def plain_url(self, database: str, *, port: int | None = None) -> str:
        """The URL as a user writes it in the configuration."""
        return f"{self.kind}://{self.superuser}@127.0.0.1:{port or self.port}/{database}"

    def engine(self, database: str, *, port: int | None = None, **options: Any) -> Engine:
        """The superuser's engine on a database; `options` as for `sqlalchemy.create_engine`."""
        url = self.url(database, port=port)
        return create_engine(url, connect_args=self.connect_arguments, **options)

    def start(self) -> None:
        """Start the server, always on the same port and data; return when it takes connections."""
        if not self._initialised:
            self._initialise(self._process)
            self._initialised = True
        self._process.start(self._command())
        self._wait_until_ready()

    def stop(self) -> None:
        """Stop the server in good order; committed data stays. Sessions are ended."""
        self._process.stop(self.stop_signal)

    def kill(self) -> None:
        """SIGKILL the server and all its processes; return when they are gone."""
        self._process.kill()

    def restart(self) -> None:
        """Stop the server if it runs and start it again, after `kill()` with crash recovery."""
        self.stop()
        self.start()

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

    def create_database(self) -> str:
        """Create an empty database; return its name, which is unique."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self._execute(f"CREATE DATABASE {name}")
        return name

    @abstractmethod
    def drop_database(self, name: str) -> None:
        """Drop a database and end every session that is still in it."""

    @abstractmethod
    def _initialise(self, process: ServerProcess) -> None:
        """Make the data folder."""

    @abstractmethod
    def _command(self) -> list[str | Path]:
        """The command that runs the server in the foreground."""

    def _execute(self, *statements: str) -> None:
        with self.admin.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _READY_DEADLINE_SECONDS
        while True:
            try:
                self._execute("SELECT 1")
            except OperationalError as error:
                if not self.running or time.monotonic() > deadline:
                    log = self._process.log_tail()
                    message = f"{self.kind} did not start: {error.orig}; its log ends:\n{log}"
                    raise RuntimeError(message) from error
                time.sleep(0.05)
            else:
                return
