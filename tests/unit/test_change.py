"""Decoding changes: every digit of every number."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from replicator.change import decode_changes


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("18446744073709551615", 18446744073709551615),
        ("-9223372036854775809", -9223372036854775809),
        ("1" * 100, int("1" * 100)),
        ("7" * 100_000, Decimal("7" * 100_000)),
        ("-" + "7" * 100_000, Decimal("-" + "7" * 100_000)),
        ("1." + "3" * 100_000, Decimal("1." + "3" * 100_000)),
        ("1.10", Decimal("1.10")),
        ("-0.0", Decimal("-0.0")),
        ("1e400", Decimal("1e400")),
        ("5e-324", Decimal("5e-324")),
        ("true", True),
        ("null", None),
        ('["a", null, 1.10]', ["a", None, Decimal("1.10")]),
        ('"1.10"', "1.10"),
        (json.dumps("\0\x01 \U0001f600 中文"), "\0\x01 \U0001f600 中文"),
    ],
    ids=lambda value: str(value)[:20] if isinstance(value, str) else type(value).__name__,
)
def test_values(text: str, value: object) -> None:
    line = f'[1, "t", "I", null, {{"x": {text}, "n": 1.50}}, null, "2026-11-21T13:14:15.123456"]'
    [change] = decode_changes([line.encode()])
    assert change.after == {"x": value, "n": Decimal("1.50")}
    assert type(change.after["x"]) is type(value)
    assert str(change.after["n"]) == "1.50"
