"""In which form a column's values become text."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

HASH_DIGITS = 15
"""Hexadecimal digits of each of the two parts of a hash: a signed integer of 8 bytes holds them."""


class Form(StrEnum):
    """The text of a value."""

    NUMBER = "number"  # decimal digits, as the column's type prints them
    BOOLEAN = "boolean"  # 1 or 0
    TEXT = "text"  # as it is, in UTF-8
    BYTES = "bytes"  # lower-case hexadecimal
    DATE = "date"  # 2026-11-21
    TIME = "time"  # 13:14:15.123456
    TIMESTAMP = "timestamp"  # 2026-11-21 13:14:15.123456; points in time in UTC
    FLOAT = "float"  # hexadecimal of the IEEE double, with one zero
    OWN = "own"  # the engine's own text, fit for comparison with the same type of the same engine


@dataclass(frozen=True, slots=True)
class Field:
    """A column, in the SQL of its engine, and the form of its text."""

    sql: str
    form: Form


@dataclass(frozen=True, slots=True)
class Digest:
    """What stands for the rows of a range: equal ones mean that the rows have equal texts."""

    rows: int
    first: int
    second: int

    @classmethod
    def of(cls, rows: object, hashed: object, first: object, second: object) -> Digest | None:
        """A digest out of a query's row; None where a row had no hash: it was too long."""
        if rows != hashed:
            return None
        return cls(int(str(rows)), int(str(first)), int(str(second)))
