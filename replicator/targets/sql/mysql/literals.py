"""How values are written as SQL for MySQL and MariaDB."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from replicator.targets.sql.dialect import Values


def literal(value: Any) -> str:
    """A value in SQL, for a session in utf8mb4 whose strings know backslashes."""
    return _LITERALS[type(value)](value)


def tuple_of(row: Values) -> str:
    """A row in SQL: `(1,'a',NULL)`."""
    return "(" + ",".join([_LITERALS[type(value)](value) for value in row]) + ")"


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
