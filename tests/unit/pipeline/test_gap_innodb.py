"""When a gap is dead on MariaDB and MySQL (docs/decisions/0003)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from replicator.pipeline.sealing import Sealer
from tests.conftest import MakeDatabase
from tests.unit.pipeline.captured import Item, captured, insert
from tests.wait import wait_until
from triggers.dialects import mysql_gap
from triggers.outbox import Outbox

RUNNING = sa.text(
    "SELECT trx_id FROM information_schema.innodb_trx WHERE trx_mysql_thread_id = :session"
)


@pytest.fixture(autouse=True)
def _look_at_every_sealing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sealings that follow each other by hand must not wait for the next look."""
    monkeypatch.setattr(mysql_gap, "LOOK_EVERY", 0.12)
    monkeypatch.setattr(mysql_gap, "LONGEST_WAIT", 0.3)


class AfterLock:
    """A dialect that does something between a sealer's lock and its first read."""

    def __init__(self, item: Item, action: Callable[[Connection], None]) -> None:
        self._dialect = item.capture.dialect
        self._action = action

    def lock_for_sealing(self, connection: Connection, outbox: Outbox) -> None:
        self._dialect.lock_for_sealing(connection, outbox)
        self._action(connection)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dialect, name)


def transaction_id(item: Item, session: Connection) -> int:
    """The InnoDB id of a session's transaction, told from outside."""
    number = session.connection.thread_id()
    found: list[int] = []

    def look() -> bool:
        with item.database.engine.connect() as connection:
            row = connection.execute(RUNNING, {"session": number}).scalar()
        found[:] = [] if row is None else [int(row)]
        return bool(found)

    with_pause = threading.Event()

    def look_after_a_pause() -> bool:
        with_pause.wait(0.15)  # each look keeps the cache as it is for 0.1 s
        return look()

    wait_until(look_after_a_pause, 5)
    return found[0]


def test_a_transaction_that_begins_between_lock_and_read_is_waited_for(innodb_item: Item) -> None:
    """Its id is above the sealer's own, which therefore is no horizon."""
    item = innodb_item
    own: list[int] = []
    with item.session() as slow:

        def write(sealing: Connection) -> None:
            own.append(transaction_id(item, sealing))
            insert(slow, 1)
            item.insert(2)

        first = Sealer(item.engine, item.capture.outbox, AfterLock(item, write))
        first.seal()
        first.close()
        assert (item.batches(), item.open_gaps()) == ([[2]], [(1, 1)])
        assert transaction_id(item, slow) > own[0], "the sealer's own id would be passed at once"

        sealer = item.sealer()
        _seal_for(sealer, 1.0)
        assert item.open_gaps() == [(1, 1)]
        slow.commit()
    sealer.seal()
    assert item.batches() == [[2], [1]]
    sealer.close()


def test_a_horizon_comes_from_a_look_after_the_gap_was_seen(innodb_item: Item) -> None:
    item, sealer = innodb_item, innodb_item.sealer()

    def has_horizon_after(sealer: Sealer) -> bool:
        sealer.seal()
        return item.gap_rows()[0].horizon is not None

    with item.session() as slow:
        insert(slow, 1)
        item.insert(2)
        sealer.seal()
        assert [gap.horizon for gap in item.gap_rows()] == [None]
        wait_until(lambda: has_horizon_after(sealer), 5)
        assert item.gap_rows()[0].horizon >= transaction_id(item, slow)
        slow.rollback()
    wait_until(lambda: sealer.seal().open_gaps == 0, 5)
    sealer.close()


@contextmanager
def monitor(item: Item, pause: float) -> Iterator[None]:
    """Somebody who reads innodb_trx all the time, and so keeps its cache from being filled."""
    begun, done = threading.Event(), threading.Event()

    def read() -> None:
        with item.database.engine.connect() as connection:
            while not done.wait(pause):
                connection.execute(sa.text("SELECT * FROM information_schema.innodb_trx")).all()
                connection.rollback()
                begun.set()

    thread = threading.Thread(target=read)
    thread.start()
    begun.wait()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_a_stale_list_of_transactions_closes_no_gap(innodb_item: Item) -> None:
    """The cache was filled before the transaction began: it would not be on the list."""
    item, sealer = innodb_item, innodb_item.sealer()
    with item.session() as slow, monitor(item, 0.01):
        insert(slow, 1)
        item.insert(2)
        _seal_for(sealer, 1.5)
        assert item.open_gaps() == [(1, 1)]
        slow.commit()
        sealer.seal()
        assert item.batches() == [[2], [1]]
    sealer.close()


def test_a_monitor_makes_gaps_close_later_and_not_never(innodb_item: Item) -> None:
    item, sealer = innodb_item, innodb_item.sealer()
    with item.session() as doomed:
        insert(doomed, 1)
        item.insert(2)
        sealer.seal()
        doomed.rollback()
    with monitor(item, 0.25):  # nobody can help it below 0.1 s
        wait_until(lambda: sealer.seal().open_gaps == 0, 20)
    assert item.closed_gaps() == [(1, 1)]
    sealer.close()


def test_sealing_all_the_time_does_not_keep_its_own_gaps_open(innodb_item: Item) -> None:
    """Each look keeps the cache as it is for 0.1 s; two sealers that always look would starve."""
    item = innodb_item
    one, other = item.sealer(), item.sealer()
    with item.session() as doomed:
        insert(doomed, 1)
        item.insert(2)
        one.seal()
        doomed.rollback()
    wait_until(lambda: 0 in (one.seal().open_gaps, other.seal().open_gaps), 20)
    one.close()
    other.close()


@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
def test_a_prepared_transaction_counts_as_in_flight(innodb_item: Item, end: str) -> None:
    item, sealer = innodb_item, innodb_item.sealer()
    autocommit = item.database.engine.execution_options(isolation_level="AUTOCOMMIT")
    name = f"'{item.database.name}'"
    with autocommit.connect() as session:
        session.execute(sa.text(f"XA START {name}"))
        insert(session, 1)
        session.execute(sa.text(f"XA END {name}"))
        session.execute(sa.text(f"XA PREPARE {name}"))
        session.invalidate()  # its session is gone
    try:
        item.insert(2)
        _seal_for(sealer, 1.0)
        assert item.open_gaps() == [(1, 1)]
    finally:
        with autocommit.connect() as session:
            wait_until(lambda: _ended(session, f"XA {end} {name}"), 5)
    if end == "COMMIT":
        sealer.seal()
        assert item.batches() == [[2], [1]]
    else:
        wait_until(lambda: sealer.seal().open_gaps == 0, 5)
        assert item.closed_gaps() == [(1, 1)]
    sealer.close()


def _ended(session: Connection, statement: str) -> bool:
    try:
        session.execute(sa.text(statement))
    except sa.exc.DBAPIError:
        return False  # the server has not noticed yet that its session is gone
    return True


@pytest.fixture(params=["mariadb", "mysql"])
def humble_item(request: pytest.FixtureRequest, make_database: MakeDatabase) -> Iterator[Item]:
    """A captured table, and the product connecting as a user without PROCESS."""
    database = make_database(request.param)
    user = f"humble_{database.name[-12:]}"
    with database.engine.begin() as connection:
        connection.execute(sa.text(f"CREATE USER {user}@'127.0.0.1'"))
        connection.execute(sa.text(f"GRANT ALL ON {database.name}.* TO {user}@'127.0.0.1'"))
    try:
        with captured(database, database.url.replace("root@", f"{user}@")) as item:
            yield item
    finally:
        with database.engine.begin() as connection:
            connection.execute(sa.text(f"DROP USER {user}@'127.0.0.1'"))


def test_without_the_privilege_gaps_stay_open_and_late_rows_are_sealed(humble_item: Item) -> None:
    item, sealer = humble_item, humble_item.sealer()
    with item.session() as doomed, item.session() as slow:
        insert(doomed, 1)
        insert(slow, 2)
        item.insert(3)
        sealer.seal()
        doomed.rollback()
        _seal_for(sealer, 0.5)
        assert item.open_gaps() == [(1, 2)]
        slow.commit()
    sealer.seal()
    assert item.batches() == [[3], [2]]
    assert item.open_gaps() == [(1, 1)]
    sealer.close()


def _seal_for(sealer: Sealer, seconds: float) -> None:
    """Seal again and again: enough looks for a wrong proof to close a gap."""
    enough = threading.Event()
    timer = threading.Timer(seconds, enough.set)
    timer.start()
    sealings = 0
    while not enough.wait(0.02) or sealings < 10:
        sealer.seal()
        sealings += 1
    timer.join()
