"""Values of SQLite, whose columns hold values of any storage class, whatever they declare."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

from replicator.targets.sql.conversion import Conversion, Converter, Fit, Unfit
from replicator.targets.sql.values.binary import from_bytes, from_uuid
from replicator.targets.sql.values.holding import Holding, Integers, Texts
from replicator.targets.sql.values.numbers import (
    from_decimal,
    from_float,
    from_integer,
    looks_numeric,
)
from replicator.targets.sql.values.texts import from_text
from replicator.targets.sql.values.times import from_date, from_time, from_timestamp
from triggers.model import Column, Kind

_DATE = r"\d{4}-\d\d-\d\d"
_TIME = r"\d\d:\d\d(:\d\d(\.\d{1,6})?)?"
_FORMS = {
    Kind.DATE: re.compile(_DATE),
    Kind.TIME: re.compile(_TIME),
    Kind.TIMESTAMP: re.compile(f"{_DATE}([T ]{_TIME})?"),
    Kind.UUID: re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
}
_ANY_CLASS = (Kind.DYNAMIC, Kind.BYTES)
"""In columns of these kinds every class is as likely, as text too: there, it is the text that is
refused where it looks like another class; in others, a blob."""

_INFINITE = ("Infinity", "-Infinity")


def own_text(value: str) -> str:
    """A text without the backslash that keeps it apart from bytes and infinities."""
    return value[1:] if value.startswith("\\") else value


def from_any(column: Column, holding: Holding) -> Conversion:
    """A column of SQLite: each value by its storage class, text by what the column declares."""
    anything = replace(column, length=None, precision=8, scale=None)
    integer = from_integer(replace(anything, kind=Kind.INTEGER, unsigned=False), holding)
    real = _real(anything, holding)
    blob = from_bytes(replace(anything, kind=Kind.BYTES), holding)
    text = _text(anything, holding)
    main = {
        Kind.INTEGER: integer,
        Kind.FLOAT: real,
        Kind.DECIMAL: real,
        Kind.BYTES: blob,
    }.get(column.kind, text)
    classes = {"integers": integer, "reals": real, "blobs": blob, "text": text}
    if column.kind is Kind.DYNAMIC:
        main = next((one for one in classes.values() if one.fit is not Fit.REFUSED), main)
    if main.fit is Fit.REFUSED:
        return main
    lost = [name for name, one in classes.items() if one.fit is Fit.REFUSED]
    limits = [main.limits] if main.limits else []
    limits += lost
    note = main.note
    fit = main.fit
    if isinstance(holding, Texts) and column.kind not in _ANY_CLASS:
        limits.append("blobs")
    elif isinstance(holding, Texts):
        fit = Fit.CONVERTED
        note = "numbers as digits, bytes as `\\x` and hexadecimal digits"
        limits.append("text that looks like one of these")
    return Conversion(
        fit,
        note,
        ", ".join(dict.fromkeys(limits)),
        _by_class(integer, real, blob, text, column, holding),
    )


def _real(column: Column, holding: Holding) -> Conversion:
    if column.kind is Kind.DECIMAL and not isinstance(holding, Integers | Texts):
        return from_decimal(replace(column, precision=None), holding)
    return from_float(replace(column, kind=Kind.FLOAT), holding)


def _text(column: Column, holding: Holding) -> Conversion:
    match column.kind:
        case Kind.DATE:
            return from_date(column, holding)
        case Kind.TIME:
            return from_time(column, holding)
        case Kind.TIMESTAMP:
            return from_timestamp(column, holding)
        case Kind.UUID if not isinstance(holding, Texts):
            return from_uuid(column, holding)
        case _:
            return from_text(replace(column, kind=Kind.TEXT), holding)


def _by_class(
    integer: Conversion,
    real: Conversion,
    blob: Conversion,
    text: Conversion,
    column: Column,
    holding: Holding,
) -> Converter:
    form = None if isinstance(holding, Texts) else _FORMS.get(column.kind)
    textual = isinstance(holding, Texts)
    ambiguous = textual and column.kind in _ANY_CLASS

    def convert(value: Any) -> Any:
        if isinstance(value, str):
            if value.startswith("\\x"):
                if textual and not ambiguous:
                    raise Unfit("bytes that would be taken for a text")
                chosen = blob
            elif value in _INFINITE:
                chosen = real
            else:
                value = own_text(value)
                if ambiguous and looks_numeric(value):
                    raise Unfit("a text that would be taken for a number")
                if ambiguous and value.startswith("\\x"):
                    raise Unfit("a text that would be taken for bytes")
                if form is not None and form.fullmatch(value) is None:
                    raise Unfit("a text in a form that the column does not keep")
                chosen = text
        else:
            chosen = real if isinstance(value, Decimal) else integer
        return value if chosen.convert is None else chosen.convert(value)

    return convert
