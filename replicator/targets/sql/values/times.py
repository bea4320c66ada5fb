"""Dates, times, timestamps and intervals."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from replicator.targets.sql.conversion import Conversion, Converter, Unfit
from replicator.targets.sql.values.characters import text_check
from replicator.targets.sql.values.holding import Dates, Holding, Own, Texts, Times, Timestamps
from replicator.targets.sql.values.outcome import EXACT, after, converted, exact, refused
from triggers.model import Column, Kind

_ORDINARY = re.compile(r"(?!0000)\d{4}-(?!00)\d\d-(?!00)\d\d(?:[T ].*)?(?<! BC)", re.DOTALL)
_ZERO = re.compile(r"\d{4}-\d\d-\d\d(?:[T ][\d:.]+)?")
_TIME = re.compile(r"(-?)(\d+):(\d\d):(\d\d)(\.\d+)?")
_PRECISION = re.compile(r"\((\d)\)")

_NO_ZERO = "zero dates"
_NO_WIDE = "infinity, years BC or above 9999"
_EPOCH = ("1970-01-01 00:00:01", "2106-02-07 06:28:15")


def from_date(column: Column, holding: Holding) -> Conversion:
    """DATE."""
    check, limits = _calendar(column, holding)
    match holding:
        case Dates():
            return exact(check, limits)
        case Timestamps(zoned=False):
            return converted("at midnight", check, limits)
        case Texts():
            return _as_text(holding)
        case _:
            return refused()


def from_timestamp(column: Column, holding: Holding) -> Conversion:
    """TIMESTAMP: without zone."""
    match holding:
        case Timestamps(zoned=False):
            return _timestamp(column, holding, "")
        case Timestamps():
            return refused("a time without zone could be taken for another one")
        case Texts():
            return _as_text(holding)
        case _:
            return refused()


def from_timestamptz(column: Column, holding: Holding) -> Conversion:
    """TIMESTAMPTZ: in UTC."""
    match holding:
        case Timestamps(wide=True, zoned=True):
            return _timestamp(column, holding, "")
        case Timestamps(wide=True):
            return _timestamp(column, holding, "in UTC", _without_offset)
        case Timestamps():
            note = "" if holding.zoned and column.engine == "mysql" else "in UTC"
            return _timestamp(column, holding, note, _without_offset)
        case Texts():
            return _as_text(holding)
        case _:
            return refused()


def from_time(column: Column, holding: Holding) -> Conversion:
    """TIME."""
    match holding:
        case Times():
            rounds = fraction_digits(column) > holding.digits
            outside = column.engine == "mysql" and not holding.long
            limits = []
            if outside:
                limits.append("below 00:00:00 or above 24:00:00")
            if rounds:
                limits.append(f"more than {holding.digits} digits of seconds")
            check = _time_check(holding, rounds=rounds) if limits else None
            return exact(check, ", ".join(limits))
        case Own(type="interval"):
            return exact()
        case Texts():
            return _as_text(holding)
        case _:
            return refused()


def from_timetz(column: Column, holding: Holding) -> Conversion:
    """TIMETZ."""
    match holding:
        case Own() if _same_digits(column, holding.type):
            return EXACT
        case Texts():
            return _as_text(holding)
        case _:
            return refused()


def from_interval(_column: Column, holding: Holding) -> Conversion:
    """INTERVAL."""
    match holding:
        case Own(type="interval"):
            return EXACT
        case Texts():
            return _as_text(holding)
        case _:
            return refused()


def fraction_digits(column: Column) -> int:
    """How many digits the seconds of a column's values have at most."""
    if column.engine == "mysql":
        return column.precision or 0
    found = _PRECISION.search(column.native)
    return int(found[1]) if found else 6


def _as_text(holding: Texts) -> Conversion:
    return converted("as text", text_check(holding, longest=80))


def _same_digits(column: Column, type_: str) -> bool:
    if not re.fullmatch(r"timetz(\(\d\))?|time(\(\d\))? with time zone", type_):
        return False
    found = _PRECISION.search(type_)
    return fraction_digits(column) <= (int(found[1]) if found else 6)


def _calendar(column: Column, holding: Holding) -> tuple[Converter | None, str]:
    """Refuse the dates that one engine has and the other one has not."""
    if isinstance(holding, Dates | Timestamps):
        if holding.wide and column.engine != "postgresql":
            return _no_zero_date, _NO_ZERO
        if not holding.wide and column.engine != "mysql":
            return _within_years(holding), _NO_WIDE
    return None, ""


def _timestamp(
    column: Column, holding: Timestamps, note: str, spell: Converter | None = None
) -> Conversion:
    check, limits = _calendar(column, holding)
    listed = [limits] if limits else []
    if fraction_digits(column) > holding.digits:
        check = after(check, _fraction_check(holding.digits))
        listed.append(f"more than {holding.digits} digits of seconds")
    if holding.epoch and not (column.engine == "mysql" and column.kind is Kind.TIMESTAMPTZ):
        check = after(check, _epoch_check)
        listed.append("before 1970 or after 2038")
    whole = after(check, spell)
    text = ", ".join(listed)
    return converted(note, whole, text) if note else exact(whole, text)


def _no_zero_date(value: Any) -> Any:
    if _ORDINARY.fullmatch(value) is None and _ZERO.match(value) is not None:
        raise Unfit("a date with a zero in it")
    return value


def _within_years(holding: Dates | Timestamps) -> Converter:
    time = "" if isinstance(holding, Dates) else " 23:59:59"
    first = "0001-01-01" + (" 00:00:00" if time else "")
    last = "9999-12-31" + time

    def check(value: Any) -> Any:
        if _ORDINARY.fullmatch(value) is None:
            early = value.startswith("-") or value.endswith("BC")
            raise Unfit("a date outside of the years 1 to 9999", first if early else last)
        return value

    return check


def _without_offset(value: Any) -> str:
    return str(value).removesuffix("+00:00")


def _fraction_check(digits: int) -> Converter:
    def check(value: Any) -> Any:
        head, point, tail = value.partition(".")
        match_ = re.match(r"\d+", tail)
        fraction = match_[0] if match_ else ""
        if not point or not fraction[digits:].strip("0"):
            return value
        rest = tail[len(fraction) :]
        raise Unfit(
            f"the column keeps {digits} digits of seconds", _rounded(head, fraction, digits, rest)
        )

    return check


def _rounded(head: str, fraction: str, digits: int, rest: str) -> str | None:
    try:
        moment = datetime.fromisoformat(head)
        micros = round(int(fraction.ljust(6, "0")), digits - 6)
        text = str(moment + timedelta(microseconds=micros))
    except (ValueError, OverflowError):
        return None
    return text + rest


def _epoch_check(value: Any) -> Any:
    text = value[:19].replace("T", " ")
    if text.startswith("0000-00-00") or _EPOCH[0] <= text <= _EPOCH[1]:
        return value
    raise Unfit(
        "the column begins in 1970 and ends in 2038",
        _EPOCH[0] if text < _EPOCH[0] else "2038-01-19 03:14:07",
    )


def _time_check(holding: Times, *, rounds: bool) -> Converter:
    digits = holding.digits

    def rounded(found: re.Match[str]) -> str:
        sign, hours, minutes, seconds, fraction = found.groups()
        micros = round(int((fraction or ".")[1:].ljust(6, "0")), digits - 6)
        whole = (int(hours) * 60 + int(minutes)) * 60 + int(seconds) + micros // 1_000_000
        tail = f".{micros % 1_000_000:06d}"[: 1 + digits] if digits else ""
        return f"{sign}{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}{tail}"

    def check(value: Any) -> Any:
        found = _TIME.fullmatch(value)
        if found is None:
            raise Unfit("not a time")
        sign, hours, minutes, seconds, fraction = found.groups()
        if not holding.long:
            whole = (int(hours), int(minutes), int(seconds), float(fraction or 0))
            if sign and any(whole):
                raise Unfit("the time is negative", "00:00:00")
            if whole > (24, 0, 0, 0.0):
                raise Unfit("the time is longer than a day", "24:00:00")
        if rounds and fraction and fraction[1 + digits :].strip("0"):
            raise Unfit(f"the column keeps {digits} digits of seconds", rounded(found))
        return value

    return check
