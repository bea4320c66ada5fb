"""The first copy of tables, as a delivery sees it: something to do between its rounds.

A page is read after the delivery has finished batch p, and written before it begins any later one.
So the page holds everything up to p; whatever else it may hold or lack is in a later batch, whose
images are whole rows and which is applied on top. Hence the target converges, and a row that was
deleted meanwhile does not come back: its deletion comes later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from replicator.change import Block
from replicator.pipeline.contract import Outcome, Park, Round

PageRound = Callable[[int], Round]
"""Makes the round that so many rows of a page are: it leaves the progress where it is."""


@dataclass(frozen=True, slots=True)
class RawForm:
    """Rows as one engine writes them and another of its kind reads them, values and all.

    `columns`: the source's, in the order that the target reads them.
    """

    engine: str
    columns: Sequence[str]


class PageTarget(Protocol):
    """A target as the copying of tables sees it."""

    def deliver(self, work: Round, blocks: Iterable[Block], park: Park) -> Outcome:
        """See `Target.deliver`."""

    def raw_form(self, table: str) -> RawForm | None:
        """The form in which it takes rows of a source table as new ones; None: it takes none."""

    def deliver_raw(self, work: Round, table: str, rows: bytes) -> bool:
        """As `deliver`, for rows in that form; False: one was refused, and nothing is written."""


class Copying(Protocol):
    """Copies tables of one delivery, some pages at a time."""

    def is_wanted(self) -> bool:
        """Tell whether there is something to copy; cheap, may be a moment out of date."""

    def copy_some(
        self, page_round: PageRound, go_on: Callable[[], bool], *, caught_up: bool
    ) -> bool:
        """Copy for a few seconds while `go_on`; return whether anything was written.

        `caught_up`: the delivery has everything that was sealed when this was called last. While
        the source is written to all the time, it never has everything.
        """

    def close(self) -> None:
        """Give connections back; the next call of `copy_some` takes new ones."""
