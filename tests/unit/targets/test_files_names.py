from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.targets.files.names import NamePattern, safe_name


def name(pattern: str, table: str = "public.orders", batch: int = 42) -> str:
    return NamePattern(pattern).name(
        table=table,
        route="to partner",
        batch=batch,
        first_batch=40,
        captured_at="2026-11-21T13:14:15.123456",
    )


def test_every_placeholder() -> None:
    assert (
        name("{route}-{table}_{time:%Y%m%d}_{first_batch}_{batch:012d}.csv")
        == "to partner-public.orders_20261121_40_000000000042.csv"
    )
    assert name("{time}_{table}_{batch}") == "20261121131415_public.orders_42"


def test_a_fixed_name_for_one_table() -> None:
    assert name("ORDERS-{batch}.csv") == "ORDERS-42.csv"


def test_fields_tell_a_shared_folder_whether_routes_are_told_apart() -> None:
    assert "route" in NamePattern("{route}_{table}_{batch}").fields
    assert "route" not in NamePattern("{table}_{batch}").fields


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("{table}.csv", "needs {batch}"),
        ("{table}_{batch}_{seq:04d}.csv", "has {seq}; there are only {table}, {route}"),
        ("{table.__class__}_{batch}", "there are only"),
        ("{table!r}_{batch}", "there are only"),
        ("{}_{batch}", "there are only"),
        ("{table:>20}_{batch}", "a format it cannot use"),
        ("{table}_{batch:x}", "a format it cannot use"),
        ("{table}_{batch}_{time:{batch}}", "a format it cannot use"),
        ("{table}_{batch", "cannot be read"),
        ("{table}{batch}.csv", "text that is no digit on both sides"),
        ("{table}_1{batch}.csv", "text that is no digit on both sides"),
        ("{table}_{batch}{time}.csv", "text that is no digit on both sides"),
        ("{table}_{batch}0.csv", "text that is no digit on both sides"),
        ("sent/{table}_{batch}.csv", "path separator"),
        ("{table}_{batch}_{time:%D}", "path separator"),
        ("../{table}_{batch}", "path separator"),
        (".{table}_{batch}", "another character"),
        ("{table}_{batch}.", "another character"),
    ],
)
def test_unusable_patterns_are_refused_with_the_reason(pattern: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)) as caught:
        NamePattern(pattern)
    assert repr(pattern) in str(caught.value)


@pytest.mark.parametrize(
    ("table", "safe"),
    [
        ("public.orders", "public.orders"),
        ("Größe 表", "Größe 表"),
        ("../etc/passwd", "%2E.%2Fetc%2Fpasswd"),
        (".", "%2E"),
        ("a\\b\n\x00\x7f", "a%5Cb%0A%00%7F"),
        ("50%", "50%25"),
        ("dot.", "dot%2E"),
        ("a%2Fb", "a%252Fb"),
    ],
)
def test_table_names_become_file_names(table: str, safe: str) -> None:
    assert safe_name(table) == safe


names = st.text(alphabet='a%./\\ 2FE\n"é', min_size=1, max_size=6)


@given(names, names)
def test_different_names_stay_different(one: str, other: str) -> None:
    assert (safe_name(one) == safe_name(other)) == (one == other)


@given(st.text(min_size=1, max_size=30))
def test_any_name_is_one_component_of_a_path(text: str) -> None:
    safe = safe_name(text)
    assert Path("folder", safe).parent == Path("folder")
    assert "\x00" not in safe
    assert not safe.startswith(".")
