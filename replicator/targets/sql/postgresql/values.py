"""Wire values for PostgreSQL: nearly all of them are the text that its types read."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from replicator.targets.sql.dialect import Converter, Refused, TargetColumn
from triggers.model import Column, Kind

_NUMBERS = ("smallint", "integer", "bigint", "numeric", "real", "double precision")
_encode = msgspec.json.Encoder(decimal_format="number").encode


def converter(column: Column, target: TargetColumn) -> Converter | None:
    """How a kind becomes a value of the column's type; None where the wire text is the value."""
    array = target.type.endswith("[]")
    match column.kind:
        case Kind.BOOLEAN if target.type.startswith(_NUMBERS):
            return int
        case Kind.BOOLEAN if target.type != "boolean":
            return text_of
        case Kind.BIT if target.type.startswith("bit"):
            return _bits(target)
        case Kind.ARRAY:
            return array_literal if array else json_text
        case _:
            return None


def text_of(value: Any) -> str | None:
    """The text that a column's type reads, whatever that type is."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool | list | dict):
        return json_text(value)
    return str(value)


def array_literal(value: Any) -> Any:
    """A JSON array as PostgreSQL writes arrays: `{1,NULL,"a b",{2}}`."""
    if not isinstance(value, list):
        return value
    return "{" + ",".join(map(_element, value)) + "}"


def json_text(value: Any) -> str:
    """A value as JSON text, decimals with all their digits."""
    return _encode(value).decode()


def _element(value: Any) -> str:
    match value:
        case None:
            return "NULL"
        case list():
            return str(array_literal(value))
        case bool():
            return "t" if value else "f"
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case dict():
            return _element(json_text(value))
        case _:
            return str(value)


def _bits(target: TargetColumn) -> Callable[[Any], str]:
    width = re.search(r"\((\d+)\)", target.type)
    digits = int(width[1]) if width else 1
    padded = not target.type.startswith("bit varying")

    def convert(value: Any) -> str:
        if not isinstance(value, int):
            raise Refused(f"column {target.name}: not a number of bits")
        return format(value, f"0{digits}b" if padded else "b")

    return convert
