"""Targets without transactions whose tables, some or all, are delivered by handlers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from replicator.change import Block
from replicator.handlers.assigned import Handlers
from replicator.pipeline.contract import Outcome, Park, Progress, Round, Target
from triggers.model import Table


class HandledTarget:
    """Hands the changes of some tables to handlers, and the others to a target, in their order.

    The progress is the source's record: what a handler has done is done again when the round
    fails after it.
    """

    keeps_progress = False

    def __init__(self, target: Target, handlers: Handlers) -> None:
        """`target` must be one that keeps no progress."""
        assert not target.keeps_progress
        self._target = target
        self._handlers = handlers

    def open(self, tables: Mapping[str, Table], memo: str | None = None) -> Progress | None:
        """Open the target and the handlers; no progress is kept here."""
        self._handlers.open(tables)
        own = {name: table for name, table in tables.items() if not self._handlers.take(name)}
        return self._target.open(own, memo)

    def deliver(self, work: Round, blocks: Iterable[Block], park: Park) -> Outcome:
        """Deliver a round: the target's part is durable when the handlers' is."""
        handled = _Handled()
        outcome = self._target.deliver(work, self._own(blocks, park, handled), park)
        return replace(
            outcome,
            changes=outcome.changes + handled.changes,
            written=outcome.written + handled.changes - handled.parked,
            parked=outcome.parked + handled.parked,
        )

    def close(self) -> None:
        """Close both."""
        self._handlers.close()
        self._target.close()

    def _own(self, blocks: Iterable[Block], park: Park, handled: _Handled) -> Iterator[Block]:
        for program, block in self._handlers.divide(blocks):
            if program is None:
                yield block
                continue
            parked = self._handlers.deliver(program, block.changes())
            if parked:
                park(parked)
            handled.changes += block.count
            handled.parked += len(parked)


@dataclass(slots=True)
class _Handled:
    changes: int = 0
    parked: int = 0


class HandlersOnly:
    """A target that writes nothing itself."""

    keeps_progress = False

    def open(self, tables: Mapping[str, Table], memo: str | None = None) -> Progress | None:  # noqa: ARG002
        """No progress is kept here."""
        return None

    def deliver(self, work: Round, blocks: Iterable[Block], park: Park) -> Outcome:  # noqa: ARG002
        """Let the handlers have their changes; there are no others."""
        count = sum(block.count for block in blocks)
        return Outcome(changes=count, written=0)

    def close(self) -> None:
        """Nothing is held."""
