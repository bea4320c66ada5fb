"""Wire values for SQLite."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from replicator.targets.sql.dialect import Converter, Refused, TargetColumn
from triggers.model import Column, Kind

_encode = msgspec.json.Encoder(decimal_format="number").encode


def converter(column: Column, target: TargetColumn) -> Converter | None:  # noqa: ARG001
    """How a kind becomes a value that the driver binds; None where the wire value is one."""
    match column.kind:
        case Kind.INTEGER | Kind.BIT if column.unsigned or column.kind is Kind.BIT:
            return exact_number
        case Kind.DECIMAL:
            return exact_number
        case Kind.FLOAT:
            return _float
        case Kind.BYTES:
            return _bytes
        case Kind.DYNAMIC:
            return _dynamic
        case Kind.ARRAY:
            return lambda value: _encode(value).decode()
        case _:
            return None


def exact_number(value: Any) -> Any:
    """A number as text where the driver has no type for it; the column's affinity decides."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        return str(value)
    return value


def _float(value: Any) -> float:
    if value == "NaN":
        raise Refused("SQLite has no NaN")
    return float(value)


def _bytes(value: Any) -> bytes:
    try:
        return bytes.fromhex(str(value).removeprefix("\\x"))
    except ValueError:
        raise Refused("a value is not written as hex") from None


def _dynamic(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, str) and value.startswith("\\x"):
        return _bytes(value)
    return value
