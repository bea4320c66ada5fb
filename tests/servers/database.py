"""A fresh, empty database of any kind, as a test sees it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from sqlalchemy import Engine, create_engine

from tests.servers.base import DatabaseServer

DatabaseKind = Literal["sqlite", "postgresql", "mariadb", "mysql"]
DATABASE_KINDS: tuple[DatabaseKind, ...] = get_args(DatabaseKind)

ENGINE_PAIRS = list(itertools.product(DATABASE_KINDS, DATABASE_KINDS))
"""Every kind of source with every kind of target."""


def in_short_form(source: DatabaseKind, target: DatabaseKind) -> bool:
    """Whether a pair is among the four of a short form: each engine once as source and target."""
    apart = DATABASE_KINDS.index(target) - DATABASE_KINDS.index(source)
    return apart % len(DATABASE_KINDS) == 1


@dataclass(frozen=True)
class Database:
    """An empty database, the test's own."""

    kind: DatabaseKind
    url: str
    """As a user writes it in the configuration."""
    engine: Engine
    """The test's own way in, as the superuser and without the product's code."""
    server: DatabaseServer | None
    """Where it lives; None for SQLite."""
    name: str
    """Its name on the server; for SQLite the path of its file."""


@contextmanager
def sqlite_database(path: Path) -> Iterator[Database]:
    """A SQLite database in a file that does not exist yet."""
    url = f"sqlite:///{path}"
    # As an application that does not give up before a busy disk does.
    engine = create_engine(url, connect_args={"timeout": 30})
    try:
        yield Database("sqlite", url, engine, None, str(path))
    finally:
        engine.dispose()


@contextmanager
def server_database(kind: DatabaseKind, server: DatabaseServer) -> Iterator[Database]:
    """A new database on a running server; dropped at the end, whoever is still connected.

    A server that a test has stopped or killed is started again for that.
    """
    name = server.create_database()
    engine = server.engine(name)
    try:
        yield Database(kind, server.plain_url(name), engine, server, name)
    finally:
        engine.dispose()
        if not server.running:
            server.restart()
        server.drop_database(name)
