"""What `replicator snapshot` does: asks for the tables, and sees to it that they are copied."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from replicator.pipeline.contract import DeliveryName
from replicator.pipeline.deliveries import Deliveries, DeliveryState
from replicator.snapshot.record import Copies, CopyState, TableCopy
from triggers.capture import Capture

LOOK_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Situation:
    """How far the copy of one delivery is."""

    name: DeliveryName
    tables: Sequence[TableCopy]
    state: DeliveryState
    error: str | None
    refused: int
    """Rows that wait to be looked at again."""
    is_done: bool
    """Everything is copied, and delivered up to then."""


class Watched:
    """One delivery that copies tables, as the source's records tell of it."""

    def __init__(self, capture: Capture, name: DeliveryName, tables: Sequence[str]) -> None:
        self.name = name
        self._engine, self._outbox = capture.engine, capture.outbox
        self._tables = list(tables)
        self._record = Deliveries(self._engine, self._outbox, name)
        self._copies = Copies(self._engine, self._outbox, name)
        self._goal: int | None = None  # the last batch when all tables were done

    def request(self, rate: int | None) -> bool:
        """Ask for the tables; return whether earlier requests are taken up again."""
        self._record.register()
        return self._copies.request(self._tables, rate)

    def look(self) -> Situation:
        """Return how far it is."""
        tables = [copy for copy in self._copies.read() if copy.table in self._tables]
        record = self._record.read()
        letter = self._outbox.dead_letter
        mine = sa.and_(letter.c.route == self.name.route, letter.c.target == self.name.target)
        count = sa.select(sa.func.count()).select_from(letter)
        with self._engine.connect() as connection:
            refused = connection.execute(
                count.where(mine, letter.c.state == "copying")
            ).scalar_one()
            last = connection.execute(sa.select(self._outbox.state.c.last_batch)).scalar_one()
            delivery = self._outbox.delivery
            error = connection.execute(
                sa.select(delivery.c.last_error).where(
                    delivery.c.route == self.name.route, delivery.c.target == self.name.target
                )
            ).scalar()
        if self._goal is None and all(copy.state is CopyState.DONE for copy in tables):
            self._goal = last
        reached = record.progress.batch_no if record.progress is not None else 0
        done = self._goal is not None and reached >= self._goal
        return Situation(self.name, tables, record.state, error, refused, done)


def watch(
    watched: Sequence[Watched], stop: threading.Event, tell: Callable[[Sequence[Situation]], None]
) -> list[Situation]:
    """Look until all is done, nothing can go on, or told to stop; return how it is then."""
    while True:
        situations = [one.look() for one in watched]
        tell(situations)
        held = (DeliveryState.PAUSED, DeliveryState.STOPPED)
        if all(one.is_done or one.state in held for one in situations):
            return situations
        if stop.wait(LOOK_SECONDS):
            return situations
