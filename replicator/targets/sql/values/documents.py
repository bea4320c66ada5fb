"""JSON documents."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Literal

from replicator.targets.sql.conversion import Conversion, Converter, Unfit
from replicator.targets.sql.values.characters import text_check
from replicator.targets.sql.values.holding import Documents, Holding, Texts
from replicator.targets.sql.values.outcome import EXACT, converted, exact, refused
from triggers.model import Column

Keeps = Literal["text", "jsonb", "mysql"]

_LIMITS: dict[Keeps, str] = {
    "text": "",
    "jsonb": "keys that come twice",
    "mysql": "keys that come twice, numbers that a double rounds",
}


def from_json(column: Column, holding: Holding) -> Conversion:
    """JSON."""
    match holding:
        case Documents(keeps="text"):
            return EXACT
        case Documents(keeps="jsonb") if column.native.lower() == "jsonb":
            return EXACT
        case Documents():
            note = "as a JSON document: its content, not its spacing"
            return converted(note, document_check(holding.keeps), _LIMITS[holding.keeps])
        case Texts():
            limits = "" if holding.size is None else f"more than {holding.size} bytes"
            return exact(text_check(holding), limits)
        case _:
            return refused()


def document_check(keeps: Keeps) -> Converter:
    """Refuse what is no JSON, and what the target's way of keeping it would change."""
    parse_float = _kept_by_double if keeps == "mysql" else Decimal
    parse_int = _kept_integer if keeps == "mysql" else _counted
    pairs = None if keeps == "text" else _single_keys

    def check(value: Any) -> Any:
        try:
            json.loads(
                value,
                object_pairs_hook=pairs,
                parse_float=parse_float,
                parse_int=parse_int,
                parse_constant=_no_constant,
            )
        except (ValueError, ArithmeticError):
            raise Unfit("the text is not JSON") from None
        except RecursionError:
            raise Unfit("the JSON document is too deep") from None
        return value

    return check


def _single_keys(pairs: Sequence[tuple[str, object]]) -> object:
    if len(dict(pairs)) < len(pairs):
        raise Unfit("the column drops keys that come twice in a JSON object")
    return None


def _kept_by_double(text: str) -> None:
    number = float(text)
    if not math.isfinite(number) or Decimal(repr(number)) != Decimal(text):
        raise Unfit("the column rounds a number of the JSON document")


def _kept_integer(text: str) -> None:
    if len(text) > 400 or not -(1 << 63) <= int(text) < 1 << 64:
        _kept_by_double(text)


def _counted(text: str) -> int:
    """Not converted: a document's number may have any number of digits."""
    return len(text)


def _no_constant(_name: str) -> None:
    raise ValueError
