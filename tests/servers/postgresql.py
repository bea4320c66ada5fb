"""PostgreSQL, as Debian packages it."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path

from tests.servers.base import DatabaseServer, ServerNotInstalled, find_program
from tests.servers.process import ServerProcess

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    # In files of the data folder: what a killed server leaves behind goes with the folder.
    "dynamic_shared_memory_type": "mmap",
}
# synchronous_commit stays on: without it a killed server loses commits that it has confirmed.
_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}


class PostgreSQLServer(DatabaseServer):
    """The newest PostgreSQL on this machine; `settings` are added to its configuration."""

    kind = "postgresql"
    driver = "postgresql+psycopg"
    superuser = "postgres"
    system_database = "postgres"
    stop_signal = signal.SIGINT  # "fast": ends sessions, does not wait for them
    abandon_signal = signal.SIGQUIT  # "immediate": takes every backend along

    def __init__(self, *, durable: bool = False, settings: Mapping[str, str] | None = None) -> None:
        """As `DatabaseServer`; `settings` win over the defaults of the tests."""
        versions = Path("/usr/lib/postgresql").glob("*/bin")
        newest_first = sorted(versions, key=lambda path: int(path.parent.name), reverse=True)
        server = find_program("postgres", newest_first)
        initdb = find_program("initdb", newest_first)
        if server is None or initdb is None:
            raise ServerNotInstalled("PostgreSQL")
        self._server, self._initdb = server, initdb
        self._settings = _SETTINGS | ({} if durable else _NOT_DURABLE) | dict(settings or {})
        super().__init__(durable=durable)

    def drop_database(self, name: str) -> None:
        """Drop a database and end every session that is still in it."""
        self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _initialise(self, process: ServerProcess) -> None:
        data = self.folder / "data"
        options = ["--auth=trust", f"--username={self.superuser}", "--encoding=UTF8"]
        process.run([self._initdb, "-D", data, *options, "--locale=C.UTF-8", "--no-sync"])

    def _command(self) -> list[str | Path]:
        settings = [f"--{name}={value}" for name, value in self._settings.items()]
        return [self._server, "-D", self.folder / "data", "-p", str(self.port), *settings]
