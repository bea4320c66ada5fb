"""Purge: only what every delivery has finished, and never the highest row."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from replicator.errors import DeliveryStopped
from replicator.pipeline import purge as purging
from replicator.pipeline.batches import Batches
from replicator.pipeline.deliveries import DeliveryState
from replicator.pipeline.purge import _give_up_batches, purge
from tests.unit.pipeline.captured import Item, insert


def purge_now(item: Item) -> int:
    return purge(item.engine, item.capture.outbox, threading.Event())


def seal_each(item: Item, *ids: int) -> None:
    """Insert rows, each into a batch of its own."""
    sealer = item.sealer()
    for number in ids:
        item.insert(number)
        sealer.seal()
    sealer.close()


def test_only_what_every_delivery_has_finished_goes(item: Item) -> None:
    seal_each(item, 1, 2, 3, 4, 5)
    item.finish(item.delivery("quick"), 5)
    item.finish(item.delivery("slow"), 3)
    assert purge_now(item) == 2
    assert item.change_ids() == [3, 4, 5]
    assert item.batches() == [[3], [4], [5]]  # the slow one's last batch tells its history


def test_nothing_goes_while_a_delivery_has_finished_nothing(item: Item) -> None:
    seal_each(item, 1, 2, 3)
    item.finish(item.delivery("quick"), 3)
    item.delivery("new")
    assert purge_now(item) == 0
    assert item.change_ids() == [1, 2, 3]


def test_nothing_goes_without_a_delivery(item: Item) -> None:
    seal_each(item, 1, 2, 3)
    assert purge_now(item) == 0
    assert item.change_ids() == [1, 2, 3]


def test_a_paused_delivery_keeps_what_it_has_not_finished(item: Item) -> None:
    seal_each(item, 1, 2, 3, 4)
    item.finish(item.delivery("quick"), 4)
    paused = item.delivery("paused")
    item.finish(paused, 2)
    paused.set_state(DeliveryState.PAUSED)
    assert purge_now(item) == 1
    assert item.change_ids() == [2, 3, 4]


def test_the_highest_row_stays(item: Item) -> None:
    seal_each(item, 1, 2, 3)
    item.finish(item.delivery("only"), 3)
    assert purge_now(item) == 2
    assert item.change_ids() == [3]
    assert purge_now(item) == 0


def test_the_highest_row_stays_when_a_late_batch_follows_its_own(busy_item: Item) -> None:
    item, sealer = busy_item, busy_item.sealer()
    with item.session() as slow:
        insert(slow, 1)
        item.insert(2)
        sealer.seal()
        slow.commit()
    sealer.seal()
    assert item.batches() == [[2], [1]]
    item.finish(item.delivery("only"), 2)
    purge_now(item)
    assert 2 in item.change_ids()
    sealer.close()


def test_ids_are_not_taken_again_by_an_old_innodb_that_restarts(innodb_item: Item) -> None:
    """It would go on after the highest row that it finds; ALTER TABLE does the same."""
    item = innodb_item
    seal_each(item, 1, 2, 3)
    item.finish(item.delivery("only"), 3)
    purge_now(item)
    with item.database.engine.begin() as connection:
        connection.execute(sa.text("SET SESSION sql_mode = ''"))
        connection.execute(sa.text("ALTER TABLE outbox_change AUTO_INCREMENT = 1"))
    seal_each(item, 4)
    assert item.batches()[-1] == [4]


def test_a_purge_that_is_told_to_stop_goes_on_another_time(
    item: Item, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("replicator.pipeline.purge.SPAN", 1)
    seal_each(item, 1, 2, 3, 4)
    item.finish(item.delivery("only"), 4)

    class AfterOne(threading.Event):
        looks = 0

        def is_set(self) -> bool:
            self.looks += 1
            return self.looks > 1

    assert purge(item.engine, item.capture.outbox, AfterOne()) == 1
    assert item.change_ids() == [2, 3, 4]
    assert purge_now(item) == 2
    assert (item.change_ids(), item.batches()) == ([4], [[4]])


def test_a_delivery_that_comes_late_begins_with_the_oldest_batch_still_there(item: Item) -> None:
    seal_each(item, 1, 2, 3, 4)
    item.finish(item.delivery("first"), 3)
    purge_now(item)
    batches = Batches(item.engine, item.capture.outbox)
    start = batches.start(item.delivery("late").read().progress)
    waiting = batches.next_round(start, 100)
    batches.close()
    assert waiting is not None
    assert (waiting.work.first_batch, waiting.ids) == (3, [(3, 4)])


def test_a_delivery_that_registers_while_batches_are_given_up_begins_above_them(
    busy_item: Item,
) -> None:
    """Its registration waits; else it would begin with a batch whose changes go the next moment."""
    item, outbox = busy_item, busy_item.capture.outbox
    seal_each(item, 1, 2, 3, 4)
    item.finish(item.delivery("first"), 4)
    with ThreadPoolExecutor() as pool, item.engine.begin() as purging_session:
        given_up = _give_up_batches(purging_session, outbox)
        late = pool.submit(item.delivery, "late")
        with pytest.raises(TimeoutError):
            late.result(timeout=0.3)
        purging_session.commit()
        record = late.result(timeout=10)
    batches = Batches(item.engine, outbox)
    assert batches.start(record.read().progress).batch_no == given_up[-1].batch_no == 3
    batches.close()
    assert purge_now(item) == 0, (
        "the late one has finished nothing; batches given up stay till then"
    )


def test_a_delivery_whose_next_batch_is_gone_stops(item: Item) -> None:
    """Nothing purges it by design; somebody's hands might."""
    seal_each(item, 1, 2, 3)
    record = item.delivery("only")
    item.finish(record, 1)
    with item.engine.begin() as connection:
        batch = item.capture.outbox.batch
        connection.execute(sa.delete(batch).where(batch.c.batch_no == 2))
    batches = Batches(item.engine, item.capture.outbox)
    start = batches.start(record.read().progress)
    with pytest.raises(DeliveryStopped, match="batch 2 is not in the source any more"):
        batches.next_round(start, 100)
    batches.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gaps without proof are old at once."""
    monkeypatch.setattr(purging, "GAP_PATIENCE", timedelta(0))


@pytest.mark.usefixtures("impatient")
def test_purge_passes_an_old_gap_and_a_late_row_below_its_mark_is_sealed_once(
    busy_item: Item,
) -> None:
    item, sealer = busy_item, busy_item.sealer()
    with item.session() as slow, item.session() as slower:
        insert(slower, 1)
        insert(slow, 2)
        insert(slower, 3)
        for number in (4, 5):
            item.insert(number)
            sealer.seal()
        record = item.delivery("only")
        item.finish(record, 2)
        assert purge_now(item) == 1
        assert (item.purged_to(), item.open_gaps()) == (3, [])

        slow.commit()
        assert sealer.seal().rows == 1
        assert item.batches() == [[5], [2]]
        assert sealer.seal().rows == 0, "a late row must not be late again"

        item.finish(record, 3)
        purge_now(item)
        slower.commit()
    assert sealer.seal().rows == 2
    assert sealer.seal().rows == 0
    assert item.batches()[-1] == [1, 3]
    sealer.close()


@pytest.mark.usefixtures("impatient")
def test_a_gap_above_a_row_that_is_still_there_is_not_passed(busy_item: Item) -> None:
    item, sealer = busy_item, busy_item.sealer()
    item.insert(1)
    with item.session() as slow:
        insert(slow, 2)
        item.insert(3)
        sealer.seal()
        item.delivery("behind")
        purge_now(item)
        assert (item.purged_to(), item.open_gaps()) == (0, [(2, 2)])
        slow.commit()
    sealer.seal()
    assert item.batches() == [[1, 3], [2]]
    sealer.close()


def test_a_young_gap_is_not_passed(busy_item: Item) -> None:
    item, sealer = busy_item, busy_item.sealer()
    with item.session() as slow:
        insert(slow, 1)
        for number in (2, 3):
            item.insert(number)
            sealer.seal()
        item.finish(item.delivery("only"), 2)
        purge_now(item)
        assert (item.purged_to(), item.open_gaps()) == (0, [(1, 1)])
        slow.rollback()
    sealer.close()
