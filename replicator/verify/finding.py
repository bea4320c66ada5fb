"""What a comparison finds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from replicator.change import Row
from replicator.pipeline.contract import DeliveryName

MOST_FINDINGS = 100_000
"""A table with more rows that are not what they should be is better copied anew."""


class Kind(StrEnum):
    """What is wrong with a row of the target."""

    MISSING = "missing"
    EXTRA = "extra"
    DIFFERENT = "different"
    UNDECIDED = "undecided"  # its source row changes faster than it can be looked at


@dataclass(frozen=True, slots=True)
class Finding:
    """A row of a target that is not what it should be."""

    table: str
    """The source's table."""
    kind: Kind
    key: Row
    """The key's columns as the target is to see them, in wire values."""
    columns: tuple[str, ...] = ()
    """The target's columns that differ."""
    refused: str = ""
    """Why the target cannot hold the row, if so: a delivery would park it."""
    is_parked: bool = False
    """Whether there is a dead letter of the row."""


@dataclass(slots=True)
class TableReport:
    """What was found in one table of one delivery."""

    delivery: DeliveryName
    table: str
    target_table: str
    method: str
    """How its rows were compared: by checksums of ranges, or row by row."""
    notes: list[str] = field(default_factory=list)
    """What was not looked for, and why."""
    rows: int = 0
    seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list)
    """What is left, after a repair too."""
    mended: int = 0

    def count(self, kind: Kind) -> int:
        """How many rows there are of a kind."""
        return Counter(finding.kind for finding in self.findings)[kind]
