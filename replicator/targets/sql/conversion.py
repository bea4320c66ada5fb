"""What the values of a source column become in a target column."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Converter = Callable[[Any], Any]
"""Wire value (never None) -> what the driver takes; raises `Unfit` for what cannot be held."""


class Refused(Exception):
    """The target refuses a row for what it holds.

    `error` names the rule and never holds a value of the row. `unique`: the rule is a unique key,
    so that the row may pass once others are written.
    """

    def __init__(self, error: str, *, unique: bool = False) -> None:
        super().__init__(error)
        self.error = error
        self.unique = unique


class Fit(StrEnum):
    """How well a target column's type suits a source column's."""

    EXACT = "exact"  # every value arrives as the same value
    CONVERTED = "converted"  # in another form, from which the value can be had back
    REFUSED = "refused"  # no form of the value would be kept: nothing is written


class Unfit(Refused):
    """A value that the target column cannot hold.

    `nearest` is the closest value that it can hold, as the driver takes it; None: there is none.
    """

    def __init__(self, error: str, nearest: Any = None) -> None:
        super().__init__(error)
        self.nearest = nearest


@dataclass(frozen=True, slots=True)
class Conversion:
    """How a source column's values become a target column's.

    `note` says how they are converted, or why they are refused. `limits` names the values of the
    source type that the target column cannot hold and that `convert` therefore refuses one by one.
    """

    fit: Fit
    note: str = ""
    limits: str = ""
    convert: Converter | None = None  # None: the wire value as it is
