"""MariaDB, as Debian packages it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.servers.base import ServerNotInstalled, find_program
from tests.servers.innodb import InnoDBServer
from tests.servers.process import ServerProcess


class MariaDBServer(InnoDBServer):
    """The MariaDB server of this machine."""

    kind = "mariadb"
    driver = "mariadb+pymysql"

    def __init__(
        self,
        *,
        durable: bool = False,
        binary_log: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """As `InnoDBServer`."""
        server = find_program("mariadbd", [Path("/usr/sbin")])
        installer = find_program("mariadb-install-db", [Path("/usr/bin")])
        if server is None or installer is None:
            raise ServerNotInstalled("MariaDB")
        self._server, self._installer = server, installer
        super().__init__(durable=durable, binary_log=binary_log, settings=settings)

    def _initialise(self, process: ServerProcess) -> None:
        options = ["--auth-root-authentication-method=normal", "--skip-test-db"]
        data = self.folder / "data"
        process.run([self._installer, "--no-defaults", f"--datadir={data}", *options])

    def _command(self) -> list[str | Path]:
        return [self._server, "--no-defaults", *self._options()]
