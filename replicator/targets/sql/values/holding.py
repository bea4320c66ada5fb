"""What the columns of a target can hold, as each engine's types say it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Integers:
    """Whole numbers from `first` to `last`; `zero_too` where 0 is held besides."""

    first: int
    last: int
    zero_too: bool = False


@dataclass(frozen=True, slots=True)
class Decimals:
    """Numbers of up to `digits` digits, `scale` of them after the point."""

    digits: int
    scale: int
    nan: bool = False
    infinity: bool = False

    @property
    def whole(self) -> int:
        """Digits before the point; negative when the first ones after it have to be zero."""
        return self.digits - self.scale


@dataclass(frozen=True, slots=True)
class Floats:
    """Binary floating point of 4 or 8 bytes."""

    size: Literal[4, 8] = 8
    nan: bool = False
    infinity: bool = False
    scale: int | None = None  # MySQL's FLOAT(M,D) rounds to D digits
    bound: bool = True  # the driver takes a float, not the wire's own number


@dataclass(frozen=True, slots=True)
class Booleans:
    """True and false."""


@dataclass(frozen=True, slots=True)
class Texts:
    """Text. `codec` is Python's name of an encoding that lacks characters; None: it has all."""

    characters: int | None = None
    size: int | None = None  # bytes
    codec: str | None = None
    nul: bool = True
    trims: bool = False  # blanks at the end are not part of the value
    widest: int = 4  # bytes that a character may take


@dataclass(frozen=True, slots=True)
class Binary:
    """Bytes. `fixed`: of exactly this length. `written`: the driver takes the wire's hex."""

    length: int | None = None
    fixed: bool = False
    written: bool = False


@dataclass(frozen=True, slots=True)
class Dates:
    """Dates; on PostgreSQL (`wide`) with infinity and BC, on MySQL with zero dates."""

    wide: bool


@dataclass(frozen=True, slots=True)
class Times:
    """Times of day, or on MySQL (`long`) durations of up to 838:59:59, negative ones too."""

    digits: int
    long: bool


@dataclass(frozen=True, slots=True)
class Timestamps:
    """Dates with times. `zoned`: points in time, written in UTC. `epoch`: only from 1970 on."""

    digits: int
    zoned: bool
    wide: bool
    epoch: bool = False


@dataclass(frozen=True, slots=True)
class Documents:
    """JSON: its text as it is, or its content in the way of jsonb or of MySQL."""

    keeps: Literal["text", "jsonb", "mysql"]


@dataclass(frozen=True, slots=True)
class Uuids:
    """UUIDs as such."""


@dataclass(frozen=True, slots=True)
class Bits:
    """Bits: on MySQL a number, on PostgreSQL (`digits`) zeros and ones."""

    width: int | None
    digits: bool
    varying: bool = False


@dataclass(frozen=True, slots=True)
class Members:
    """The members of an ENUM, or (`several`) any number of those of a SET."""

    labels: frozenset[str]
    several: bool = False


@dataclass(frozen=True, slots=True)
class Arrays:
    """PostgreSQL's arrays."""

    element: str  # the type's name, without the brackets


@dataclass(frozen=True, slots=True)
class Geometries:
    """MySQL's geometry."""


@dataclass(frozen=True, slots=True)
class Own:
    """A type of the engine's own, which only a column of the same type suits."""

    type: str


Holding = (
    Integers
    | Decimals
    | Floats
    | Booleans
    | Texts
    | Binary
    | Dates
    | Times
    | Timestamps
    | Documents
    | Uuids
    | Bits
    | Members
    | Arrays
    | Geometries
    | Own
)
