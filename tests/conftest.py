"""Fixtures for every test: the database servers, and fresh databases on them.

A server starts when the first test asks for it, once per session (and per xdist worker). PostgreSQL
and MariaDB have to be there: a test that cannot have them fails. MySQL 8 may be missing: its tests
are skipped then, and the head of the output says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.servers import (
    Database,
    DatabaseKind,
    MariaDBServer,
    MySQLServer,
    PostgreSQLServer,
    mysql_program,
    server_database,
    sqlite_database,
)

MakeDatabase = Callable[[DatabaseKind], Database]


def pytest_report_header() -> str:
    """Say whether the MySQL tests will run."""
    program = mysql_program()
    if program is None:
        return "MySQL 8: NOT FOUND, ITS TESTS ARE SKIPPED (scripts/install-mysql installs it)"
    return f"MySQL 8: {program}"


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQLServer]:
    """A running PostgreSQL server, shared by the session."""
    with PostgreSQLServer() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDBServer]:
    """A running MariaDB server, shared by the session."""
    with MariaDBServer() as server:
        yield server


@pytest.fixture(scope="session")
def mysql() -> Iterator[MySQLServer]:
    """A running MySQL 8 server, shared by the session."""
    if mysql_program() is None:
        pytest.skip("MySQL 8 is not installed; scripts/install-mysql installs it")
    with MySQLServer() as server:
        yield server


@pytest.fixture
def make_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeDatabase]:
    """A function that makes a fresh empty database of a kind; all are dropped after the test."""
    with ExitStack() as stack:
        made = 0

        def make(kind: DatabaseKind) -> Database:
            nonlocal made
            made += 1
            if kind == "sqlite":
                return stack.enter_context(sqlite_database(tmp_path / f"database-{made}.sqlite"))
            server = request.getfixturevalue(kind)
            return stack.enter_context(server_database(kind, server))

        yield make
