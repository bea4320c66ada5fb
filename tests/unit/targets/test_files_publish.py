"""Drops that are interrupted at every step, while a third party takes what it sees."""

from __future__ import annotations

import hashlib
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from replicator.change import Change
from replicator.errors import DeliveryStopped
from replicator.pipeline.contract import Outcome, Progress, Round, Window
from replicator.targets.files import FilesTarget, NamePattern
from replicator.targets.files.layout import DropLayout
from replicator.targets.files.manifest import Manifest, decode
from replicator.targets.files.store import Store
from replicator.targets.files.store.local import LocalStore
from replicator.targets.files.verify import verify_folder
from replicator.targets.files.window import TimeWindows
from tests.blocks import block
from tests.crashing import Crash, CrashingStore, ThirdParty
from tests.unit.targets.rounds import (
    CHANGES,
    DELIVERY,
    LINES,
    TABLES,
    ParkedList,
    change,
    contents,
    in_blocks,
    line,
    no_park,
)

HOUR = timedelta(hours=1)
START = datetime(2026, 11, 21, 13, tzinfo=UTC)


def hour(number: int) -> Round:
    """The round of an hour, of batches of which the first is `10 * number`."""
    start = START + number * HOUR
    reached = Progress("e1", 10 * number + 9, f"m{number}")
    return Round(None, reached, 10 * number, 0, Window(start, start + HOUR))


def make(folder: Path, store: Store | None = None, **layout: Any) -> FilesTarget:
    settings: dict[str, Any] = {
        "local_copy": folder / "copy",
        "name": NamePattern("{window:%H}/{table}_{seq:02d}.csv"),
        "windows": TimeWindows(3600),
        "manifest": NamePattern("{window:%Y%m%d%H}.json"),
    }
    store = store or LocalStore(folder / "out")
    return FilesTarget(DropLayout(**(settings | layout)), store, DELIVERY)


def deliver(
    target: FilesTarget, work: Round, changes: list[Change], memo: str | None = None
) -> Outcome:
    target.open(TABLES, memo)
    try:
        return target.deliver(work, in_blocks(changes), no_park)
    finally:
        target.close()


def copied(folder: Path) -> dict[str, bytes]:
    found = contents(folder / "copy")
    return {name: data for name, data in found.items() if not name.startswith(".drops")}


STEPS = 6  # two files and a manifest, each put and renamed


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", range(1, STEPS + 2))
def test_nothing_is_lost_or_seen_half_or_twice(tmp_path: Path, step: int, after: bool) -> None:
    undisturbed = tmp_path / "undisturbed"
    deliver(make(undisturbed), hour(0), CHANGES)
    expected = contents(undisturbed / "out")
    assert len(expected) == STEPS // 2

    third_party = ThirdParty(tmp_path / "out")
    store = CrashingStore(tmp_path / "out", step, after=after)
    crashed = False
    try:
        deliver(make(tmp_path, store), hour(0), CHANGES)
    except Crash:
        crashed = True
    assert crashed == (step <= STEPS)
    third_party.fetch()
    outcome = deliver(make(tmp_path), hour(0), CHANGES)
    third_party.fetch()

    assert third_party.taken == expected
    assert contents(tmp_path / "out") == {}
    assert copied(tmp_path) == expected
    assert (outcome.changes, outcome.written) == (7, 7)


def test_a_finished_round_is_not_published_again(tmp_path: Path) -> None:
    first = deliver(make(tmp_path), hour(0), CHANGES)
    shutil.rmtree(tmp_path / "out")
    again = deliver(make(tmp_path), hour(0), CHANGES)
    assert again == first
    assert contents(tmp_path / "out") == {}


def test_another_machine_makes_the_same_files(tmp_path: Path) -> None:
    with pytest.raises(Crash):
        deliver(
            make(tmp_path / "a", CrashingStore(tmp_path / "out", 3, after=False)), hour(0), CHANGES
        )
    before = contents(tmp_path / "out")
    deliver(make(tmp_path / "b", LocalStore(tmp_path / "out")), hour(0), CHANGES)
    assert before.items() <= contents(tmp_path / "out").items() | {
        (name, data) for name, data in before.items() if name.endswith(".part")
    }
    assert copied(tmp_path / "b") == copied(tmp_path / "a")
    assert verify_folder(tmp_path / "out").problems == []


def test_a_server_that_cannot_rename(tmp_path: Path) -> None:
    class NoRename(CrashingStore):
        atomic = False

        def rename(self, old: str, new: str) -> None:
            raise AssertionError(f"renamed {old} to {new}")

    for step in (2, 100):
        store = NoRename(tmp_path / "out", step, after=False)
        try:
            deliver(make(tmp_path, store), hour(0), CHANGES)
        except Crash:
            assert step == 2
    assert contents(tmp_path / "out") == copied(tmp_path)
    assert verify_folder(tmp_path / "out").problems == []


def test_dead_letters_are_parked_again_with_the_files(tmp_path: Path) -> None:
    changes = [line(1, "a"), line(2, "中"), line(3, "b")]
    parked = []
    for store in (CrashingStore(tmp_path / "out", 1, after=False), None):
        target = make(tmp_path, store, encoding="ascii")
        target.open(TABLES)
        found = ParkedList()
        try:
            outcome = target.deliver(hour(0), in_blocks(changes), found)
        except Crash:
            pass
        else:
            assert outcome.parked == 1
        target.close()
        parked.append(found.parked)
    assert parked[0] == parked[1]
    assert [item.change for item in parked[0]] == [changes[1]]


def test_manifests_are_a_chain(tmp_path: Path) -> None:
    memo = None
    for number, changes in enumerate([CHANGES, [], [line(8, "x")]]):
        memo = deliver(make(tmp_path), hour(number), changes, memo).memo
    manifests = {name: read(tmp_path / "out" / name) for name in manifest_names(tmp_path)}
    assert [m.number for m in manifests.values()] == [1, 2, 3]
    assert [len(m.files) for m in manifests.values()] == [2, 0, 1]
    assert [m.window.start for m in manifests.values() if m.window] == [
        START + n * HOUR for n in range(3)
    ]
    first, second, third = manifests.values()
    assert first.previous is None
    data = (tmp_path / "out" / "2026112113.json").read_bytes()
    assert second.previous is not None
    assert (second.previous.name, second.previous.sha256) == (
        "2026112113.json",
        hashlib.sha256(data).hexdigest(),
    )
    assert third.files[0].first_change == third.files[0].last_change == 8
    orders, lines = first.files
    assert (orders.name, orders.table, orders.rows) == (
        "13/public.orders_01.csv",
        "public.orders",
        3,
    )
    assert (orders.first_change, orders.last_change) == (1, 4)
    assert (lines.first_change, lines.last_change) == (2, 7)
    report = verify_folder(tmp_path / "out")
    assert (report.manifests, report.files, report.rows, report.problems) == (3, 3, 8, [])


def read(path: Path) -> Manifest:
    manifest = decode(path.read_bytes())
    assert manifest is not None
    return manifest


def manifest_names(folder: Path) -> list[str]:
    return sorted(name for name in contents(folder / "out") if name.endswith(".json"))


def test_empty_windows_can_go_without_manifest(tmp_path: Path) -> None:
    memo = None
    for number, changes in enumerate([CHANGES, [], [line(8, "x")]]):
        memo = (
            deliver(make(tmp_path, empty_windows=False), hour(number), changes, memo).memo or memo
        )
    assert manifest_names(tmp_path) == ["2026112113.json", "2026112115.json"]
    assert verify_folder(tmp_path / "out").problems == []


def test_a_plain_list(tmp_path: Path) -> None:
    form = "{window:%H:%M};{name};{rows};{sha256}"
    deliver(make(tmp_path, manifest_line=form), hour(0), [line(1, "x")])
    file = tmp_path / "out" / "13" / "public.order_lines_01.csv"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    listed = (tmp_path / "out" / "2026112113.json").read_text()
    assert listed == f"13:00;13/public.order_lines_01.csv;1;{digest}\n"


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize(
    ("limits", "rows"),
    [
        ({"roll_rows": 300}, [300, 300, 300, 100]),
        ({"roll_rows": 500}, [500, 500]),
        ({"roll_bytes": 10_000}, [200, 200, 200, 200, 200]),
        ({"roll_rows": 250, "roll_bytes": 10_000}, [200, 200, 200, 200, 200]),
        ({"roll_rows": 150, "roll_bytes": 10_000}, [150] * 6 + [100]),
    ],
)
def test_files_are_rolled_however_the_changes_come(
    tmp_path: Path, limits: dict[str, Any], rows: list[int], size: int
) -> None:
    changes = [line(number, "x" * 44) for number in range(1000, 2000)]  # 58 bytes each
    target = make(tmp_path, **limits)
    target.open(TABLES)
    target.deliver(hour(0), in_blocks(changes, size), no_park)
    target.close()
    files = read(tmp_path / "out" / "2026112113.json").files
    assert [file.rows for file in files] == rows
    assert [file.name for file in files] == [
        f"13/public.order_lines_{number:02d}.csv" for number in range(1, len(rows) + 1)
    ]
    ranges = [(file.first_change, file.last_change) for file in files]
    assert ranges[0][0] == 1000
    assert [last + 1 for _, last in ranges] == [*(first for first, _ in ranges[1:]), 2000]


def test_one_file_for_each_operation(tmp_path: Path) -> None:
    changes = [
        line(1, "x"),
        change(2, LINES, "U", {"id": 1, "note": "y"}),
        change(3, LINES, "D", {"id": 1, "note": "y"}),
        line(4, "z"),
    ]
    deliver(make(tmp_path, name=NamePattern("{table}_{op}_{window}.csv")), hour(0), changes)
    files = read(tmp_path / "out" / "2026112113.json").files
    named = {f.name.removesuffix("_20261121130000.csv"): (f.rows, f.last_change) for f in files}
    assert named == {
        "public.order_lines_I": (2, 4),
        "public.order_lines_U": (1, 2),
        "public.order_lines_D": (1, 3),
    }


def test_a_name_that_an_earlier_drop_has_used_is_never_used_again(tmp_path: Path) -> None:
    deliver(make(tmp_path), hour(0), CHANGES)
    before = contents(tmp_path / "out")
    other = Round(None, Progress("e1", 9, "another history"), 0, 0, hour(0).window)
    with pytest.raises(DeliveryStopped, match=r"has published 13/public.orders_01.csv already"):
        deliver(make(tmp_path), other, CHANGES)
    assert contents(tmp_path / "out") == before == copied(tmp_path)


def test_a_copy_that_was_changed_is_not_published(tmp_path: Path) -> None:
    with pytest.raises(Crash):
        deliver(make(tmp_path, CrashingStore(tmp_path / "out", 1, after=False)), hour(0), CHANGES)
    (tmp_path / "copy" / "13" / "public.orders_01.csv").write_bytes(b"")
    with pytest.raises(DeliveryStopped, match="is missing or was changed"):
        deliver(make(tmp_path), hour(0), CHANGES)


def test_a_round_of_many_blocks(tmp_path: Path) -> None:
    blocks = (
        block([line(number, "x" * 20) for number in range(start, start + 1000)])
        for start in range(0, 40_000, 1000)
    )
    target = make(tmp_path, roll_rows=15_000)
    target.open(TABLES)
    assert target.deliver(hour(0), blocks, no_park).written == 40_000
    target.close()
    assert verify_folder(tmp_path / "out").rows == 40_000
