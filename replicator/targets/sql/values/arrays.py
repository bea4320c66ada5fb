"""PostgreSQL's arrays."""

from __future__ import annotations

from typing import Any

from replicator.change import encode
from replicator.targets.sql.conversion import Conversion
from replicator.targets.sql.values.characters import text_check
from replicator.targets.sql.values.holding import Arrays, Documents, Holding, Texts
from replicator.targets.sql.values.outcome import after, converted, exact, refused
from triggers.model import Column


def from_array(column: Column, holding: Holding) -> Conversion:
    """ARRAY: a JSON array, or the text of one with bounds of its own."""
    match holding:
        case Arrays() if _keeps_elements(column, holding.element):
            return exact(array_literal)
        case Arrays(element="text"):
            return converted("its elements as text", array_literal)
        case Documents():
            return converted("as a JSON array", json_text)
        case Texts():
            return converted("as a JSON array", after(json_text, text_check(holding)))
        case _:
            return refused()


def array_literal(value: Any) -> Any:
    """A JSON array as PostgreSQL writes arrays: `{1,NULL,"a b",{2}}`."""
    if not isinstance(value, list):
        return value
    return "{" + ",".join(map(_element, value)) + "}"


def json_text(value: Any) -> str:
    """A value as JSON text, decimals with all their digits."""
    return encode(value).decode()


PRINTED = {
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "float4": "real",
    "float8": "double precision",
    "bool": "boolean",
    "varchar": "character varying",
    "bpchar": "character",
    "varbit": "bit varying",
    "time": "time without time zone",
    "timetz": "time with time zone",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
}
"""PostgreSQL's names of types in its catalogue, as it prints them elsewhere."""

_WIDER = ("smallint", "integer", "bigint", "numeric")


def _keeps_elements(column: Column, element: str) -> bool:
    own = column.native.lower().rstrip("[]")
    base = PRINTED.get(column.base, column.base)
    if element in (own, base):
        return True
    if own in _WIDER and element in _WIDER:
        return _WIDER.index(own) <= _WIDER.index(element)
    return own.startswith("character varying") and element == "text"


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
