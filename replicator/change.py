"""A change, as it is read from the outbox."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

import msgspec

Row = dict[str, Any]
"""Column name -> wire value: int, Decimal, str, bool, None or a list of these (wire-format.md)."""

Operation = Literal["I", "U", "D", "T"]
"""INSERT, UPDATE, DELETE, TRUNCATE."""


class Change(msgspec.Struct, array_like=True, gc=False):
    """One row change.

    `after` is the full row (captured columns) for I and U, None for D and T. `before` is the full
    old row for D; for U it is None, or the full old row when the table is captured with
    `before = "full"`. An update of the key arrives as D of the old key, then U of the new one.
    """

    id: int
    table: str
    op: Operation
    before: Row | None
    after: Row | None
    origin: str | None
    captured_at: str  # UTC, "2026-11-21T13:14:15.123456"

    @property
    def row(self) -> Row:
        """The image that identifies the row: `after`, or `before` for a deletion; {} for T."""
        return self.after if self.after is not None else self.before or {}


_decoder = msgspec.json.Decoder(list[Change], float_hook=Decimal)


def decode_changes(lines: list[bytes]) -> list[Change]:
    """Decode outbox lines, keeping every digit.

    A line is a JSON array of a Change's fields, or several of them with commas in between.
    """
    return _decoder.decode(b"[" + b",".join(lines) + b"]")
