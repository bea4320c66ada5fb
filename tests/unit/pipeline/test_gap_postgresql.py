"""When a gap is dead on PostgreSQL (docs/decisions/0002)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from tests.servers import PostgreSQLServer, server_database
from tests.unit.pipeline.captured import Item, begin_writing, captured, insert
from tests.wait import wait_until


def snapshot(engine: Engine) -> tuple[int, int]:
    """xmin and xmax of a snapshot that is taken now."""
    query = (
        "SELECT pg_snapshot_xmin(s)::text::bigint, pg_snapshot_xmax(s)::text::bigint"
        " FROM pg_current_snapshot() s"
    )
    with engine.connect() as connection:
        low, high = connection.execute(sa.text(query)).one()
        return low, high


def test_a_running_transaction_above_xmax_is_waited_for(postgresql_item: Item) -> None:
    """A transaction id above the snapshot's xmax may hold an outbox id below the highest one."""
    item, sealer = postgresql_item, postgresql_item.sealer()
    with item.session() as t1, item.session() as t2, item.session() as t3:
        for number, session in enumerate((t1, t2, t3), 1):
            begin_writing(session, number)  # each has its transaction id now, in this order
        insert(t3, 1)
        insert(t1, 2)
        t1.commit()
        _, xmax_with_the_gap = snapshot(item.database.engine)
        sealer.seal()
        assert (item.batches(), item.open_gaps()) == ([[2]], [(1, 1)])

        t2.rollback()
        sealer.seal()
        xmin_now, _ = snapshot(item.database.engine)
        design_calls_it_dead = xmin_now > xmax_with_the_gap
        assert design_calls_it_dead, "the order of transactions does not test the point"
        assert item.open_gaps() == [(1, 1)]

        t3.commit()
    sealer.seal()
    assert item.batches() == [[2], [1]]


def test_the_rule_of_the_design_would_have_lost_the_row(postgresql_item: Item) -> None:
    """Both rules on the same history: only ours holds when the row turns up."""
    item, sealer = postgresql_item, postgresql_item.sealer()
    with item.session() as t1, item.session() as t2, item.session() as t3:
        for number, session in enumerate((t1, t2, t3), 1):
            begin_writing(session, number)
        insert(t3, 1)
        insert(t1, 2)
        t1.commit()
        _, horizon_of_the_design = snapshot(item.database.engine)
        sealer.seal()
        (gap,) = item.gap_rows()
        t2.rollback()
        xmin_now, _ = snapshot(item.database.engine)
        visible_before = item.change_ids()
        t3.commit()

    assert xmin_now >= horizon_of_the_design, "the design's rule: dead, look no more"
    assert xmin_now < gap.horizon, "our rule: not proven yet"
    assert set(item.change_ids()) - set(visible_before) == {1}, "and the row has come"


def test_the_horizon_lies_above_every_transaction_that_was_running(postgresql_item: Item) -> None:
    item, sealer = postgresql_item, postgresql_item.sealer()
    with item.session() as slow:
        insert(slow, 1)
        item.insert(2)
        query = sa.text("SELECT pg_current_xact_id()::text::bigint")
        running = slow.execute(query).scalar_one()
        sealer.seal()
        (gap,) = item.gap_rows()
        assert gap.horizon > running
        slow.rollback()
    wait_until(lambda: sealer.seal().open_gaps == 0, 10)


def test_a_subtransaction_is_as_old_as_its_transaction(postgresql_item: Item) -> None:
    """A savepoint's own, larger transaction id must not count."""
    item, sealer = postgresql_item, postgresql_item.sealer()
    with item.session() as slow:
        begin_writing(slow, 1)
        with slow.begin_nested():
            insert(slow, 1)
        item.insert(2)
        for _ in range(3):
            sealer.seal()
        assert item.open_gaps() == [(1, 1)]
        slow.commit()
    sealer.seal()
    assert item.batches() == [[2], [1]]


@pytest.fixture
def prepared_item() -> Iterator[Item]:
    """A captured table on a server that takes prepared transactions."""
    with (
        PostgreSQLServer(settings={"max_prepared_transactions": "5"}) as server,
        server_database("postgresql", server) as database,
        captured(database) as item,
    ):
        yield item


def test_a_prepared_transaction_counts_as_in_flight(prepared_item: Item) -> None:
    item, sealer = prepared_item, prepared_item.sealer()
    with item.session() as session:
        insert(session, 1)
        session.execute(sa.text("PREPARE TRANSACTION 'waits'"))
    item.insert(2)
    for _ in range(3):
        sealer.seal()
    assert item.open_gaps() == [(1, 1)]

    autocommit = item.database.engine.execution_options(isolation_level="AUTOCOMMIT")
    with autocommit.connect() as connection:
        connection.execute(sa.text("COMMIT PREPARED 'waits'"))
    sealer.seal()
    assert item.batches() == [[2], [1]]
    sealer.close()
