"""Servers, and fresh databases with the empty table, for as long as a benchmark runs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.benchmarks import workload
from tests.servers import (
    Database,
    DatabaseKind,
    DatabaseServer,
    MariaDBServer,
    PostgreSQLServer,
    server_database,
    sqlite_database,
)


class Place:
    """A folder, and the servers that were asked for; all gone when `stack` is closed."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._servers: dict[DatabaseKind, DatabaseServer] = {}
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))

    @contextmanager
    def database(self, kind: DatabaseKind) -> Iterator[Database]:
        """A fresh database with the empty table."""
        with ExitStack() as stack:
            if kind == "sqlite":
                made = stack.enter_context(sqlite_database(self.folder / "source.sqlite"))
                with made.engine.connect() as connection:
                    connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            else:
                if kind not in self._servers:
                    server = PostgreSQLServer() if kind == "postgresql" else MariaDBServer()
                    self._servers[kind] = self._stack.enter_context(server)
                made = stack.enter_context(server_database(kind, self._servers[kind]))
            workload.create_table(made.engine, kind)
            yield made


def configuration(source: Database, target: Database) -> str:
    """Return a configuration with default settings for one route."""
    return f"""
[sources.shop]
url = "{source.url}"

[targets.copy]
type = "sql"
url = "{target.url}"

[[routes]]
name = "all"
source = "shop"
tables = ["{workload.canonical(source.kind)}"]
targets = ["copy"]
"""
