"""The first copy of tables, as a delivery sees it: something to do between its rounds.

A page is read after the delivery has finished batch p, and written before it begins any later one.
So the page holds everything up to p; whatever else it may hold or lack is in a later batch, whose
images are whole rows and which is applied on top. Hence the target converges, and a row that was
deleted meanwhile does not come back: its deletion comes later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from replicator.change import Block
from replicator.pipeline.contract import Park

WritePage = Callable[[Sequence[Block], int, Park], None]
"""Makes blocks (of so many rows) durable at the target; hands over first what that refuses."""


class Copying(Protocol):
    """Copies tables of one delivery, some pages at a time."""

    def is_wanted(self) -> bool:
        """Tell whether there is something to copy; cheap, may be a moment out of date."""

    def copy_some(self, write: WritePage, go_on: Callable[[], bool], *, caught_up: bool) -> bool:
        """Copy for a few seconds while `go_on`; return whether anything was written.

        `caught_up`: the delivery has everything that was sealed when this was called last. While
        the source is written to all the time, it never has everything.
        """

    def close(self) -> None:
        """Give connections back; the next call of `copy_some` takes new ones."""
