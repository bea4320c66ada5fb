"""When a value of the source and one of the target are the same."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

from tests.types.columns import Meaning
from tests.types.reading import Bits, Stored


def same_value(
    meaning: Meaning, source: Stored, target: Stored, *, signed_zero: bool = True
) -> bool:
    """Whether the target holds the source's value, in the same form or in a documented other.

    `signed_zero`: both engines know -0.0.
    """
    if source is None or target is None:
        return source is target
    if not signed_zero and isinstance(source, float) and source == 0:
        source = 0.0
    if meaning == "dynamic":
        return _same_dynamic(source, target)
    read = _READ[meaning]
    try:
        return read(source) == read(target)
    except (ValueError, ArithmeticError):
        return False


def _same_dynamic(source: Stored, target: Stored) -> bool:
    """By the source's storage class. What has no type of its own in the target is there as text."""
    match source:
        case float():
            return isinstance(target, float | str) and _float(source) == _float(target)
        case int():
            if isinstance(
                target, float
            ):  # a column of doubles; int() shows whether it has all digits
                return target.is_integer() and int(target) == source
            return not isinstance(target, bytes) and str(source) == str(target)
        case bytes():
            return target == (source if isinstance(target, bytes) else f"\\x{source.hex()}")
        case _:
            return source == target or _moment(source) == _moment(str(target))


def _text(value: Stored) -> object:
    if not isinstance(value, str):
        raise ValueError("not a text")  # noqa: TRY004
    return value


def _number(value: Stored) -> object:
    if isinstance(value, bytes):
        raise ValueError("not a number")  # noqa: TRY004
    number = Decimal(str(value))
    return "NaN" if number.is_nan() else number


def _float(value: Stored) -> object:
    if value is None or isinstance(value, bytes):
        raise ValueError("not a number")
    number = float(value)
    return "NaN" if number != number else struct.pack(">d", number)


def _boolean(value: Stored) -> object:
    return {"t": True, "true": True, "1": True, "f": False, "false": False, "0": False}[str(value)]


def _bytes(value: Stored) -> object:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str) or not value.startswith("\\x"):
        raise ValueError("neither bytes nor \\x and hex")
    return bytes.fromhex(value[2:])


def _geometry(value: Stored) -> object:
    return value if isinstance(value, bytes) else bytes.fromhex(str(value).removeprefix("\\x"))


_MOMENT = re.compile(r"(\d+-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(\.\d{1,6})?(?:\+00(?::00)?|Z)?( BC)?")


def _moment(value: Stored) -> object:
    text = str(value)
    found = _MOMENT.fullmatch(text)
    if found is None:
        return text
    day, time, fraction, era = found.groups()
    return day, time, (fraction or ".").ljust(7, "0"), era


_TIME = re.compile(r"(-?)(\d+):(\d\d):(\d\d)(\.\d{1,6})?([+-]\d\d(?::\d\d){0,2})?")


def _time(value: Stored) -> object:
    found = _TIME.fullmatch(str(value))
    if found is None:
        raise ValueError("not a time")
    sign, hours, minutes, seconds, fraction, zone = found.groups()
    micros = ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 1_000_000
    micros += int((fraction or ".")[1:].ljust(6, "0"))
    return -micros if sign else micros, None if zone is None else zone.removesuffix(":00")


def _uuid(value: Stored) -> object:
    return UUID(bytes=value) if isinstance(value, bytes) else UUID(str(value))


def _bits(value: Stored) -> object:
    return int(value, 2) if isinstance(value, Bits) else int(str(value))


def _json(value: Stored) -> object:
    text = _text(value)
    return _content(
        json.loads(str(text), parse_float=Decimal, parse_int=Decimal, object_pairs_hook=_Pairs)
    )


class _Pairs(list[tuple[str, Any]]):
    """The members of a JSON object, those of the same name too."""


def _content(value: Any) -> object:
    """A JSON value that equals another one when their contents do."""
    match value:
        case _Pairs():
            pairs = [(name, _content(item)) for name, item in value]
            return ("object", tuple(sorted(pairs, key=lambda pair: pair[0])))
        case list():
            return ("array", tuple(map(_content, value)))
        case _:
            return (type(value).__name__, value)


_BOUNDS = re.compile(r"((?:\[-?\d+:-?\d+\])+)=(?=\{)")
_ITEM = re.compile(r'"((?:[^"\\]|\\.)*)"|([^{},"]+)|([{},])', re.DOTALL)


def _array(value: Stored) -> object:
    """Bounds, when they are not the usual ones, and items: PostgreSQL's own text, or JSON."""
    text = str(_text(value))
    bounds = _BOUNDS.match(text)
    if bounds is None and not text.startswith("{"):
        decoded = json.loads(text, parse_float=str, parse_int=str)
        # JSON has no bounds: such an array is there as PostgreSQL's own text.
        return _array(decoded) if isinstance(decoded, str) else (None, _items(decoded))
    return bounds and bounds[1], _parsed(text[bounds.end() if bounds else 0 :])


def _items(value: Any) -> object:
    match value:
        case list():
            return tuple(map(_items, value))
        case None:
            return None
        case bool():
            return "t" if value else "f"
        case _:
            return _item(str(value))


def _parsed(text: str) -> object:
    """The items of `{a,"b",{c,NULL}}`."""
    levels: list[list[object]] = [[]]
    for quoted, bare, mark in (m.groups() for m in _ITEM.finditer(text)):
        if mark == "{":
            levels.append([])
        elif mark == "}":
            done = tuple(levels.pop())
            levels[-1].append(done)
        elif bare is not None:
            levels[-1].append(None if bare == "NULL" else _item(bare))
        elif mark is None:
            levels[-1].append(_item(re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL)))
    return levels[0][0]


def _item(text: str) -> object:
    try:
        return _number(text.removeprefix("$"))
    except ArithmeticError:
        return _moment(text)


_READ: dict[Meaning, Callable[[Stored], object]] = {
    "integer": _number,
    "decimal": _number,
    "float": _float,
    "boolean": _boolean,
    "text": _text,
    "padded text": lambda value: str(_text(value)).rstrip(" "),
    "bytes": _bytes,
    "date": _text,
    "time": _time,
    "timetz": _time,
    "timestamp": _moment,
    "timestamptz": _moment,
    "interval": _text,
    "document": _text,
    "json": _json,
    "uuid": _uuid,
    "bits": _bits,
    "bit string": _text,
    "array": _array,
    "geometry": _geometry,
}
