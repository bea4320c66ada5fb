"""Test columns of SQLite: any storage class in any column."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.types.columns import SampleColumn, SampleTable, binary, doubles, integers, texts


def _text(value: str) -> str:
    return f"CAST(x'{value.encode().hex()}' AS TEXT)"


def _bytes(value: bytes) -> str:
    return f"x'{value.hex()}'"


def _real(value: float) -> str:
    return {"inf": "9e999", "-inf": "-9e999"}.get(repr(value), repr(value))


_INTEGERS = integers(-(1 << 63), (1 << 63) - 1)
_REALS = doubles(_real, allow_nan=False)
_TEXTS = texts(_text)
_BYTES = binary(_bytes)
_ANY = st.one_of(_INTEGERS, _REALS, _TEXTS, _BYTES)

_WHOLE = ("9223372036854775807", "-9223372036854775808", "9007199254740993", "0")
_FLOATING = (
    "1e308",
    "-1.7976931348623157e308",
    "5e-324",
    "0.1+0.2",
    "-0.0",
    "9e999",
    "-9e999",
    "1.0",
    "9007199254740992.0",
)
_WRITTEN = (
    "''",
    "'O''Brien \\ %s %% :x ? \"q\"'",
    "'中文 😀🏳️‍🌈'",
    "'\\x00ff'",
    "'\\x'",
    "'1.10'",
    "'5'",
    "'null'",
    "'NaN'",
    "'a' || char(0) || 'b'",
    "char(0)",
    "char(1, 9, 10, 13, 31, 127)",
    "char(65279, 8238, 8232, 65533)",
)
_BINARY = ("x''", "x'00'", "x'fffe'", "x'5c783030'")
_EVERYTHING = (*_WHOLE, *_FLOATING, *_WRITTEN, *_BINARY)

LOOSE = SampleTable(
    "loose",
    (
        SampleColumn("untyped", "", "dynamic", _EVERYTHING, _ANY),
        SampleColumn(
            "whole", "INTEGER", "dynamic", (*_WHOLE, "1.5", "'text'", "x'00'", "'\\x00'"), _INTEGERS
        ),
        SampleColumn("approximate", "REAL", "dynamic", (*_FLOATING, "'text'", "x'ff'"), _REALS),
        SampleColumn(
            "exact",
            "NUMERIC",
            "dynamic",
            ("9007199254740993", "1e308", "0.1", "'text'"),
            st.one_of(_INTEGERS, _REALS),
        ),
        SampleColumn(
            "price", "DECIMAL(12,2)", "dynamic", ("12.5", "9999999999.99", "'x'", "12.345")
        ),
        SampleColumn("written", "TEXT", "dynamic", (*_WRITTEN, "x'00ff'"), _TEXTS),
        SampleColumn("short", "VARCHAR(5)", "dynamic", ("'longer than five'", "''", "5"), _TEXTS),
        SampleColumn(
            "data", "BLOB", "dynamic", (*_BINARY, "'\\x00'", "'text'", "5", "0.5"), _BYTES
        ),
        SampleColumn("flag", "BOOLEAN", "dynamic", ("TRUE", "FALSE", "2", "'yes'")),
        SampleColumn("day", "DATE", "dynamic", ("'2026-11-21'", "'not a date'", "2461000.5", "0")),
        SampleColumn(
            "moment",
            "DATETIME",
            "dynamic",
            ("'2026-11-21 13:14:15'", "'2026-11-21T13:14:15Z'", "1795266855", "'x'"),
        ),
        SampleColumn("document", "JSON", "dynamic", ('\'{"a": 1, "a": 1.10}\'', "'not json'", "5")),
        SampleColumn("doubled", "INTEGER AS (id * 2) VIRTUAL", "dynamic", ()),
        SampleColumn("tripled", "INTEGER AS (id * 3) STORED", "dynamic", ()),
    ),
)

STRICT = SampleTable(
    "firm",
    (
        SampleColumn("whole", "INTEGER", "dynamic", _WHOLE, _INTEGERS),
        SampleColumn("small", "INT", "dynamic", ("-5",)),
        SampleColumn("approximate", "REAL", "dynamic", _FLOATING, _REALS),
        SampleColumn("written", "TEXT", "dynamic", _WRITTEN, _TEXTS),
        SampleColumn("data", "BLOB", "dynamic", _BINARY, _BYTES),
        SampleColumn("anything", "ANY", "dynamic", _EVERYTHING, _ANY),
    ),
    options=" STRICT",
)

WITHOUT_ROWID = SampleTable(
    "direct",
    (
        SampleColumn("untyped", "", "dynamic", ("9007199254740993", "1e308", "x'00'", "'x'"), _ANY),
        SampleColumn("written", "TEXT", "dynamic", ("'x'", "char(0)"), _TEXTS),
    ),
    options=" WITHOUT ROWID",
    key_type="INT",
)

TABLES = (LOOSE, STRICT, WITHOUT_ROWID)
