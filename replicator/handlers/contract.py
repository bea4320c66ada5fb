"""The contract between the replicator and a handler."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from sqlalchemy import Connection

from replicator.change import Change
from replicator.errors import DeliveryStopped
from replicator.pipeline.contract import DeliveryName, Parked
from triggers.model import Table


class Handler(Protocol):
    """Delivers changes of some tables of one route to one target, always from one thread.

    After an exception from `open` or `deliver` the replicator calls `close`, makes a new handler,
    and repeats the round from its beginning.
    """

    def open(self, context: Context) -> None:
        """Prepare for `deliver`."""

    def deliver(self, changes: Sequence[Change]) -> None:
        """Make changes durable before returning: some of a round, in the order of the source.

        What is written through `context.transaction` becomes durable with the round. Anything
        else may be repeated after a failure. `DeliveryStopped` stops the delivery until somebody
        mends what it names; after any other exception the replicator tries again. Their type and
        place are told; the text only of `DeliveryStopped` and `TargetUnavailable`.
        """

    def close(self) -> None:
        """Release what `open` took."""


class Context:
    """What a handler may use, from `open` until `close`."""

    def __init__(
        self,
        delivery: DeliveryName,
        tables: Mapping[str, Table],
        log: logging.Logger,
        source: Callable[[], Connection],
        transaction: Callable[[], Connection] | None,
    ) -> None:
        self.route = delivery.route
        self.target = delivery.target
        self.tables = tables
        """The source tables that this handler gets changes of, by canonical name."""
        self.log = log
        self._source = source
        self._transaction = transaction
        self._parked: list[Parked] = []

    @property
    def source(self) -> Connection:
        """A read-only connection to the source, to look things up; it sees the present state.

        Every statement is a transaction of its own.
        """
        return self._source()

    @property
    def transaction(self) -> Connection:
        """The round's transaction in a SQL target, while `deliver` runs.

        It commits with the round's progress, once: a handler that commits it or rolls it back is
        stopped. `begin_nested()` gives a savepoint. Other targets have none: `DeliveryStopped`.
        """
        if self._transaction is None:
            raise DeliveryStopped(
                f"the handler asks for a transaction of target {self.target}, which is no database",
                "only targets of type sql have one",
            )
        return self._transaction()

    def park(self, change: Change, error: str) -> None:
        """Set a change aside as a dead letter; `error` says why, without row values."""
        self._parked.append(Parked(change, error))

    def take_parked(self) -> list[Parked]:
        """Return what was parked since the last call."""
        parked, self._parked = self._parked, []
        return parked
