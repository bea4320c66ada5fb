"""What MariaDB and MySQL servers have in common."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from tests.servers.base import DatabaseServer

_SETTINGS = {
    "bind-address": "127.0.0.1",
    "max-connections": "200",
    "character-set-server": "utf8mb4",
    "local-infile": "ON",
    "innodb-buffer-pool-size": "256M",
}
# 2, not 0: each commit is handed to the operating system, so that a killed server keeps it.
_NOT_DURABLE = {
    "innodb-flush-log-at-trx-commit": "2",
    "innodb-flush-method": "nosync",
    "innodb-doublewrite": "0",
    "sync-binlog": "0",
}
_DURABLE = {"innodb-flush-log-at-trx-commit": "1", "sync-binlog": "1"}
_NO_SUCH_THREAD = 1094


class InnoDBServer(DatabaseServer):
    """A server of the MySQL family. Its binary log is off unless asked for.

    `settings` are options of the server program, without the leading dashes.
    """

    # PyMySQL would load every certificate of the system for each connection: 40 ms.
    connect_arguments: ClassVar[dict[str, Any]] = {"ssl_disabled": True}
    superuser = "root"
    system_database = "mysql"
    stop_signal = signal.SIGTERM
    abandon_signal = signal.SIGKILL

    def __init__(
        self,
        *,
        durable: bool = False,
        binary_log: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """As `DatabaseServer`; `settings` win over the defaults of the tests."""
        super().__init__(durable=durable)
        log = {"log-bin": "binlog", "server-id": "1"} if binary_log else {"skip-log-bin": "ON"}
        self._settings = _SETTINGS | (_DURABLE if durable else _NOT_DURABLE) | log
        self._settings |= dict(settings or {})

    def drop_database(self, name: str) -> None:
        """Drop a database and end every session that is still in it."""
        # DROP DATABASE would wait for the locks of open transactions.
        sessions = text("SELECT id FROM information_schema.processlist WHERE db = :name")
        with self.admin.connect() as connection:
            for (session,) in connection.execute(sessions, {"name": name}).all():
                try:
                    connection.exec_driver_sql(f"KILL {session}")
                except OperationalError as error:
                    if error.orig is None or error.orig.args[0] != _NO_SUCH_THREAD:
                        raise
            connection.exec_driver_sql(f"DROP DATABASE {name}")

    @contextmanager
    def setting(self, name: str, value: int) -> Iterator[None]:
        """Give a global variable a value until the block ends; for sessions that begin in it."""
        with self.admin.connect() as connection:
            usual = connection.exec_driver_sql(f"SELECT @@GLOBAL.{name}").scalar_one()
        self._execute(f"SET GLOBAL {name} = {value}")
        try:
            yield
        finally:
            self._execute(f"SET GLOBAL {name} = {usual}")

    def _options(self) -> list[str]:
        """The options for the server program."""
        own = {
            "datadir": f"{self.folder}/data",
            "port": str(self.port),
            "socket": f"{self.folder}/socket",
            "pid-file": f"{self.folder}/pid",
            "tmpdir": str(self.folder),
        }
        return [f"--{name}={value}" for name, value in (own | self._settings).items()]
