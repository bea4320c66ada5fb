"""What the columns of SQLite hold: any value, which the column's affinity may change."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any, Literal

from replicator.targets.sql.conversion import Conversion, Converter, Fit, Unfit
from replicator.targets.sql.dialect import TargetColumn
from replicator.targets.sql.values.arrays import json_text
from replicator.targets.sql.values.binary import bytes_of
from replicator.targets.sql.values.holding import Binary, Floats, Holding, Integers, Own, Texts
from replicator.targets.sql.values.loose import own_text
from replicator.targets.sql.values.numbers import (
    from_boolean,
    from_decimal,
    from_float,
    from_integer,
    looks_numeric,
)
from replicator.targets.sql.values.outcome import converted, exact, refused
from triggers.model import Column, Kind

Affinity = Literal["integer", "numeric", "real", "text", "none"]

_INTEGERS = Integers(-(1 << 63), (1 << 63) - 1)
_FLOATS = Floats(8, infinity=True)
_PLAIN_TEXT = {Kind.TEXT, Kind.ENUM, Kind.JSON}


def conversion(column: Column, target: TargetColumn) -> Conversion:
    """How values of a source column become values of a column."""
    affinity = affinity_of(target)
    if column.engine == "sqlite":
        return _any_class(column, target, affinity)
    if column.kind in _NUMBERS:
        return _number(column, affinity)
    if column.kind is Kind.BYTES:
        if target.strict and affinity != "none":
            return refused("a STRICT column of this type takes no bytes")
        return exact(bytes_of)
    return _text(column, target, affinity)


def holding(target: TargetColumn) -> Holding:
    """What a column is for; it can hold values of other classes, too."""
    match affinity_of(target):
        case "integer":
            return _INTEGERS
        case "real":
            return _FLOATS
        case "text":
            return Texts()
        case "none":
            return Binary()
        case "numeric":
            return Own(target.type)


def affinity_of(target: TargetColumn) -> Affinity:
    """What SQLite makes of a declared type."""
    declared = target.type.lower()
    if "int" in declared:
        return "integer"
    if any(part in declared for part in ("char", "clob", "text")):
        return "text"
    if not declared or "blob" in declared or (target.strict and declared == "any"):
        return "none"
    if any(part in declared for part in ("real", "floa", "doub")):
        return "real"
    return "numeric"


_NUMBERS = {Kind.INTEGER, Kind.BIT, Kind.DECIMAL, Kind.FLOAT, Kind.BOOLEAN}


def _number(column: Column, affinity: Affinity) -> Conversion:
    match column.kind:
        case Kind.BOOLEAN:
            return from_boolean(column, Texts() if affinity == "text" else _INTEGERS)
        case Kind.INTEGER | Kind.BIT:
            numbers: Holding = _FLOATS if affinity == "real" else _INTEGERS
            holding = Texts() if affinity == "text" else numbers
            return from_integer(column, holding)
        case Kind.FLOAT if affinity != "text":
            return from_float(column, _FLOATS)
        case Kind.FLOAT:
            return from_float(column, Texts())
        case _ if affinity in ("text", "none"):
            return from_decimal(column, Texts())
        case _:
            return _decimal(column, affinity)


def _decimal(column: Column, affinity: Affinity) -> Conversion:
    through_float = from_decimal(column, _FLOATS)
    convert = through_float.convert
    assert convert is not None
    if affinity == "real":
        return through_float

    def whole_or_float(value: Any) -> Any:
        if (
            isinstance(value, Decimal)
            and value.adjusted() < 19
            and value == value.to_integral_value()
        ):
            value = int(value)
        if isinstance(value, int) and _INTEGERS.first <= value <= _INTEGERS.last:
            return value
        return convert(value)

    return replace(through_float, convert=whole_or_float)


def _text(column: Column, target: TargetColumn, affinity: Affinity) -> Conversion:
    spell: Converter | None = json_text if column.kind is Kind.ARRAY else None
    note = "" if column.kind in _PLAIN_TEXT else "as text"
    if column.kind is Kind.ARRAY:
        note = "as a JSON array"
    if affinity not in ("text", "none"):
        if target.strict:
            return refused("a STRICT column of this type takes no text")
        if column.kind in (Kind.TEXT, Kind.ENUM, Kind.OTHER, Kind.GEOMETRY):
            return Conversion(
                Fit.CONVERTED if note else Fit.EXACT,
                note,
                "text that looks like a number",
                _no_number,
            )
    return converted(note, spell) if note else exact(spell)


def _no_number(value: Any) -> Any:
    if looks_numeric(value):
        raise Unfit("the column would make a number of this text")
    return value


def _any_class(column: Column, target: TargetColumn, affinity: Affinity) -> Conversion:
    """From SQLite: every storage class as itself, as far as the affinity leaves it alone."""
    integer = _number(replace(column, kind=Kind.INTEGER, precision=8, unsigned=False), affinity)
    real = _number(replace(column, kind=Kind.FLOAT, precision=8), affinity)
    source = affinity_of(TargetColumn(column.name, column.native))
    ambiguous = affinity == "text" and source == "none"
    numeric = affinity not in ("text", "none")

    def convert(value: Any) -> Any:
        if isinstance(value, str):
            return of_text(value)
        if target.strict and affinity == "text":
            raise Unfit("a STRICT column of this type takes no number")
        chosen = (real if isinstance(value, Decimal) else integer).convert
        return value if chosen is None else chosen(value)

    def of_text(value: str) -> Any:
        if value.startswith("\\x"):
            if target.strict and affinity != "none":
                raise Unfit("a STRICT column of this type takes no bytes")
            return bytes_of(value)
        if value in ("Infinity", "-Infinity"):
            return value if affinity == "text" else float(value)
        value = own_text(value)
        if (numeric or ambiguous) and looks_numeric(value):
            raise Unfit("a text that would be taken for a number")
        if target.strict and numeric:
            raise Unfit("a STRICT column of this type takes no text")
        return value

    if affinity == source or affinity == "none":
        limits = ""
    elif ambiguous:
        limits = "text that looks like a number"
    else:
        limits = "values of another storage class"
    return exact(convert, limits)
