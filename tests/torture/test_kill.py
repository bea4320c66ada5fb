"""kill -9, dead servers and a broken network, at random moments under load."""

from __future__ import annotations

import csv
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine

from replicator.targets.backup import read_changes
from tests.conftest import MakeDatabase
from tests.load.hot_rows import TABLE, Load
from tests.replication import ReplicatorProcess, sql, wait_until_equal
from tests.servers import (
    Database,
    DatabaseKind,
    DatabaseServer,
    MariaDBServer,
    PostgreSQLServer,
    TCPProxy,
    server_database,
)
from tests.torture.hot import Hot, Log, assert_applied_once_in_order, create_audit
from tests.wait import wait_until

POSTGRESQL_FIRST = ["postgresql", pytest.param("mariadb", marks=pytest.mark.torture)]
MARIADB_FIRST = ["mariadb", pytest.param("postgresql", marks=pytest.mark.torture)]
"""The short form has the first one."""
SERVERS: dict[DatabaseKind, type[DatabaseServer]] = {
    "postgresql": PostgreSQLServer,
    "mariadb": MariaDBServer,
}


def numbers(short: int, long: int) -> list[object]:
    """How often to strike: in `make test`, and in `make torture`."""
    return [short, pytest.param(long, marks=pytest.mark.torture)]


def loaded(source: Engine) -> Load:
    """Writers at work while the block runs."""
    return Load(source, writers=4, longest_pause=0.05)


def wait_for_progress(hot: Hot, target: str) -> None:
    """Wait until a delivery has finished another batch."""
    before = hot.progress(target)
    wait_until(lambda: hot.progress(target) > before, 60, f"progress of {target}")


@pytest.mark.parametrize("kills", numbers(2, 50))
@pytest.mark.parametrize("kind", POSTGRESQL_FIRST)
def test_the_replicator_is_killed(
    kind: DatabaseKind, kills: int, make_database: MakeDatabase, tmp_path: Path
) -> None:
    source, target = make_database(kind), make_database(kind)
    drop, backup = tmp_path / "drop", tmp_path / "backup"
    hot = Hot(
        source,
        {
            "copy": sql(target.url),
            "files": {"type": "files", "url": f"file://{drop}", "name": "{table}_{batch:012d}.csv"},
            "backup": {"type": "backup", "path": str(backup)},
        },
        tmp_path,
    )
    create_audit(target.engine, kind)
    chance = random.Random(kills)
    replicator = ReplicatorProcess(hot.replication)
    with replicator, loaded(source.engine):
        for _ in range(kills):
            if chance.random() < 0.7:
                wait_for_progress(hot, chance.choice(["copy", "files", "backup"]))
                time.sleep(chance.random() * 0.3)
            else:  # anywhere in its start
                time.sleep(chance.random() * 2)
            replicator.kill()
            replicator.start()
        wait_for_progress(hot, "copy")
    with replicator:
        wait_until_equal(source.engine, target.engine, TABLE, 60)
        hot.wait_until_delivered("copy", "files", "backup")
        replicator.stop()

    applied = assert_applied_once_in_order(target.engine)
    logged = hot.logged()
    assert_backup_is_the_log(backup / "hot", logged)
    assert_files_are_the_log(drop, logged)
    ledger = hot.ledger()
    print(f"\n{kind}: {kills} kills survived; {ledger}, {applied} rows written")
    assert applied > kills


def assert_backup_is_the_log(folder: Path, logged: Log) -> None:
    """The backup holds each change once."""
    changes = list(read_changes(folder))
    ids = [change.id for change in changes]
    assert len(set(ids)) == len(ids)
    in_order = sorted(changes, key=lambda change: change.id)
    assert [(change.op, change.row) for change in in_order] == logged


def assert_files_are_the_log(folder: Path, logged: Log) -> None:
    """The files together hold each change once; they do not tell the changes' ids."""
    lines: list[dict[str, str]] = []
    for path in sorted(folder.iterdir()):
        assert path.suffix == ".csv", f"left behind: {path.name}"
        with path.open(newline="", encoding="utf-8") as file:
            lines += csv.DictReader(file)
    found = Counter((line["op"], line["id"], line["version"], line["note"]) for line in lines)
    expected = Counter(
        (op, str(row["id"]), str(row["version"]), str(row["note"] or "")) for op, row in logged
    )
    assert found == expected


@contextmanager
def own_server(kind: DatabaseKind) -> Iterator[Database]:
    """A database on a server of its own that survives being killed."""
    with SERVERS[kind](durable=True) as server, server_database(kind, server) as database:
        yield database


@pytest.mark.parametrize("kills", numbers(1, 5))
@pytest.mark.parametrize("kind", MARIADB_FIRST)
def test_the_servers_are_killed(kind: DatabaseKind, kills: int, tmp_path: Path) -> None:
    with own_server(kind) as source, own_server(kind) as target:
        hot = Hot(source, {"copy": sql(target.url)}, tmp_path)
        create_audit(target.engine, kind)
        chance = random.Random(kills)
        with ReplicatorProcess(hot.replication) as replicator:
            with loaded(source.engine) as load:
                for number in range(2 * kills):
                    wait_for_progress(hot, "copy")
                    time.sleep(chance.random() * 0.5)
                    victim = (target, source)[number % 2].server
                    assert victim is not None
                    victim.kill()
                    time.sleep(chance.random())
                    victim.start()
                wait_for_progress(hot, "copy")
            for database in (source, target):
                database.engine.dispose()  # the test's own connections have died too
            wait_until_equal(source.engine, target.engine, TABLE, 90)
            hot.wait_until_delivered("copy", seconds=90)
            replicator.stop()
        applied = assert_applied_once_in_order(target.engine)
        ledger = hot.ledger()
        print(f"\n{kind}: {kills} kills of each server survived; {ledger}, {applied} rows written")
        assert load.committed > 10


@pytest.mark.parametrize("strikes", numbers(2, 20))
@pytest.mark.parametrize("kind", POSTGRESQL_FIRST)
def test_the_network_stalls_and_breaks(
    kind: DatabaseKind, strikes: int, make_database: MakeDatabase, tmp_path: Path
) -> None:
    source, target = make_database(kind), make_database(kind)
    assert source.server is not None
    assert target.server is not None
    chance = random.Random(strikes)
    with ExitStack() as stack:
        to_source = stack.enter_context(TCPProxy(source.server.port))
        to_target = stack.enter_context(TCPProxy(target.server.port))
        hot = Hot(
            source,
            {"copy": sql(through(target, to_target))},
            tmp_path,
            url=through(source, to_source),
        )
        create_audit(target.engine, kind)
        with ReplicatorProcess(hot.replication) as replicator:
            with loaded(source.engine):
                for number in range(2 * strikes):
                    wait_for_progress(hot, "copy")
                    time.sleep(chance.random() * 0.2)
                    proxy = (to_source, to_target)[number % 2]
                    assert proxy.connections > 0
                    proxy.stall()
                    time.sleep(chance.random() * 0.5)
                    if number % 4 >= 2:
                        proxy.cut()  # what was under way is lost, on both sides
                    proxy.resume()
                wait_for_progress(hot, "copy")
            wait_until_equal(source.engine, target.engine, TABLE, 60)
            hot.wait_until_delivered("copy")
            replicator.stop()
    applied = assert_applied_once_in_order(target.engine)
    print(f"\n{kind}: {strikes} stalls and cuts each way; {hot.ledger()}, {applied} rows written")


def through(database: Database, proxy: TCPProxy) -> str:
    """A database's URL through a proxy."""
    assert database.server is not None
    return database.server.plain_url(database.name, port=proxy.port)
