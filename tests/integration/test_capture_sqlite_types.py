"""What SQLite's triggers log for each storage class, in columns of whatever type."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from decimal import Decimal
from math import inf, isfinite

import pytest

from replicator.sources.sqlite import SqliteReader
from tests.capture_source import CaptureSource, capture_source, inserted
from tests.conftest import MakeDatabase
from triggers.model import INCOMPLETE

CLASSES: tuple[tuple[object, object], ...] = (
    (None, None),
    (9007199254740993, 9007199254740993),
    (-(2**63), -(2**63)),
    (9007199254740993.0, Decimal("9007199254740992.0")),
    (1e308, Decimal("1e308")),
    (1.7976931348623157e308, Decimal("1.7976931348623157e308")),
    (5e-324, Decimal("5e-324")),
    (0.1, Decimal("0.1")),
    (0.1 + 0.2, Decimal("0.30000000000000004")),
    (inf, "Infinity"),
    (-inf, "-Infinity"),
    ("Infinity", "\\Infinity"),
    (b"\x00\xff", "\\x00ff"),
    (b"", "\\x"),
    ("\\x00ff", "\\\\x00ff"),
    ("\\", "\\\\"),
    ("x\\", "x\\"),
    ("a\0b\x01\x1f\u2028😀\"'", "a\0b\x01\x1f\u2028😀\"'"),
    ("中文", "中文"),
    ("", ""),
)
"""Values as bound by a driver, and as logged; reals are compared as doubles."""


@pytest.fixture
def source(make_database: MakeDatabase) -> Iterator[CaptureSource]:
    with capture_source(make_database("sqlite")) as source:
        yield source


@pytest.mark.parametrize(
    "create",
    [
        "CREATE TABLE t (id integer PRIMARY KEY, v)",
        "CREATE TABLE t (id integer PRIMARY KEY, v blob) WITHOUT ROWID",
        "CREATE TABLE t (id integer PRIMARY KEY, v ANY) STRICT",
        "PRAGMA encoding = 'UTF-16le'; CREATE TABLE t (id integer PRIMARY KEY, v)",
    ],
)
def test_every_storage_class(source: CaptureSource, create: str) -> None:
    source.execute(*create.split("; "))
    source.install("t")
    write(source, [value for value, _logged in CLASSES])
    assert logged(source) == [as_double(value) for _bound, value in CLASSES]


@pytest.mark.parametrize("declared", ["INTEGER", "REAL", "TEXT", "NUMERIC", "DATETIME"])
def test_typed_column_holds_any_class(source: CaptureSource, declared: str) -> None:
    source.execute(f"CREATE TABLE t (id integer PRIMARY KEY, v {declared})")
    source.install("t")
    write(source, [b"\x00\xff", "text", "\\x00ff", None])
    assert logged(source) == ["\\x00ff", "text", "\\\\x00ff", None]


def test_reals_read_back_equal(source: CaptureSource) -> None:
    rng = random.Random(3)
    reals = [struct.unpack("<d", rng.randbytes(8))[0] for _ in range(5000)]
    reals = [real for real in reals if isfinite(real)]
    reals += [
        round(rng.random() * 10 ** rng.randint(-9, 14), rng.randint(0, 9)) for _ in range(5000)
    ]
    source.execute("CREATE TABLE t (id integer PRIMARY KEY, v real)")
    source.install("t")
    write(source, reals)
    assert logged(source) == reals


def test_reals_are_logged_as_people_write_them(source: CaptureSource) -> None:
    source.execute("CREATE TABLE t (id integer PRIMARY KEY, v real)")
    source.install("t")
    source.execute("INSERT INTO t VALUES (1, 19.99), (2, 0.1), (3, 1200), (4, 0.0005)")
    assert [str(c.after["v"]) for c in source.changes() if c.after] == [
        "19.99",
        "0.1",
        "1200.0",
        "0.0005",
    ]


def test_generated_columns(source: CaptureSource) -> None:
    source.execute(
        "CREATE TABLE t (id integer PRIMARY KEY, a integer AS (id + 1),"
        " b text AS ('x' || id) STORED)"
    )
    source.install("t")
    source.execute("INSERT INTO t (id) VALUES (1)")
    assert source.changes() == [inserted({"id": 1, "a": 2, "b": "x1"})]


def test_text_that_is_not_utf8_is_marked(source: CaptureSource) -> None:
    """The change can be read, and says what it lacks; the others are not kept back."""
    source.execute("CREATE TABLE t (id integer PRIMARY KEY, v text, n integer)")
    source.install("t")
    source.execute(
        "INSERT INTO t VALUES (1, CAST(x'61ff62' AS text), 5)", "INSERT INTO t VALUES (2, 'é', 6)"
    )
    reader = SqliteReader(source.engine)
    try:
        changes = [c for block in reader.read([(1, 9)], ["t"]) for c in block.changes()]
    finally:
        reader.close()
    assert [change.after for change in changes] == [
        {"id": 1, "n": 5, INCOMPLETE: "not UTF-8: v"},
        {"id": 2, "v": "é", "n": 6},
    ]


def write(source: CaptureSource, values: list[object]) -> None:
    """Insert rows with the values bound, numbered from 0."""
    with source.engine.begin() as connection:
        for row in enumerate(values):
            connection.exec_driver_sql("INSERT INTO t VALUES (?, ?)", row)


def logged(source: CaptureSource) -> list[object]:
    """Return what was logged of column v, reals as doubles."""
    return [as_double(change.after["v"]) for change in source.changes() if change.after]


def as_double(value: object) -> object:
    """Turn what was read as a decimal into the double that it stands for."""
    return float(value) if isinstance(value, Decimal) else value
