"""A change, as it is read from the outbox."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, Literal, TypeVar

import msgspec

from replicator.errors import SourceUnavailable

T = TypeVar("T")

json_encoder = msgspec.json.Encoder(decimal_format="number")
encode = json_encoder.encode
"""Make JSON of a wire value, a change or a row, keeping every digit."""

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


class RawChange(msgspec.Struct, array_like=True, gc=False):
    """A `Change` whose images are still JSON: what it takes to find out which ones matter."""

    id: int
    table: str
    op: Operation
    before: msgspec.Raw
    after: msgspec.Raw

    @property
    def image(self) -> msgspec.Raw:
        """The image that identifies the row: `before` for a deletion, else `after`."""
        return self.before if self.op == "D" else self.after


@dataclass(frozen=True, slots=True)
class Block:
    """Some changes, as a JSON array of outbox lines, which are arrays of a `Change`'s fields."""

    json: bytes
    count: int

    @classmethod
    def of(cls, lines: Sequence[bytes], count: int | None = None) -> Block:
        """Join lines; one that holds `count` changes has commas in between."""
        return cls(b"[" + b",".join(lines) + b"]", len(lines) if count is None else count)

    def changes(self) -> list[Change]:
        """Decode the changes, keeping every digit."""
        return self._whole(_decoder.decode(self.json))

    def raw_changes(self) -> list[RawChange]:
        """Decode all but the images, which stay part of `json`."""
        return self._whole(_raw_decoder.decode(self.json))

    def _whole(self, changes: list[T]) -> list[T]:
        if len(changes) != self.count:
            raise SourceUnavailable(f"the source sent {len(changes)} of {self.count} changes")
        return changes


class Decoder(Generic[T]):
    """Decodes JSON to a type, keeping every digit: integers, and Decimal for all other numbers.

    An integer of thousands of digits becomes a Decimal, too: Python limits the size of texts that
    it makes integers of, which takes quadratic time.
    """

    def __init__(self, kind: type[T]) -> None:
        self._kind = kind
        self._decode = msgspec.json.Decoder(kind, float_hook=Decimal).decode

    def decode(self, data: bytes | msgspec.Raw) -> T:
        """Decode one JSON value. Raises `msgspec.DecodeError` for anything else."""
        try:
            return self._decode(data)
        except msgspec.ValidationError:  # has no hook for integers
            value = json.loads(bytes(data), parse_int=_integer, parse_float=Decimal)
            return msgspec.convert(value, self._kind)


def _integer(digits: str) -> int | Decimal:
    limited = len(digits) > sys.int_info.str_digits_check_threshold
    return Decimal(digits) if limited else int(digits)


_decoder = Decoder(list[Change])
_raw_decoder = Decoder(list[RawChange])


def decode_changes(lines: list[bytes]) -> list[Change]:
    """Decode outbox lines, keeping every digit.

    A line is a JSON array of a Change's fields, or several of them with commas in between.
    """
    return _decoder.decode(b"[" + b",".join(lines) + b"]")
