"""MySQL 8, which Debian does not package; `scripts/install-mysql` puts it into the user's cache."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.servers.base import ServerNotInstalled
from tests.servers.innodb import InnoDBServer
from tests.servers.process import ServerProcess


def mysql_program() -> Path | None:
    """The MySQL 8 server that `scripts/install-mysql` has installed; None when it has not."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    program = Path(cache, "outbox-replicator-tests", "mysql-8", "bin", "mysqld")
    return program if program.exists() else None


class MySQLServer(InnoDBServer):
    """The MySQL 8 server."""

    kind = "mysql"
    driver = "mysql+pymysql"

    def __init__(
        self,
        *,
        durable: bool = False,
        binary_log: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """As `InnoDBServer`."""
        program = mysql_program()
        if program is None:
            raise ServerNotInstalled("MySQL 8")
        self._installed = program.parent.parent
        super().__init__(
            durable=durable,
            binary_log=binary_log,
            settings={"mysqlx": "OFF"} | dict(settings or {}),
        )

    def _initialise(self, process: ServerProcess) -> None:
        # A copy: the user that the server runs as cannot look into root's home.
        shutil.copytree(self._installed, self.folder / "program")
        process.run([*self._command(), "--initialize-insecure"])

    def _command(self) -> list[str | Path]:
        program = self.folder / "program"
        return [
            program / "bin" / "mysqld",
            "--no-defaults",
            f"--basedir={program}",
            *self._options(),
        ]
