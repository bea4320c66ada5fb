"""What is removed from a backup: never what is needed to restore what is to stay restorable."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from replicator.change import Change
from replicator.targets.backup import Archive, BackupTarget, BaseWriter, Keep, Rotation
from replicator.targets.backup.retention import remove_old
from replicator.targets.backup.segment import list_segments, segment_number
from tests.unit.targets.rounds import DELIVERY, LINES, TABLES, in_blocks, no_park, work

START = datetime(2026, 11, 1, tzinfo=UTC)
NOW = START + timedelta(days=10)


def day(number: int) -> str:
    return (START + timedelta(days=number)).strftime("%Y-%m-%dT%H:%M:%S.%f")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A segment for each of the days 1 to 9 (batch, too), day 10 in the journal."""
    for number in range(1, 11):
        change = Change(number, LINES.name, "I", None, {"id": number}, None, day(number))
        write(tmp_path, number, change)
    return tmp_path / "orders"


def write(path: Path, number: int, change: Change, keep: Keep | None = None) -> None:
    now = START + timedelta(days=number)
    target = BackupTarget(path, DELIVERY, Rotation(), keep, now=lambda: now)
    target.open(TABLES, str(number - 1))
    target.deliver(work(number, number), in_blocks([change]), no_park)


def base(folder: Path, number: int) -> None:
    """A base copy that was taken after a day's changes."""
    with BaseWriter(folder, route="orders", epoch="e1", after_batch=number) as writer:
        writer.table(LINES)
        writer.rows({"id": id_} for id_ in range(1, number + 1))
        writer.finish(START + timedelta(days=number, hours=1))


def left(folder: Path) -> tuple[list[int], list[int]]:
    """Numbers of the segments, and the last batches of the base copies, that are still there."""
    archive = Archive.open(folder)
    assert archive.verify() == []
    bases = [base.content.after_batch for base in archive.bases]
    return [segment_number(path) for path in list_segments(folder)], bases


@pytest.mark.parametrize(
    ("keep", "bases", "expected"),
    [
        (Keep(), [3, 6], (1, [3, 6])),
        (Keep(span=timedelta(days=5)), [], (1, [])),
        (
            Keep(span=timedelta(days=5)),
            [6],
            (1, [6]),
        ),  # day 5 can be restored only from the first change on
        (Keep(span=timedelta(days=5)), [3, 6], (4, [3, 6])),
        (Keep(span=timedelta(days=3)), [3, 6], (7, [6])),
        (Keep(span=timedelta(days=1)), [2, 3, 6, 8], (9, [8])),
        (Keep(bases=1), [3, 6], (7, [6])),
        (Keep(bases=2), [2, 3, 6], (4, [3, 6])),
        (Keep(bases=5), [3, 6], (4, [3, 6])),
        (Keep(bases=1), [], (1, [])),
        (Keep(span=timedelta(days=3), without_base=True), [], (8, [])),
    ],
)
def test_what_stays(
    folder: Path, keep: Keep, bases: list[int], expected: tuple[int, list[int]]
) -> None:
    for number in bases:
        base(folder, number)
    remove_old(folder, "e1", keep, NOW)
    first, kept = expected
    assert left(folder) == (list(range(first, 10)), kept)
    before = sorted(folder.iterdir())
    assert remove_old(folder, "e1", keep, NOW) == []
    assert sorted(folder.iterdir()) == before


def test_a_base_copy_of_another_history_does_not_count(folder: Path) -> None:
    base(folder, 6)
    assert remove_old(folder, "e2", Keep(bases=1), NOW) == []


def test_what_is_old_goes_when_a_segment_is_sealed(folder: Path) -> None:
    base(folder, 6)
    change = Change(11, LINES.name, "I", None, {"id": 11}, None, day(11))
    write(folder.parent, 11, change, Keep(bases=1))
    assert left(folder) == ([7, 8, 9, 10], [6])
