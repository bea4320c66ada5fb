"""The servers of the tests do what the tests build on."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path
from typing import get_args

import pytest
from sqlalchemy import Engine, NullPool, text
from sqlalchemy.exc import DBAPIError, OperationalError

from tests.conftest import MakeDatabase
from tests.servers import (
    DATABASE_KINDS,
    DatabaseKind,
    DatabaseServer,
    MariaDBServer,
    MySQLServer,
    PostgreSQLServer,
    TCPProxy,
    mysql_program,
)

SERVERS: dict[str, type[DatabaseServer]] = {
    "postgresql": PostgreSQLServer,
    "mariadb": MariaDBServer,
    "mysql": MySQLServer,
}


@pytest.fixture(params=SERVERS)
def kind(request: pytest.FixtureRequest) -> str:
    if request.param == "mysql" and mysql_program() is None:
        pytest.skip("MySQL 8 is not installed")
    kind: str = request.param
    return kind


def count(engine: Engine) -> int:
    with engine.connect() as connection:
        rows: int = connection.execute(text("SELECT count(*) FROM item")).scalar_one()
    return rows


def insert(engine: Engine, value: int) -> None:
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO item VALUES (:value)"), {"value": value})


def test_committed_rows_survive_kill_and_stop(kind: str) -> None:
    with SERVERS[kind]() as server:
        engine = server.engine(server.create_database(), poolclass=NullPool)
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE item (id integer PRIMARY KEY)"))
        open_session = engine.connect()
        open_session.execute(text("INSERT INTO item VALUES (-1)"))
        for value in range(100):
            insert(engine, value)
        server.kill()
        assert not server.running
        with pytest.raises(OperationalError):
            count(engine)
        server.restart()
        assert count(engine) == 100
        open_session.invalidate()
        open_session.close()
        insert(engine, 100)
        server.restart()
        assert count(engine) == 101
        folder = server.folder
    assert not folder.exists()


@pytest.mark.parametrize("kind", DATABASE_KINDS)
def test_make_database_gives_separate_empty_databases(
    kind: DatabaseKind, make_database: MakeDatabase
) -> None:
    first, second = make_database(kind), make_database(kind)
    assert first.url != second.url
    assert first.url.startswith(f"{kind}://")
    for database in (first, second):
        with database.engine.begin() as connection:
            connection.execute(text("CREATE TABLE item (id integer PRIMARY KEY)"))
        insert(database.engine, 1)
        assert count(database.engine) == 1


def test_dropping_a_database_does_not_wait_for_open_transactions(
    kind: str, request: pytest.FixtureRequest
) -> None:
    server: DatabaseServer = request.getfixturevalue(kind)
    name = server.create_database()
    engine = server.engine(name)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE item (id integer PRIMARY KEY)"))
    held = engine.connect()
    held.execute(text("INSERT INTO item VALUES (1)"))
    server.drop_database(name)
    with pytest.raises(DBAPIError):
        held.execute(text("SELECT 1"))
    held.close()
    engine.dispose()


def test_database_kinds_are_the_servers_and_sqlite() -> None:
    assert set(get_args(DatabaseKind)) == {"sqlite", *SERVERS}


def test_binary_log_and_settings_are_options() -> None:
    with MariaDBServer(binary_log=True, settings={"innodb-buffer-pool-size": "128M"}) as server:
        query = text("SELECT @@log_bin, @@innodb_buffer_pool_size")
        with server.admin.connect() as connection:
            assert connection.execute(query).one() == (1, 128 << 20)
    with (
        PostgreSQLServer(settings={"work_mem": "5MB"}) as postgresql,
        postgresql.admin.connect() as connection,
    ):
        assert connection.execute(text("SHOW work_mem")).scalar_one() == "5MB"


class TestProxy:
    """The proxy, in front of a real server."""

    @pytest.fixture(params=["postgresql", "mariadb"])
    def proxied(
        self, request: pytest.FixtureRequest, make_database: MakeDatabase
    ) -> Iterator[tuple[TCPProxy, Engine]]:
        database = make_database(request.param)
        assert database.server is not None
        with TCPProxy(database.server.port) as proxy:
            yield proxy, database.server.engine(database.name, port=proxy.port, poolclass=NullPool)

    def test_forwards_much_data(self, proxied: tuple[TCPProxy, Engine]) -> None:
        _, engine = proxied
        with engine.connect() as connection:
            query = text("SELECT repeat('x', 10000000)")
            assert len(connection.execute(query).scalar_one()) == 10_000_000
            query = text("SELECT length(:value)")
            assert connection.execute(query, {"value": "x" * 10_000_000}).scalar_one() == 10_000_000

    def test_stall_holds_an_answer_back_until_resume(
        self, proxied: tuple[TCPProxy, Engine]
    ) -> None:
        proxy, engine = proxied
        with engine.connect() as connection, ExitStack() as stack:
            pool = stack.enter_context(ThreadPoolExecutor())
            stack.callback(proxy.resume)  # else a failure here would wait for the threads for ever
            connection.execute(text("SELECT 1"))
            assert proxy.connections == 1
            proxy.stall()
            answer = pool.submit(lambda: connection.execute(text("SELECT 2")).scalar_one())
            newcomer = pool.submit(lambda: engine.connect().close())
            assert not wait([answer, newcomer], timeout=0.5).done
            proxy.resume()
            assert answer.result(10) == 2
            newcomer.result(10)

    def test_cut_breaks_what_is_open_and_takes_new_connections(
        self, proxied: tuple[TCPProxy, Engine]
    ) -> None:
        proxy, engine = proxied
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
            proxy.cut()
            assert proxy.connections == 0
            with pytest.raises(DBAPIError) as caught:
                connection.execute(text("SELECT 1"))
            assert caught.value.connection_invalidated
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    def test_refuse_keeps_what_is_open_and_accept_takes_new_ones(
        self, proxied: tuple[TCPProxy, Engine]
    ) -> None:
        proxy, engine = proxied
        with engine.connect() as connection:
            proxy.refuse()
            connection.execute(text("SELECT 1"))
            with pytest.raises(OperationalError):
                engine.connect()
            proxy.accept()
            engine.connect().close()


DIES_WITH_A_SERVER = """
import os, signal
from tests.servers import {server}
server = {server}(durable=True)
server.start()
print(server.folder, server.port, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_nothing_is_left_of_a_run_that_was_killed(kind: str) -> None:
    script = DIES_WITH_A_SERVER.format(server=SERVERS[kind].__name__)
    run = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=False)
    assert run.returncode == -signal.SIGKILL
    folder, port = run.stdout.decode().split()
    deadline = time.monotonic() + 20
    while Path(folder).exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for command_line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert folder not in command_line.read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended meanwhile
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(port))).close()
