from __future__ import annotations

import errno
import multiprocessing
import os
import resource
import signal
import tracemalloc
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from replicator.change import Block, Change
from replicator.errors import DeliveryStopped, TargetUnavailable
from replicator.pipeline.contract import Outcome, Parked, Target
from replicator.targets.files import FilesTarget, NamePattern
from replicator.targets.files.layout import DropLayout
from replicator.targets.files.store.local import LocalStore
from tests.blocks import block
from tests.unit.targets.rounds import (
    CHANGES,
    DELIVERY,
    LINES,
    SECRET,
    TABLES,
    ParkedList,
    change,
    contents,
    in_blocks,
    line,
    no_park,
    work,
)
from tests.unit.targets.test_files_csv import GOLDEN_LINES, GOLDEN_ORDERS

PATTERN = "{table}_{time:%H%M%S}_{batch:012d}.csv"
ORDERS_FILE = "public.orders_131415_000000000009.csv"
LINES_FILE = "public.order_lines_131415_000000000009.csv"
GOLDEN = {ORDERS_FILE: GOLDEN_ORDERS.encode(), LINES_FILE: GOLDEN_LINES.encode()}


def copy_of(folder: Path) -> Path:
    """Where the local copy of a drop is."""
    return folder.with_name(f"{folder.name}.copy")


def made(
    folder: Path, name: str = PATTERN, into: Mapping[str, str] | None = None, **layout: Any
) -> FilesTarget:
    settings = DropLayout(copy_of(folder), NamePattern(name), **layout)
    return FilesTarget(settings, LocalStore(folder), DELIVERY, into)


def copied(folder: Path) -> dict[str, bytes]:
    """The local copy of a drop, without the ledger."""
    found = contents(copy_of(folder))
    return {name: data for name, data in found.items() if not name.startswith(".drops/")}


def opened(folder: Path, encoding: str = "utf-8") -> FilesTarget:
    target = made(folder, encoding=encoding)
    contract: Target = target
    assert not contract.keeps_progress
    assert contract.open(TABLES) is None
    return target


def test_one_file_per_table_and_an_equal_local_copy(tmp_path: Path) -> None:
    target = opened(tmp_path / "out")
    outcome = target.deliver(work(), in_blocks(CHANGES), no_park)
    target.close()
    assert outcome == Outcome(changes=7, written=7)
    assert contents(tmp_path / "out") == copied(tmp_path / "out") == GOLDEN


@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_repeated_round_gives_the_same_files(tmp_path: Path, size: int) -> None:
    for machine in ("one", "other"):
        target = made(tmp_path / machine)
        target.open(TABLES)
        target.deliver(work(), in_blocks(CHANGES, size), no_park)
        assert contents(tmp_path / machine) == GOLDEN


def test_a_round_without_changes_writes_no_file(tmp_path: Path) -> None:
    target = opened(tmp_path / "out")
    assert target.deliver(work(), iter([]), no_park) == Outcome(changes=0, written=0)
    assert contents(tmp_path / "out") == {}


def test_a_failure_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    def failing() -> Iterator[Block]:
        yield block(CHANGES[:4])
        raise ConnectionError

    target = opened(tmp_path / "out")
    with pytest.raises(ConnectionError):
        target.deliver(work(), failing(), no_park)
    assert contents(tmp_path / "out") == copied(tmp_path / "out") == {}


def _deliver_and_die(out: Path) -> None:
    def dying() -> Iterator[Block]:
        yield block([*CHANGES, line(8, "a change that the repetition does not have")])
        os.kill(os.getpid(), signal.SIGKILL)

    opened(out).deliver(work(), dying(), no_park)


def test_a_killed_attempt_is_invisible_and_repeated(tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = multiprocessing.get_context("spawn").Process(target=_deliver_and_die, args=(out,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert contents(out) == {}
    assert set(copied(out)) == {f".{name}.part" for name in GOLDEN}
    opened(out).deliver(work(), in_blocks(CHANGES), no_park)
    assert contents(out) == copied(out) == GOLDEN


def test_a_row_that_the_encoding_cannot_hold_parks(tmp_path: Path) -> None:
    parked = ParkedList()
    changes = [
        line(1, "plain"),
        line(2, f"{SECRET}中"),
        change(3, LINES, "U", {"id": 1, "note": "x"}),
    ]
    outcome = opened(tmp_path / "out", encoding="latin-1").deliver(work(), [block(changes)], parked)
    assert outcome == Outcome(changes=3, written=2, parked=1)
    assert [item.change.id for item in parked.parked] == [2]
    assert parked.parked[0].error == (
        'column "note" holds a character that the encoding latin-1 lacks'
    )
    assert contents(tmp_path / "out") == {
        LINES_FILE: b'"op","id","note"\r\n"I",1,"plain"\r\n"U",1,"x"\r\n'
    }


def test_many_parked_rows_are_not_collected(tmp_path: Path) -> None:
    calls: list[int] = []

    def park(parked: Sequence[Parked]) -> None:
        calls.append(len(parked))

    blocks = (block([line(number, "中")] * 500) for number in range(7))
    outcome = opened(tmp_path / "out", encoding="ascii").deliver(work(), blocks, park)
    assert calls == [1000, 1000, 1000, 500]
    assert outcome == Outcome(changes=3500, written=0, parked=3500)
    assert contents(tmp_path / "out") == {}


def test_a_failing_park_publishes_nothing(tmp_path: Path) -> None:
    def park(parked: Sequence[Parked]) -> None:
        raise ConnectionError(len(parked))

    target = opened(tmp_path / "out", encoding="ascii")
    with pytest.raises(ConnectionError):
        target.deliver(work(), [block([line(1, "a"), line(2, "中")])], park)
    assert contents(tmp_path / "out") == {}


def test_a_full_disk_tells_the_folder_and_no_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    target = opened(tmp_path / "out")
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(TargetUnavailable) as caught:
            target.deliver(work(), [block([line(1, SECRET)])], no_park)
    assert str(tmp_path) in str(caught.value)
    assert SECRET not in str(caught.value)
    assert contents(tmp_path / "out") == {}
    target.deliver(work(), [block([line(1, SECRET)])], no_park)
    assert len(contents(tmp_path / "out")) == 1


def test_files_are_named_after_the_table_that_the_route_names(tmp_path: Path) -> None:
    into = {LINES.name: "crm/lines"}
    target = made(tmp_path / "out", "{table}-{batch}.csv", into)
    target.open(TABLES)
    target.deliver(work(), in_blocks(CHANGES), no_park)
    assert set(contents(tmp_path / "out")) == {"public.orders-9.csv", "crm%2Flines-9.csv"}


@pytest.mark.parametrize(
    ("pattern", "into"), [("all-{batch}.csv", {}), (PATTERN, {LINES.name: "public.orders"})]
)
def test_two_tables_never_share_a_name(tmp_path: Path, pattern: str, into: dict[str, str]) -> None:
    target = made(tmp_path / "out", pattern, into)
    with pytest.raises(DeliveryStopped, match=r"tables public.orders and public.order_lines would"):
        target.open(TABLES)
    target.open({LINES.name: LINES})
    target.deliver(work(), [block([line(1, "x")])], no_park)
    assert len(contents(tmp_path / "out")) == 1


def test_a_table_that_is_not_known_any_more(tmp_path: Path) -> None:
    target = made(tmp_path / "out")
    target.open({})
    with pytest.raises(DeliveryStopped, match=r"orders/partner: .* table public.order_lines"):
        target.deliver(work(), [block([line(1, SECRET)])], no_park)


def test_a_round_over_more_tables_than_files_may_be_open(tmp_path: Path) -> None:
    tables = {f"t{n}": LINES for n in range(200)}
    target = made(tmp_path / "out")
    target.open(tables)
    changes = [Change(1, name, "T", None, None, None, "2026-11-21T13:14:15") for name in tables]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(number) for number in os.listdir("/proc/self/fd"))  # noqa: PTH208
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 20, hard))
    try:
        target.deliver(work(), [block(changes)], no_park)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(contents(tmp_path / "out")) == 200


def test_a_large_round_is_streamed(tmp_path: Path) -> None:
    def blocks() -> Iterator[Block]:
        for start in range(0, 30_000, 1000):
            yield block([line(number, "x" * 100) for number in range(start, start + 1000)])

    target = opened(tmp_path / "out")
    tracemalloc.start()
    try:
        outcome = target.deliver(work(), blocks(), no_park)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert outcome.written == 30_000
    assert peak < 5_000_000
