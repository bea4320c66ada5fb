from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from replicator.change import Block, Change
from replicator.errors import DeliveryStopped, TargetUnavailable
from replicator.pipeline.contract import (
    DeliveryName,
    Outcome,
    ProgressConflict,
    Round,
    Target,
)
from replicator.targets.backup import Archive, BackupTarget, Rotation, read_changes
from replicator.targets.backup import sealing as sealing_module
from replicator.targets.backup.segment import list_segments
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

JOURNAL = "orders/current.jsonl"


class Backup:
    """A backup folder, and a clock for whoever writes to it."""

    def __init__(self, path: Path, **rotation: object) -> None:
        self.path = path
        self.folder = path / "orders"
        self.now = datetime(2026, 11, 21, 13, 10, tzinfo=UTC)
        self._rotation = Rotation(**rotation)  # type: ignore[arg-type]

    def open(self, memo: str | None = None) -> BackupTarget:
        """A target that has been opened."""
        target = BackupTarget(self.path, DELIVERY, self._rotation, now=lambda: self.now)
        contract: Target = target
        assert not contract.keeps_progress
        assert contract.open(TABLES, memo) is None
        return target

    def write(self, batch: int, *changes: Change, memo: str | None = None) -> str:
        """Write a round with a target of its own; return the memo."""
        outcome = self.open(memo).deliver(work(batch, batch), in_blocks(changes), no_park)
        assert outcome.memo is not None
        return outcome.memo

    def ids(self) -> list[int]:
        """The changes that are in it."""
        return [change.id for change in read_changes(self.folder)]

    @property
    def segments(self) -> list[str]:
        """The names of the sealed segments."""
        return [path.name for path in list_segments(self.folder)]


@pytest.fixture
def backup(tmp_path: Path) -> Backup:
    return Backup(tmp_path)


def test_a_round_is_in_the_journal(backup: Backup) -> None:
    outcome = backup.open().deliver(work(), in_blocks(CHANGES), no_park)
    assert outcome == Outcome(changes=7, written=7, memo="9")
    assert set(contents(backup.path)) == {JOURNAL, "orders/.lock"}
    assert list(read_changes(backup.folder)) == CHANGES


def test_a_repeated_round_gives_the_same_bytes(backup: Backup) -> None:
    target = backup.open()
    target.deliver(work(1, 1), in_blocks([line(1, None)]), no_park)
    target.deliver(work(), in_blocks(CHANGES), no_park)
    first = contents(backup.path)
    target.deliver(work(), in_blocks(CHANGES), no_park)
    backup.open("1").deliver(work(), in_blocks(CHANGES), no_park)
    assert contents(backup.path) == first


def test_rounds_follow_one_another(backup: Backup) -> None:
    target = backup.open()
    for batch in (1, 2, 3):
        target.deliver(work(batch, batch), [block([line(batch, None)])], no_park)
    backup.open("3").deliver(work(9, 12), [block([line(12, None)])], no_park)
    assert backup.ids() == [1, 2, 3, 12]
    assert backup.segments == []


def test_a_round_without_changes_writes_nothing(backup: Backup) -> None:
    outcome = backup.open().deliver(work(), iter([]), no_park)
    assert outcome == Outcome(changes=0, written=0)
    assert set(contents(backup.path)) == {"orders/.lock"}


def test_a_failure_in_the_middle_leaves_nothing(backup: Backup) -> None:
    def failing() -> Iterator[Block]:
        yield block(CHANGES)
        raise ConnectionError

    backup.write(1, line(1, None))
    before = contents(backup.path)
    with pytest.raises(ConnectionError):
        backup.open("1").deliver(work(), failing(), no_park)
    assert contents(backup.path) == before


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_an_unfinished_end_is_cut_off_and_the_round_written_again(backup: Backup, cut: int) -> None:
    memo = backup.write(1, line(1, None))
    backup.write(2, line(2, "x" * 200), memo=memo)
    whole = contents(backup.path)
    (backup.path / JOURNAL).write_bytes(whole[JOURNAL][:-cut])
    assert backup.ids() == [1]
    backup.write(2, line(2, "x" * 200), memo=memo)
    assert contents(backup.path) == whole


def test_a_finished_round_that_is_lost_stops_the_delivery(backup: Backup) -> None:
    backup.write(1, line(1, None))
    memo = backup.write(2, line(2, None), memo="1")
    data = (backup.path / JOURNAL).read_bytes()
    (backup.path / JOURNAL).write_bytes(data[:-1])
    with pytest.raises(DeliveryStopped, match=r"ends with batch 1, and .* has finished batch 2"):
        backup.open(memo)
    assert (backup.path / JOURNAL).read_bytes() == data[:-1]


def test_a_folder_that_was_moved_away_is_begun_anew(
    backup: Backup, caplog: pytest.LogCaptureFixture
) -> None:
    memo = backup.write(4, line(4, None))
    backup.folder.rename(backup.path / "old")
    backup.write(5, line(5, None), memo=memo)
    assert "begins anew after batch 4" in caplog.text
    assert (backup.ids(), Archive.open(backup.folder).after_batch) == ([5], 4)


def test_a_segment_is_sealed_when_its_hour_is_over(backup: Backup) -> None:
    backup.write(1, line(1, None))
    backup.now += timedelta(minutes=49)
    backup.write(2, line(2, None))
    assert backup.segments == []
    backup.now += timedelta(minutes=1)
    backup.write(3, line(3, None))
    assert backup.segments == ["changes-00000001-20261121T131415Z.jsonl.gz"]
    assert backup.ids() == [1, 2, 3]


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_large_rounds_are_split(tmp_path: Path, compression: str) -> None:
    backup = Backup(tmp_path, size=10_000, compression=compression)
    for batch in range(1, 4):
        first = batch * 1000
        backup.write(batch, *(line(number, "x" * 50) for number in range(first, first + 300)))
    names = backup.segments
    assert len(names) > 6
    archive = Archive.open(backup.folder)
    assert archive.verify() == []
    assert [segment.header.number for segment in archive.segments] == list(range(1, len(names) + 1))
    assert sum(segment.header.changes for segment in archive.segments) == 600
    assert backup.ids() == [b * 1000 + n for b in (1, 2, 3) for n in range(300)]
    # A round that goes on in another segment is known for what it is there.
    assert {(s.header.after_batch, s.header.last_batch) for s in archive.segments} == {
        (0, 1),
        (1, 2),
    }


@pytest.mark.parametrize("survived", range(4))
def test_a_sealing_that_was_interrupted_is_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, survived: int
) -> None:
    """After any number of its segments, and before the next journal."""
    backup = Backup(tmp_path, size=4000)
    backup.write(1, *(line(number, "x" * 50) for number in range(100)))

    write, count = sealing_module._write, 0

    def fail(*arguments: object) -> str:
        nonlocal count
        if count == survived:
            raise TargetUnavailable("the power went away")
        count += 1
        return write(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(sealing_module, "_write", fail)
        with pytest.raises(TargetUnavailable):
            backup.write(2, line(200, None), memo="1")
    assert len(backup.segments) == survived
    larger = Backup(tmp_path, size=8000)  # the configuration was changed meanwhile
    larger.write(2, line(200, None), memo="1")
    assert larger.ids() == [*range(100), 200]
    assert Archive.open(backup.folder).verify() == []


def test_table_definitions_are_written_before_their_changes_and_when_they_change(
    backup: Backup,
) -> None:
    backup.write(1, CHANGES[0], line(2, None))
    backup.write(2, line(3, None))
    text = (backup.path / JOURNAL).read_text()
    assert text.count('"record":"table"') == 2


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
def test_changes_of_another_history_are_never_replaced(backup: Backup, other: Round) -> None:
    backup.open().deliver(work(), in_blocks(CHANGES), no_park)
    before = contents(backup.path)
    target = backup.open()
    with pytest.raises(DeliveryStopped, match="another history of the source") as caught:
        target.deliver(other, in_blocks(CHANGES), no_park)
    assert str(backup.folder) in caught.value.hint
    assert contents(backup.path) == before


def test_a_second_replicator_writes_nothing_over_the_first(backup: Backup) -> None:
    backup.write(1, line(1, None))
    one, other = backup.open("1"), backup.open("1")
    one.deliver(work(2, 2), in_blocks([line(2, None)]), no_park)
    with pytest.raises(ProgressConflict):
        other.deliver(work(2, 2), in_blocks([line(2, None)]), no_park)
    assert backup.ids() == [1, 2]


def test_two_replicators_never_write_at_the_same_time(backup: Backup) -> None:
    one, other = backup.open(), backup.open()

    def meanwhile() -> Iterator[Block]:
        yield block([line(1, None)])
        with pytest.raises(TargetUnavailable, match="another process writes"):
            other.deliver(work(1, 1), in_blocks([line(1, None)]), no_park)
        yield block([line(2, None)])

    one.deliver(work(1, 1), meanwhile(), no_park)
    assert backup.ids() == [1, 2]


def test_a_route_name_stays_inside_the_backup_folder(tmp_path: Path) -> None:
    target = BackupTarget(tmp_path / "backup", DeliveryName("../up", "backup"))
    target.open(TABLES)
    target.deliver(work(), in_blocks(CHANGES), no_park)
    assert {path.name for path in tmp_path.iterdir()} == {"backup"}
    assert {path.name for path in (tmp_path / "backup").iterdir()} == {"%2E.%2Fup"}


def test_a_large_round_is_streamed_both_ways(tmp_path: Path) -> None:
    def blocks() -> Iterator[Block]:
        for start in range(0, 30_000, 1000):
            yield block(rows(start))

    def rows(start: int) -> Sequence[Change]:
        return [line(number, "x" * 100) for number in range(start, start + 1000)]

    backup = Backup(tmp_path, size=2_000_000)
    target = backup.open()
    tracemalloc.start()
    try:
        target.deliver(work(), blocks(), no_park)
        target.deliver(work(10, 10), [block([line(1, None)])], no_park)
        read = sum(1 for _ in read_changes(backup.folder))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (read, len(backup.segments)) == (30_001, 3)
    assert peak < 8_000_000
