"""A source with one captured table, and a look at its ledger of batches and gaps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from replicator.pipeline import ranges
from replicator.pipeline.batches import Batches
from replicator.pipeline.contract import DeliveryName, Outcome, Progress, Round
from replicator.pipeline.deliveries import Deliveries
from replicator.pipeline.ranges import Range
from replicator.pipeline.sealing import BATCH_ROWS, Sealer
from tests.servers import Database
from triggers.capture import Capture
from triggers.engine import make_engine
from triggers.model import TableSpec


@dataclass(frozen=True)
class Item:
    """A captured table `item`, and `other`, which is not captured."""

    database: Database
    engine: Engine
    """The product's own engine."""
    capture: Capture
    sealers: list[Sealer] = field(default_factory=list)

    def sealer(self, batch_rows: int = BATCH_ROWS) -> Sealer:
        """A sealer of this source; closed with it at the latest."""
        sealer = Sealer(self.engine, self.capture.outbox, self.capture.dialect, batch_rows)
        self.sealers.append(sealer)
        return sealer

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """An application's session, in a transaction that is rolled back unless committed."""
        with self.database.engine.connect() as connection:
            yield connection

    def insert(self, *ids: int) -> None:
        """Insert rows, each in a transaction of its own."""
        for number in ids:
            with self.database.engine.begin() as connection:
                insert(connection, number)

    def batches(self) -> list[list[int]]:
        """The ids in each batch, in order of the batches' numbers."""
        batch = self.capture.outbox.batch
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(batch).order_by(batch.c.batch_no)).all()
        for row in rows:
            assert row.row_count == len(ids_of(row.ids))
            assert (row.first_id, row.last_id) == (ids_of(row.ids)[0], ids_of(row.ids)[-1])
        return [ids_of(row.ids) for row in rows]

    def open_gaps(self) -> list[Range]:
        """The gaps that may still be filled."""
        return [(row.first_id, row.last_id) for row in self.gap_rows() if row.closed_at is None]

    def closed_gaps(self) -> list[Range]:
        """The gaps that are proven dead."""
        rows = [row for row in self.gap_rows() if row.closed_at is not None]
        assert all(row.reason for row in rows)
        return [(row.first_id, row.last_id) for row in rows]

    def gap_rows(self) -> list[sa.Row[tuple[object, ...]]]:
        """The whole ledger of gaps."""
        gap = self.capture.outbox.gap
        with self.engine.connect() as connection:
            return list(connection.execute(sa.select(gap).order_by(gap.c.first_id)).all())

    def change_ids(self) -> list[int]:
        """The ids that are visible in the outbox now."""
        change = self.capture.outbox.change
        with self.engine.connect() as connection:
            return list(connection.execute(sa.select(change.c.id).order_by(change.c.id)).scalars())

    def purged_to(self) -> int:
        """The purge mark."""
        with self.engine.connect() as connection:
            return int(connection.execute(sa.select(self.capture.outbox.state)).one().purged_to)

    def delivery(self, target: str) -> Deliveries:
        """The record of a delivery to this target, registered."""
        name = DeliveryName("route", target)
        record = Deliveries(self.engine, self.capture.outbox, name)
        record.register()
        return record

    def finish(self, record: Deliveries, batch_no: int) -> None:
        """Record that a delivery has finished everything up to a batch."""
        batches = Batches(self.engine, self.capture.outbox)
        try:
            start = batches.start(record.read().progress)
            while start.batch_no < batch_no:
                waiting = batches.next_round(start, 1)
                assert waiting is not None
                start = waiting.work.reached
        finally:
            batches.close()
        reached = Progress(start.epoch, start.batch_no, start.mark)
        assert record.take_lease("test")
        record.finish(Round(None, reached, 1, 0), Outcome(0, 0), "test")


def insert(connection: Connection, number: int) -> None:
    """Insert a row into the captured table; it takes the next outbox id."""
    connection.execute(sa.text("INSERT INTO item VALUES (:n, 0)"), {"n": number})


def begin_writing(connection: Connection, number: int) -> None:
    """Give the session's transaction an id, without taking an outbox id."""
    connection.execute(sa.text("INSERT INTO other VALUES (:n)"), {"n": number})


def ids_of(text: str) -> list[int]:
    """The ids that a batch's text names."""
    return [number for first, last in ranges.decode(text) for number in range(first, last + 1)]


@contextmanager
def captured(database: Database, url: str | None = None) -> Iterator[Item]:
    """Capture `item` in a fresh database; `url` when the product is to come as another user."""
    with database.engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE item (id INTEGER PRIMARY KEY, version INTEGER)"))
        connection.execute(sa.text("CREATE TABLE other (id INTEGER PRIMARY KEY)"))
    engine = make_engine(url or database.url)
    try:
        capture = Capture(engine)
        capture.install([TableSpec("item")], prove=False)
        item = Item(database, engine, capture)
        yield item
        for sealer in item.sealers:
            sealer.close()
    finally:
        engine.dispose()
