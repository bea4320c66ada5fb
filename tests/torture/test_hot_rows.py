"""Eight writers on fifty rows, two replicators: nothing lost, nothing applied twice."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.conftest import MakeDatabase
from tests.load.hot_rows import TABLE, Load, content
from tests.replication import ReplicatorProcess, sql, wait_until_equal
from tests.servers import DatabaseKind
from tests.torture.hot import Hot, assert_applied_once_in_order, create_audit
from tests.torture.naive import NaiveReader

LENGTHS = [3, pytest.param(60, marks=pytest.mark.torture)]


@pytest.mark.parametrize("seconds", LENGTHS)
@pytest.mark.parametrize(
    "kind", ["postgresql", "mariadb", pytest.param("mysql", marks=pytest.mark.torture)]
)
def test_two_replicators_under_load(
    kind: DatabaseKind, seconds: float, make_database: MakeDatabase, tmp_path: Path
) -> None:
    source, target = make_database(kind), make_database(kind)
    hot = Hot(source, {"copy": sql(target.url)}, tmp_path)
    create_audit(target.engine, kind)
    capture = hot.replication.capture("here")
    naive = NaiveReader(capture.engine, capture.outbox)
    stop = threading.Event()
    following = threading.Thread(target=naive.follow, args=(stop,))
    with ExitStack() as stack:
        stack.callback(capture.engine.dispose)
        both = [ReplicatorProcess(hot.replication, name) for name in ("one", "other")]
        for replicator in both:
            stack.enter_context(replicator)
        for replicator in both:
            replicator.wait_until_up()
        hot.warm_up(target.engine)
        following.start()
        with Load(source.engine) as load:
            time.sleep(seconds)
        stop.set()
        following.join()
        wait_until_equal(source.engine, target.engine, TABLE, 60)
        hot.wait_until_delivered("copy")

    applied = assert_applied_once_in_order(target.engine)
    ledger = hot.ledger()
    truth: dict[object, object] = {row[0]: row[1] for row in content(source.engine)}
    wrong = set(truth.items()) ^ set(naive.versions.items())
    wrong_rows = {key for key, _version in wrong}
    print(
        f"\n{kind}, {seconds} s: {load.committed} transactions, {ledger.changes} changes,"
        f" {ledger.late} late, {ledger.dead_gaps} gaps proven dead, {applied} rows written;"
        f" `id > last`: wrong in {len(wrong_rows)} of {len(truth)} rows"
    )
    assert load.committed > 5 * seconds
    assert ledger.late > 0
    if seconds > 10:
        assert wrong_rows, "a plain reader lost nothing: the load does not test sealing"


@pytest.mark.parametrize("kind", ["postgresql", "mariadb", "mysql"])
def test_a_reader_that_follows_ids_loses_rows_and_ours_does_not(
    kind: DatabaseKind, make_database: MakeDatabase, tmp_path: Path
) -> None:
    """Fails when sealing is replaced by `id > last`."""
    source, target = make_database(kind), make_database(kind)
    hot = Hot(source, {"copy": sql(target.url)}, tmp_path)
    capture = hot.replication.capture("here")
    naive = NaiveReader(capture.engine, capture.outbox)
    insert = sa.text(f"INSERT INTO {TABLE} VALUES (:id, :version, 0, '')")
    update = sa.text(f"UPDATE {TABLE} SET version = version + 1 WHERE id = :id")

    def look() -> None:
        naive.read()
        hot.replication.deliver()

    for number in (1, 2, 3):
        with source.engine.begin() as connection:
            connection.execute(insert, {"id": number, "version": 1})
    look()
    with source.engine.connect() as slow, source.engine.connect() as slower:
        slow.execute(insert, {"id": 10, "version": 1})
        slower.execute(update, {"id": 1})
        with source.engine.begin() as quick:
            quick.execute(update, {"id": 2})
        look()
        slow.commit()
        look()
        with source.engine.begin() as quick:
            quick.execute(update, {"id": 3})
        look()
        slower.commit()
    look()
    capture.engine.dispose()

    assert content(source.engine) == [(1, 2, 0, ""), (2, 2, 0, ""), (3, 2, 0, ""), (10, 1, 0, "")]
    assert naive.versions == {1: 1, 2: 2, 3: 2}
    assert content(target.engine) == content(source.engine)
