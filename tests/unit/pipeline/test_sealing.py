"""Sealing: which ids a batch holds, and what becomes of those in between."""

from __future__ import annotations

import json
import threading
import time
from itertools import chain

import sqlalchemy as sa

from tests.load import hot_rows
from tests.load.hot_rows import Load
from tests.unit.pipeline.captured import Item, insert
from tests.wait import wait_until
from triggers.model import TableSpec


def test_what_is_visible_becomes_one_batch(item: Item) -> None:
    item.insert(1, 2, 3)
    sealing = item.sealer().seal()
    assert (sealing.last_batch, sealing.rows, sealing.open_gaps) == (1, 3, 0)
    assert item.batches() == [[1, 2, 3]]


def test_nothing_new_makes_no_batch(item: Item) -> None:
    sealer = item.sealer()
    assert sealer.seal().rows == 0
    item.insert(1)
    sealer.seal()
    assert sealer.seal().rows == 0
    assert item.batches() == [[1]]


def test_a_batch_has_at_most_the_rows_asked_for(item: Item) -> None:
    item.insert(*range(1, 11))
    sealer = item.sealer(batch_rows=4)
    assert [sealer.seal().rows for _ in range(4)] == [4, 4, 2, 0]
    assert item.batches() == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]


def test_an_id_in_flight_is_a_gap_and_its_row_comes_in_a_later_batch(busy_item: Item) -> None:
    item, sealer = busy_item, busy_item.sealer()
    with item.session() as slow:
        insert(slow, 1)
        item.insert(2)
        assert sealer.seal().open_gaps == 1
        assert (item.batches(), item.open_gaps()) == ([[2]], [(1, 1)])
        slow.commit()
    sealer.seal()
    assert item.batches() == [[2], [1]]
    assert item.open_gaps() == []


def test_a_gap_stays_open_as_long_as_its_transaction_runs(busy_item: Item) -> None:
    item, sealer = busy_item, busy_item.sealer()
    with item.session() as slow:
        insert(slow, 1)
        for number in range(2, 12):
            item.insert(number)
            sealer.seal()
            assert item.open_gaps() == [(1, 1)]
        slow.commit()
    sealer.seal()
    assert item.batches()[-1] == [1]


def test_a_gap_of_a_transaction_that_was_rolled_back_is_proven_dead(busy_item: Item) -> None:
    item, sealer = busy_item, busy_item.sealer()
    with item.session() as doomed:
        insert(doomed, 1)
        insert(doomed, 2)
        item.insert(3)
        sealer.seal()
        doomed.rollback()
    wait_until(lambda: sealer.seal().open_gaps == 0, 10)
    assert (item.open_gaps(), item.closed_gaps()) == ([], [(1, 2)])
    assert item.batches() == [[3]]


def test_a_row_that_is_gone_leaves_a_dead_gap_in_sqlite(item: Item) -> None:
    if item.database.kind != "sqlite":
        return
    item.insert(1, 2, 3)
    with item.engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM outbox_change WHERE id = 2"))
    item.sealer().seal()
    assert (item.batches(), item.closed_gaps()) == ([[1, 3]], [(2, 2)])


def test_a_gap_is_split_around_the_rows_that_turn_up(busy_item: Item) -> None:
    item, sealer = busy_item, busy_item.sealer()
    with item.session() as first, item.session() as middle, item.session() as last:
        for number, session in enumerate((first, middle, last), 1):
            insert(session, number)
        item.insert(4)
        sealer.seal()
        assert item.open_gaps() == [(1, 3)]
        (whole,) = item.gap_rows()
        middle.commit()
        sealer.seal()
        assert item.open_gaps() == [(1, 1), (3, 3)]
        assert {row.seen_at for row in item.gap_rows()} == {whole.seen_at}
        last.commit()
        sealer.seal()
        assert item.open_gaps() == [(1, 1)]
        first.commit()
    sealer.seal()
    assert item.open_gaps() == []
    assert item.batches() == [[4], [2], [3], [1]]


def test_late_rows_come_before_new_ones_when_a_batch_is_full(busy_item: Item) -> None:
    item, sealer = busy_item, busy_item.sealer(batch_rows=2)
    with item.session() as slow:
        for number in (1, 2, 3):
            insert(slow, number)
        item.insert(4)
        sealer.seal()
        slow.commit()
    item.insert(5, 6)
    while sealer.seal().rows:
        pass
    assert item.batches() == [[4], [1, 2], [3, 5], [6]]


def test_a_batch_never_changes(busy_item: Item) -> None:
    item, sealer = busy_item, busy_item.sealer()
    batch = item.capture.outbox.batch
    query = sa.select(batch).where(batch.c.batch_no == 1)
    with item.session() as slow:
        insert(slow, 1)
        item.insert(2)
        sealer.seal()
        with item.engine.connect() as connection:
            before = connection.execute(query).one()
        slow.commit()
    sealer.seal()
    item.insert(3)
    sealer.seal()
    with item.engine.connect() as connection:
        assert connection.execute(query).one() == before
    assert item.batches() == [[2], [1], [3]]


def test_a_crash_inside_a_sealing_leaves_nothing_behind(item: Item) -> None:
    item.insert(1)
    broken = item.sealer()
    batch = item.capture.outbox.batch
    with item.engine.begin() as connection:  # the batch's number is taken: the insert fails
        values = dict.fromkeys(("first_id", "last_id", "row_count"), 99)
        now = sa.func.current_timestamp()
        times = dict.fromkeys(("first_captured_at", "last_captured_at", "sealed_at"), now)
        connection.execute(sa.insert(batch).values(batch_no=1, ids="99", **values, **times))
    try:
        broken.seal()
    except sa.exc.IntegrityError:
        failed = True
    else:
        failed = False
    with item.engine.begin() as connection:
        connection.execute(sa.delete(batch))
    assert failed
    broken.seal()
    assert item.batches() == [[1]]


def test_two_sealers_at_once_seal_every_row_once_in_the_order_of_its_key(busy_item: Item) -> None:
    """The order argument: an earlier change of a row is never in a later batch."""
    item = busy_item
    with item.database.engine.begin() as connection:
        connection.execute(sa.text(hot_rows.CREATE))
    item.capture.install([TableSpec("item"), TableSpec(hot_rows.TABLE)], prove=False)
    done = threading.Event()

    def seal() -> None:
        sealer = item.sealer(batch_rows=50)
        while not done.is_set():
            sealer.seal()
        sealer.close()

    sealers = [threading.Thread(target=seal) for _ in range(2)]
    for thread in sealers:
        thread.start()
    with Load(item.database.engine) as load:
        time.sleep(1.5)
    done.set()
    for thread in sealers:
        thread.join()
    last = item.sealer()
    wait_until(lambda: last.seal().rows == 0 and last.seal().open_gaps == 0, 10)
    last.close()

    sealed = list(chain.from_iterable(item.batches()))
    assert sorted(sealed) == item.change_ids()
    assert len(sealed) > load.committed > 10
    assert sealed != sorted(sealed), "no row came late: the load does not test anything"
    assert_keys_in_order(item, sealed)


def assert_keys_in_order(item: Item, sealed: list[int]) -> None:
    """Each row's versions must rise along the batches, and along the ids inside one."""
    change = item.capture.outbox.change
    images = (sa.cast(image, sa.Text) for image in (change.c.before, change.c.after))
    query = sa.select(change.c.id, change.c.op, *images)
    with item.engine.connect() as connection:
        rows = {row.id: row for row in connection.execute(query)}
    versions: dict[int, int] = {}
    for number in sealed:
        _, op, before, after = rows[number]
        image = json.loads(after if after is not None else before)
        key, version = image["id"], image["version"]
        last = versions.get(key, 0)
        rises = version >= last if op == "D" else version > last
        assert rises, f"row {key}: version {version} after {last}"
        versions[key] = version
