"""The source tables of a delivery, which may change while changes flow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from replicator.pipeline.reader import ChangeReader
from triggers.model import Table


class CaptureChanged(Exception):
    """Changes were read that are captured in another way than when the delivery began."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What a delivery begins with."""

    tables: Mapping[str, Table]
    """The tables by canonical name, as its target is to see them."""

    memo: str | None
    """What the source's record of the delivery is to hold for the next time."""


class Schema(Protocol):
    """Tells a delivery which columns there are."""

    def settle(self, memo: str | None) -> Settled:
        """Look at everything anew; `memo` is what the source's record holds.

        Raises `DeliveryStopped` when somebody has to mend something first.
        """

    def reader(self, reader: ChangeReader) -> ChangeReader:
        """Return a reader of changes as the target is to see them; after `settle`.

        It raises `CaptureChanged` where changes show that `settle` does not hold any more.
        """

    def is_current(self, reached: int) -> bool:
        """Tell whether the last `settle` still holds, with everything up to this batch delivered.

        Cheap; otherwise the delivery begins again.
        """
