"""Wire values for MySQL and MariaDB, and how they are written as SQL."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from replicator.targets.sql.dialect import Converter, Refused, TargetColumn, Values
from triggers.model import Column, Kind

_TEXTS = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set")
_BYTES = ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob")
_TIMES = ("date", "timestamp")
_encode = msgspec.json.Encoder(decimal_format="number").encode


def converter(column: Column, target: TargetColumn) -> Converter | None:
    """How a kind becomes a value of the column's type; None where the wire value fits as it is."""
    textual = target.type.startswith(_TEXTS)
    match column.kind:
        case Kind.BYTES | Kind.DYNAMIC if target.type.startswith(_BYTES):
            return bytes_of
        case Kind.UUID if target.type == "binary(16)":
            return _uuid_bytes
        case Kind.TIMESTAMPTZ if target.type.startswith(_TIMES):
            return _without_offset
        case Kind.FLOAT if not textual:
            return _float
        case Kind.ARRAY:
            return json_text
        case _ if textual and column.kind in _NOT_TEXT:
            return text_of
        case _:
            return None


_NOT_TEXT = {Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT, Kind.BOOLEAN, Kind.BIT, Kind.DYNAMIC}


def text_of(value: Any) -> str:
    """The text of a number or truth value; text stays as it is."""
    return value if isinstance(value, str) else json_text(value)


def json_text(value: Any) -> str:
    """A value as JSON text, decimals with all their digits."""
    return _encode(value).decode()


def bytes_of(value: Any) -> bytes:
    """The bytes of `\\x` and hex; other text and numbers as UTF-8."""
    text = text_of(value)
    if text.startswith("\\x"):
        try:
            return bytes.fromhex(text[2:])
        except ValueError:
            raise Refused("a value is not written as hex") from None
    return text.encode()


def literal(value: Any) -> str:
    """A value in SQL, for a session in utf8mb4 whose strings know backslashes."""
    return _LITERALS[type(value)](value)


def tuple_of(row: Values) -> str:
    """A row in SQL: `(1,'a',NULL)`."""
    return "(" + ",".join([_LITERALS[type(value)](value) for value in row]) + ")"


def _uuid_bytes(value: Any) -> bytes:
    return bytes.fromhex(str(value).replace("-", ""))


def _without_offset(value: Any) -> str:
    return str(value).removesuffix("+00:00")


def _float(value: Any) -> Any:
    if isinstance(value, str):
        raise Refused("MySQL has no NaN and no infinity")
    return float(value)


def _decimal_literal(value: Decimal) -> str:
    text = str(value)
    return format(value, "f") if "E" in text else text


def _text_literal(value: str) -> str:
    if "'" in value or "\\" in value:
        value = value.replace("\\", "\\\\").replace("'", "''")
    return f"'{value}'"


_LITERALS: dict[type, Callable[[Any], str]] = {
    type(None): lambda _value: "NULL",
    bool: lambda value: "1" if value else "0",
    int: str,
    Decimal: _decimal_literal,
    float: lambda value: repr(value) if "e" in repr(value) else repr(value) + "e0",
    str: _text_literal,
    bytes: lambda value: "x'" + value.hex() + "'",
}
