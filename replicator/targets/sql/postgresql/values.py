"""What PostgreSQL's columns hold, and how values are written: mostly as the text its types read."""

from __future__ import annotations

import re
from typing import Any

from replicator.targets.sql.conversion import Conversion
from replicator.targets.sql.dialect import TargetColumn
from replicator.targets.sql.values import choose
from replicator.targets.sql.values.arrays import array_literal, json_text
from replicator.targets.sql.values.holding import (
    Arrays,
    Binary,
    Bits,
    Booleans,
    Dates,
    Decimals,
    Documents,
    Floats,
    Holding,
    Integers,
    Members,
    Own,
    Texts,
    Times,
    Timestamps,
    Uuids,
)
from replicator.targets.sql.values.outcome import EXACT, exact
from triggers.model import Column, Kind

_PLAIN: dict[str, Holding] = {
    "smallint": Integers(-(1 << 15), (1 << 15) - 1),
    "integer": Integers(-(1 << 31), (1 << 31) - 1),
    "bigint": Integers(-(1 << 63), (1 << 63) - 1),
    "oid": Integers(0, (1 << 32) - 1),
    "numeric": Decimals(131_072 + 16_383, 16_383, nan=True, infinity=True),
    "money": Decimals(19, 2),
    "real": Floats(4, nan=True, infinity=True, bound=False),
    "double precision": Floats(8, nan=True, infinity=True, bound=False),
    "boolean": Booleans(),
    "text": Texts(nul=False),
    "citext": Texts(nul=False),
    "character varying": Texts(nul=False),
    "name": Texts(nul=False, size=63),
    "bytea": Binary(written=True),
    "date": Dates(wide=True),
    "json": Documents("text"),
    "jsonb": Documents("jsonb"),
    "uuid": Uuids(),
}
_SIZED = re.compile(r"([a-z ]+?)(?:\((\d+)(?:,(-?\d+))?\))?( with(?:out)? time zone)?")


def conversion(column: Column, target: TargetColumn) -> Conversion:
    """How values of a source column become values of a column."""
    held = holding(target)
    if column.engine == "postgresql" and not target.members and _is_same(column, target, held):
        return exact(array_literal) if column.kind is Kind.ARRAY else EXACT
    return choose(column, held)


def _is_same(column: Column, target: TargetColumn, held: Holding) -> bool:
    if column.native.lower() == target.type:
        return True
    if isinstance(held, Bits):  # the server refuses strings that are too long
        return held.varying and column.base in ("bit", "varbit")
    return column.kind is Kind.OTHER and column.base == target.type


def holding(target: TargetColumn) -> Holding:
    """What a column can hold."""
    if target.members:
        return Members(frozenset(target.members))
    if target.type.endswith("[]"):
        return Arrays(target.type.rstrip("[]"))
    if target.type in _PLAIN:
        return _PLAIN[target.type]
    sized = _SIZED.fullmatch(target.type)
    return Own(target.type) if sized is None else _sized(target.type, *sized.groups())


def text_of(value: Any) -> str | None:
    """The text that a column's type reads, whatever that type is."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool | list | dict):
        return json_text(value)
    return str(value)


def _sized(type_: str, name: str, first: str | None, second: str | None, zone: str) -> Holding:
    size = None if first is None else int(first)
    match name:
        case "numeric" if size is not None:
            return Decimals(size, int(second or 0), nan=True)
        case "character varying" | "varchar":
            return Texts(nul=False, characters=size)
        case "character" | "char":
            return Texts(nul=False, characters=size or 1, trims=True)
        case "bit" | "bit varying":
            varying = name != "bit"
            return Bits(size if varying else size or 1, digits=True, varying=varying)
        case "time" if zone != " with time zone":
            return Times(6 if size is None else size, long=False)
        case "timestamp" | "timestamptz":
            zoned = name == "timestamptz" or zone == " with time zone"
            return Timestamps(6 if size is None else size, zoned=zoned, wide=True)
        case _:
            return Own(type_)
