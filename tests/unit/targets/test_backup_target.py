from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from replicator.change import Block
from replicator.errors import DeliveryStopped
from replicator.pipeline.contract import DeliveryName, Outcome, Round, Target
from replicator.targets.backup import BackupTarget, list_segments, read_segment
from replicator.targets.files import folder as folder_module
from tests.blocks import block
from tests.unit.targets.rounds import (
    CHANGES,
    DELIVERY,
    TABLES,
    contents,
    in_blocks,
    line,
    no_park,
    work,
)

NAME = "000000000007-000000000009.jsonl.gz"


def opened(path: Path) -> BackupTarget:
    target = BackupTarget(path, DELIVERY)
    contract: Target = target
    assert not contract.keeps_progress
    assert contract.open(TABLES) is None
    return target


def test_a_round_becomes_a_segment_and_its_checksum(tmp_path: Path) -> None:
    target = opened(tmp_path)
    outcome = target.deliver(work(), in_blocks(CHANGES), no_park)
    target.close()
    assert outcome == Outcome(changes=7, written=7)
    assert set(contents(tmp_path)) == {f"orders/{NAME}", f"orders/{NAME}.sha256"}
    header, changes = read_segment(tmp_path / "orders" / NAME)
    assert list(changes) == CHANGES
    assert (header.route, header.epoch, header.mark) == ("orders", "e1", "m9")


def test_a_repeated_round_gives_the_same_bytes(tmp_path: Path) -> None:
    target = opened(tmp_path)
    target.deliver(work(), in_blocks(CHANGES), no_park)
    first = contents(tmp_path)
    target.deliver(work(), in_blocks(CHANGES), no_park)
    opened(tmp_path).deliver(work(), in_blocks(CHANGES), no_park)
    assert contents(tmp_path) == first


def test_rounds_follow_one_another(tmp_path: Path) -> None:
    target = opened(tmp_path)
    for batch in (1, 2, 3):
        target.deliver(work(batch, batch), [block([line(batch, None)])], no_park)
    opened(tmp_path).deliver(work(9, 12), [block([line(12, None)])], no_park)
    read = [
        change.id for path in list_segments(tmp_path / "orders") for change in read_segment(path)[1]
    ]
    assert read == [1, 2, 3, 12]


def test_a_round_without_changes_writes_nothing(tmp_path: Path) -> None:
    outcome = opened(tmp_path).deliver(work(), iter([]), no_park)
    assert outcome == Outcome(changes=0, written=0)
    assert contents(tmp_path) == {}


def test_a_failure_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    def failing() -> Iterator[Block]:
        yield block(CHANGES)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        opened(tmp_path).deliver(work(), failing(), no_park)
    assert contents(tmp_path) == {}


def test_the_checksum_comes_last_so_that_a_torn_pair_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = folder_module.Draft.publish

    def fail_for_checksum(draft: folder_module.Draft) -> None:
        if draft.path.suffix == ".sha256":
            raise ConnectionError
        publish(draft)

    target = opened(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(folder_module.Draft, "publish", fail_for_checksum)
        with pytest.raises(ConnectionError):
            target.deliver(work(), in_blocks(CHANGES), no_park)
    assert set(contents(tmp_path)) == {f"orders/{NAME}"}
    opened(tmp_path).deliver(work(), in_blocks(CHANGES), no_park)
    assert list(read_segment(tmp_path / "orders" / NAME)[1]) == CHANGES


@pytest.mark.parametrize(
    "other",
    [
        work(7, 9, epoch="e2"),  # the same batches of a source that was installed anew
        work(7, 9, mark="restored"),  # the same batches after the source went back in time
        work(10, 12, epoch="e2"),
        work(8, 9),
        work(9, 12),
        work(1, 3),
        work(1, 20),
    ],
)
def test_segments_of_another_history_are_never_replaced(tmp_path: Path, other: Round) -> None:
    opened(tmp_path).deliver(work(), in_blocks(CHANGES), no_park)
    before = contents(tmp_path)
    target = opened(tmp_path)
    with pytest.raises(DeliveryStopped, match="another history of the source") as caught:
        target.deliver(other, in_blocks(CHANGES), no_park)
    assert str(tmp_path / "orders") in caught.value.hint
    assert contents(tmp_path) == before


def test_a_damaged_newest_segment_does_not_stop_the_next_ones(tmp_path: Path) -> None:
    opened(tmp_path).deliver(work(), in_blocks(CHANGES), no_park)
    (tmp_path / "orders" / NAME).write_bytes(b"damaged")
    opened(tmp_path).deliver(work(10, 10), [block([line(8, None)])], no_park)
    assert len(list_segments(tmp_path / "orders")) == 2


def test_a_route_name_stays_inside_the_backup_folder(tmp_path: Path) -> None:
    target = BackupTarget(tmp_path / "backup", DeliveryName("../up", "backup"))
    target.open(TABLES)
    target.deliver(work(), in_blocks(CHANGES), no_park)
    assert {path.name for path in tmp_path.iterdir()} == {"backup"}
    assert {path.name for path in (tmp_path / "backup").iterdir()} == {"%2E.%2Fup"}


def test_a_large_round_is_streamed_both_ways(tmp_path: Path) -> None:
    def blocks() -> Iterator[Block]:
        for start in range(0, 30_000, 1000):
            yield block([line(number, "x" * 100) for number in range(start, start + 1000)])

    target = opened(tmp_path)
    tracemalloc.start()
    try:
        target.deliver(work(), blocks(), no_park)
        read = sum(1 for _ in read_segment(tmp_path / "orders" / NAME)[1])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert read == 30_000
    assert peak < 5_000_000
