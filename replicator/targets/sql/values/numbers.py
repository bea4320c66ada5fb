"""Integers, decimals and floating-point numbers."""

from __future__ import annotations

import math
import re
import struct
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_EVEN, Context, Decimal
from typing import Any

from replicator.targets.sql.conversion import Conversion, Converter, Unfit
from replicator.targets.sql.values.characters import text_check
from replicator.targets.sql.values.holding import (
    Bits,
    Booleans,
    Decimals,
    Documents,
    Floats,
    Holding,
    Integers,
    Texts,
)
from replicator.targets.sql.values.outcome import EXACT, after, converted, exact, refused
from triggers.model import Column, Kind

_DIGITS = Context(prec=200_000, Emax=MAX_EMAX, Emin=MIN_EMIN, rounding=ROUND_HALF_EVEN)
_NONFINITE = ("NaN", "Infinity", "-Infinity")
_SURE_DIGITS = {4: 6, 8: 15}  # decimals of so many digits survive the way through binary
_LOOKS_NUMERIC = re.compile(
    r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?\s*|-?Infinity", re.IGNORECASE
)
_WHOLE_BITS = {4: 24, 8: 53}


def from_integer(column: Column, holding: Holding) -> Conversion:
    """INTEGER, and BIT where it is a number."""
    low, high = integer_bounds(column)
    match holding:
        case Integers():
            if holding.first <= low and high <= holding.last:
                return EXACT
            limits = f"below {holding.first} or above {holding.last}"
            return exact(_within(holding), limits)
        case Decimals():
            if len(str(max(-low, high))) <= holding.whole and holding.scale >= 0:
                return EXACT
            return exact(_decimal_check(holding), f"more than {_digits(holding)}")
        case Floats():
            sure = 1 << _WHOLE_BITS[holding.size]
            limits = "" if -sure <= low and high <= sure else "integers that a float rounds"
            return exact(_float_check(holding), limits)
        case Booleans():
            return converted("0 is false, 1 is true", _truth, "all but 0 and 1")
        case Texts():
            text = text_check(holding, longest=len(str(-high)))
            return converted("as decimal digits", after(str, text))
        case Bits():
            return _bits(column, holding, high)
        case Documents():
            return converted("as a JSON number", plain_text)
        case _:
            return refused()


def from_decimal(column: Column, holding: Holding) -> Conversion:
    """DECIMAL."""
    digits = None if column.precision is None else (column.precision, column.scale or 0)
    match holding:
        case Integers():
            return exact(
                _whole(holding), f"fractions, below {holding.first} or above {holding.last}"
            )
        case Decimals():
            nan = _may_be_nan(column) and not holding.nan
            if not _holds_all(holding, digits):
                return exact(_decimal_check(holding), f"more than {_digits(holding)}")
            return exact(_decimal_check(holding), "NaN") if nan else EXACT
        case Floats():
            sure = _SURE_DIGITS[holding.size]
            limits = [] if digits and digits[0] <= sure else ["decimals that it does not keep"]
            limits += _nonfinite(column, holding, limited=digits is not None)
            note = f"as the nearest float, up to {sure} digits"
            return converted(note, _float_of_decimal(holding), ", ".join(limits))
        case Texts():
            return converted("as decimal digits", after(plain_text, text_check(holding)))
        case Documents():
            return converted("as a JSON number", _json_number)
        case _:
            return refused()


def from_float(column: Column, holding: Holding) -> Conversion:
    """FLOAT."""
    single = column.precision == 4
    match holding:
        case Floats(size=8, scale=None) if single:
            return exact(_float_check(holding), ", ".join(_nonfinite(column, holding)))
        case Floats(size=8, scale=None) if not holding.bound:
            return EXACT
        case Floats(size=4) if single and not holding.bound:
            return EXACT
        case Floats():
            rounds = holding.scale is not None or (holding.size == 4 and not single)
            limits = ["numbers that it would round"] if rounds else []
            limits += _nonfinite(column, holding)
            return exact(_float_check(holding), ", ".join(limits))
        case Decimals():
            note = "as the shortest decimal that reads back as the same number"
            convert = after(shortest_decimal, _decimal_check(holding))
            return converted(note, convert, f"more than {_digits(holding)}")
        case Integers():
            return exact(
                after(shortest_decimal, _whole(holding)),
                f"fractions, below {holding.first} or above {holding.last}",
            )
        case Texts():
            return converted("as decimal digits", after(float_text, text_check(holding, 25)))
        case Documents():
            return converted("as a JSON number", _json_number)
        case _:
            return refused()


def from_boolean(_column: Column, holding: Holding) -> Conversion:
    """BOOLEAN."""
    match holding:
        case Booleans():
            return EXACT
        case Integers() | Decimals() | Floats():
            return converted("false is 0, true is 1", int)
        case Bits(digits=False):
            return converted("false is 0, true is 1", int)
        case Bits(width=1 | None):
            return converted("false is 0, true is 1", lambda value: "1" if value else "0")
        case Texts():
            note = "as `true` and `false`"
            return converted(note, after(truth_text, text_check(holding, longest=5)))
        case Documents():
            return converted("as `true` and `false`", truth_text)
        case _:
            return refused()


def integer_bounds(column: Column) -> tuple[int, int]:
    """The least and the greatest value of an integer or bit column."""
    if column.kind is Kind.BIT:
        return 0, (1 << bit_width(column.native)) - 1
    if column.native.lower().startswith("year"):
        return 0, 2155
    bits = 8 * (column.precision or 8)
    return (0, (1 << bits) - 1) if column.unsigned else (-(1 << bits - 1), (1 << bits - 1) - 1)


def bit_width(native: str) -> int:
    """The width of `bit(8)`; 1 when it has none."""
    digits = native.partition("(")[2].rstrip(")")
    return int(digits) if digits.isdigit() else 1


def looks_numeric(text: str) -> bool:
    """Whether a column of SQLite with a number's affinity would make a number of a text."""
    return _LOOKS_NUMERIC.fullmatch(text) is not None


def plain_text(value: Any) -> str:
    """The digits of a number, without exponent."""
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def truth_text(value: Any) -> str:
    """`true` or `false`."""
    return "true" if value else "false"


def float_text(value: Any) -> str:
    """The shortest text that reads back as the same double."""
    return value if value in _NONFINITE else repr(float(value))


def shortest_decimal(value: Any) -> Any:
    """The decimal with the fewest digits that reads back as the same double."""
    return value if value in _NONFINITE else Decimal(repr(float(value)))


def single(value: float) -> float:
    """Round to 4-byte floating point; infinite where that is too small."""
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


def _within(holding: Integers) -> Converter:
    first, last, zero_too = holding.first, holding.last, holding.zero_too

    def check(value: Any) -> Any:
        if first <= value <= last or (zero_too and value == 0):
            return value
        raise Unfit("the number is out of range", min(max(value, first), last))

    return check


def _whole(holding: Integers) -> Converter:
    within = _within(holding)

    def check(value: Any) -> Any:
        if value in _NONFINITE:
            nearest = {"Infinity": holding.last, "-Infinity": holding.first}.get(value)
            raise Unfit("an integer is never infinite or NaN", nearest)
        number = Decimal(value)
        if number.adjusted() > 40:
            raise Unfit("the number is out of range", holding.last if number > 0 else holding.first)
        rounded = int(number.to_integral_value(ROUND_HALF_EVEN))
        if rounded != number:
            nearest = min(max(rounded, holding.first), holding.last)
            raise Unfit("the number has a fraction", nearest)
        return within(rounded)

    return check


def _holds_all(holding: Decimals, digits: tuple[int, int] | None) -> bool:
    if digits is None:
        return holding.infinity  # a type without limits
    precision, scale = digits
    return scale <= holding.scale and precision - scale <= holding.whole


def _digits(holding: Decimals) -> str:
    if holding.infinity:
        return f"{holding.whole} digits before or {holding.scale} after the point"
    excluded = "infinity" if holding.nan else "NaN, infinity"
    return f"{holding.whole} digits before or {holding.scale} after the point, {excluded}"


def _decimal_check(holding: Decimals) -> Converter:
    whole, scale = holding.whole, holding.scale

    def largest() -> Decimal:
        return Decimal((0, (9,) * holding.digits, -scale))

    def check(value: Any) -> Any:
        if value in _NONFINITE:
            return nonfinite(value)
        number = value if isinstance(value, Decimal) else Decimal(value)
        exponent = number.as_tuple().exponent
        if number and number.adjusted() >= whole:
            raise Unfit("the number has too many digits", largest().copy_sign(number))
        if isinstance(exponent, int) and -exponent > scale and number:
            exponent = _DIGITS.normalize(number).as_tuple().exponent
            if isinstance(exponent, int) and -exponent > scale:
                nearest = _DIGITS.quantize(number, Decimal((0, (1,), -scale)))
                if nearest and nearest.adjusted() >= whole:
                    nearest = largest().copy_sign(number)
                raise Unfit("the number has too many digits after the point", nearest)
        return value

    def nonfinite(value: str) -> str:
        if value == "NaN":
            if holding.nan:
                return value
            raise Unfit("the column has no NaN")
        if holding.infinity:
            return value
        sign = Decimal(-1) if value.startswith("-") else Decimal(1)
        raise Unfit("the column has no infinity", largest().copy_sign(sign))

    return check


def _may_be_nan(column: Column) -> bool:
    return column.engine not in ("mysql", "sqlite") and column.base != "money"


def _nonfinite(column: Column, holding: Floats, *, limited: bool = False) -> list[str]:
    """What the source has and the target has not; a `limited` decimal is never infinite."""
    nan = _may_be_nan(column) and not holding.nan
    infinity = column.engine != "mysql" and not limited and not holding.infinity
    return ["NaN"] * nan + ["infinity"] * infinity


def _float_check(holding: Floats) -> Converter:
    size, scale = holding.size, holding.scale
    largest = 3.4028234663852886e38 if size == 4 else 1.7976931348623157e308

    def check(value: Any) -> Any:
        number = float(value)
        if not math.isfinite(number):
            return nonfinite(value, number)
        if size == 4 and (held := single(number)) != number:
            nearest = held if math.isfinite(held) else math.copysign(largest, number)
            raise Unfit("a 4-byte float does not hold the number", nearest)
        if isinstance(value, int) and int(number) != value:
            raise Unfit("a float does not hold all digits of the number", number)
        if scale is not None and round(number, scale) != number:
            raise Unfit("the number has too many digits after the point", round(number, scale))
        return number

    def nonfinite(value: Any, number: float) -> Any:
        if value not in _NONFINITE:
            raise Unfit("a float does not hold the number", math.copysign(largest, number))
        if value == "NaN" and not holding.nan:
            raise Unfit("the column has no NaN")
        if value != "NaN" and not holding.infinity:
            raise Unfit("the column has no infinity", math.copysign(largest, number))
        return number

    return check


def _float_of_decimal(holding: Floats) -> Converter:
    fits = _float_check(Floats(8, holding.nan, holding.infinity, holding.scale))
    sure = _SURE_DIGITS[holding.size]

    def check(value: Any) -> Any:
        if value in _NONFINITE:
            return fits(value)
        exact_value = Decimal(value)
        number = fits(exact_value)
        if holding.size == 4:
            number = single(number)
        if math.isfinite(number) and (
            Decimal(number) == exact_value
            or (
                len(_DIGITS.normalize(exact_value).as_tuple().digits) <= sure
                and Decimal(f"{number:.{sure}g}") == exact_value
            )
        ):
            return number
        raise Unfit("a float does not hold all digits of the number", number)

    return check


def _json_number(value: Any) -> str:
    if value in _NONFINITE:
        raise Unfit("JSON has no NaN and no infinity")
    return plain_text(value)


def _truth(value: Any) -> bool:
    if value in (0, 1):
        return bool(value)
    raise Unfit("neither 0 nor 1", nearest=True)


def _bits(column: Column, holding: Bits, high: int) -> Conversion:
    width = holding.width
    most = high if width is None else (1 << width) - 1

    def check(value: Any) -> Any:
        if not 0 <= value <= most:
            raise Unfit("the number has more bits than the column", min(max(value, 0), most))
        if not holding.digits:
            return value
        return format(value, f"0{bit_width(column.native) if holding.varying else width}b")

    provable = column.kind is Kind.BIT and high <= most
    limits = "" if provable else f"below 0 or above {most}"
    if not holding.digits:
        convert = None if provable else check
        return (
            exact(convert, limits)
            if column.kind is Kind.BIT
            else converted("as bits", convert, limits)
        )
    return converted("as binary digits", check, limits)
