from __future__ import annotations

import re
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.targets.files.names import (
    NamePattern,
    safe_name,
    snapshot_manifest_name,
    snapshot_name,
)
from replicator.targets.files.window import TimeWindows


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


HOURS = TimeWindows(3600)
BERLIN = TimeWindows(3600, ZoneInfo("Europe/Berlin"))


def test_windows_in_names() -> None:
    window = BERLIN.local(BERLIN.containing(datetime(2026, 11, 21, 13, 14, tzinfo=UTC)))
    pattern = NamePattern("{window:%Y/%m/%d}/{table}_{op}_{window:%H}-{window_end:%H}_{seq:03d}")
    named = pattern.name(
        table="a/b", route="r", batch=1, first_batch=1, window=window, seq=7, op="I"
    )
    assert named == "2026/11/21/a%2Fb_I_14-15_007"


@pytest.mark.parametrize(
    ("pattern", "windows", "rolled", "reason"),
    [
        ("{table}.csv", None, False, "needs {batch}"),
        ("{table}.csv", HOURS, False, "gives two windows the same name"),
        ("{table}_{window:%Y%m%d}.csv", HOURS, False, "gives two windows the same name"),
        ("{table}_{window:%H}.csv", HOURS, False, "gives two windows the same name"),
        ("{table}_{window:%d%H}.csv", HOURS, False, "gives two windows the same name"),
        ("{table}_{window:%m%d%H}.csv", HOURS, False, "gives two windows the same name"),
        ("{table}_{window:%Y%m%d%I}.csv", HOURS, False, "gives two windows the same name"),
        ("{table}_{window}.csv", None, False, "has {window}; the target has none"),
        ("{table}_{window}.csv", HOURS, True, "needs {seq}"),
        ("{table}_{batch}.csv", None, True, "needs {seq}"),
        ("{table}_{batch}.csv", HOURS, False, None),
        ("{table}_{batch}_{seq}.csv", None, True, None),
        ("{table}_{window:%Y%m%d%H}.csv", HOURS, False, None),
        ("{table}_{window_end:%Y%j%H}.csv", BERLIN, False, None),
        ("{table}_{window:%Y%m%d}.csv", TimeWindows(86400), False, None),
    ],
)
def test_names_differ_from_round_to_round(
    pattern: str, windows: TimeWindows | None, rolled: bool, reason: str | None
) -> None:
    raises = pytest.raises(ValueError, match=re.escape(reason)) if reason else nullcontext()
    with raises:
        NamePattern(pattern).check_files(windows, rolled=rolled)


@pytest.mark.parametrize(
    ("pattern", "windows", "reason"),
    [
        ("{batch}.json", HOURS, "gives two windows the same name"),  # the batch of an empty one
        ("{table}_{window}.json", HOURS, "it has no {table}"),
        ("m.json", None, "needs {batch}"),
        ("{batch}.json", None, None),
        ("{window:%Y%m%d%H}.json", HOURS, None),
    ],
)
def test_manifests_differ_from_round_to_round(
    pattern: str, windows: TimeWindows | None, reason: str | None
) -> None:
    raises = pytest.raises(ValueError, match=re.escape(reason)) if reason else nullcontext()
    with raises:
        NamePattern(pattern).check_manifest(windows)


@pytest.mark.parametrize(
    ("pattern", "rolled", "reason"),
    [
        ("{table}_{batch}.csv", False, "gives two snapshots the same name"),
        ("{table}_{time:%Y%m%d%H%M}.csv", False, "gives two snapshots the same name"),
        ("{table}_{time:%Y%m%d%I%M%S}.csv", False, "such as {time:%Y%m%dT%H%M%SZ}"),
        ("{table}_{time:%d%H%M%S}.csv", False, "gives two snapshots the same name"),
        ("{table}_{time}.csv", True, "needs {seq}"),
        ("{table}_{time}_{op}.csv", False, "it has no {op}"),
        ("{table}_{time}_{window}_{window_end}.csv", False, "it has no {window}, {window_end}"),
        ("{table}_{time}_{seq}.csv", True, None),
        ("{time:%Y/%j/%H%M%S}/{table}_{batch}.csv", False, None),
        ("{time:%s}/{table}.csv", False, None),
    ],
)
def test_names_differ_from_snapshot_to_snapshot(
    pattern: str, rolled: bool, reason: str | None
) -> None:
    raises = pytest.raises(ValueError, match=re.escape(reason)) if reason else nullcontext()
    with raises:
        NamePattern(pattern).check_snapshots(rolled=rolled)


def test_a_manifest_is_of_the_whole_snapshot() -> None:
    with pytest.raises(ValueError, match=r"it has no \{seq\}, \{table\}"):
        NamePattern("{table}_{time}_{seq}.json").check_snapshot_manifest()
    NamePattern("{time}.json").check_snapshot_manifest()


MADE = "snapshot_{route}_{time:%Y%m%dT%H%M%SZ}"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("{table}_{batch:012d}.csv", f"{MADE}/{{table}}_{{seq:04d}}.csv"),
        ("a.b/{window:%Y.%m}_{table}x.jsonl.gz", f"{MADE}/{{table}}_{{seq:04d}}.jsonl.gz"),
        ("{table}.{batch}", f"{MADE}/{{table}}_{{seq:04d}}"),
    ],
)
def test_snapshots_are_named_after_other_files(name: str, expected: str) -> None:
    assert snapshot_name(name) == expected
    NamePattern(expected).check_snapshots(rolled=True)


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("{table}_{time}.csv", ""),
        ("full/{table}_{time}.csv", "full/"),
        (f"{MADE}/{{table}}_{{seq:04d}}.csv", f"{MADE}/"),
        ("a/{time:%Y/%m/%dT%H%M%S}_{table}.csv", "a/"),
    ],
)
def test_the_manifest_of_a_snapshot_is_beside_it(name: str, folder: str) -> None:
    assert snapshot_manifest_name(name, ".json") == f"{folder}{MADE}.manifest.json"
    NamePattern(snapshot_manifest_name(name, ".json")).check_snapshot_manifest()


def test_fields_tell_a_shared_folder_whether_routes_are_told_apart() -> None:
    assert "route" in NamePattern("{route}_{table}_{batch}").fields
    assert "route" not in NamePattern("{table}_{batch}").fields


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("{table}_{batch}_{sequence}.csv", "has {sequence}; there are only {table}, {route}"),
        ("{table}_{window:{batch}}", "a format it cannot use"),
        ("{op:s}_{batch}", "a format it cannot use"),
        ("{seq:x}_{batch}", "a format it cannot use"),
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
        ("sent\\{table}_{batch}.csv", "cannot hold everywhere"),
        ("/{table}_{batch}", "an empty part"),
        ("{table}_{batch}/", "an empty part"),
        ("{table}//{batch}", "an empty part"),
        ("../{table}_{batch}", "cannot hold everywhere"),
        ("{table}/../{batch}", "cannot hold everywhere"),
        (".{table}_{batch}", "cannot hold everywhere"),
        ("{table}/.{batch}", "cannot hold everywhere"),
        ("{table}_{batch}.", "cannot hold everywhere"),
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
