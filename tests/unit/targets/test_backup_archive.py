"""What is found in a backup folder, and what is found wrong with it."""

from __future__ import annotations

import gzip
import hashlib
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from replicator.errors import ReplicatorError
from replicator.restore import Wish, make_plan
from replicator.targets.backup import (
    Archive,
    BackupTarget,
    BaseWriter,
    SegmentError,
    read_changes,
)
from replicator.targets.backup.segment import checksum_path, list_segments
from tests.unit.targets.rounds import (
    CHANGES,
    DELIVERY,
    LINES,
    ORDERS,
    SECRET,
    TABLES,
    in_blocks,
    line,
    no_park,
    work,
)

NAME = "changes-00000001-20261121T131415Z.jsonl.gz"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A segment for each of three hours, and a fourth hour in the journal."""
    for batch, changes in enumerate((CHANGES, *([line(n, SECRET)] for n in (20, 30, 40))), 1):
        now = datetime(2026, 11, 21, 12 + batch, tzinfo=UTC)
        target = BackupTarget(tmp_path, DELIVERY, now=lambda now=now: now)  # type: ignore[misc]
        target.open(TABLES, str(batch - 1))
        target.deliver(work(batch, batch), in_blocks(changes), no_park)
    folder = tmp_path / "orders"
    assert len(list_segments(folder)) == 3
    return folder


def problems(folder: Path) -> list[str]:
    found = Archive.open(folder).verify()
    assert SECRET not in "".join(map(str, found))
    return [problem.message for problem in found]


def test_golden_lines(folder: Path) -> None:
    path = folder / NAME
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    assert lines[0] == (
        b'{"record":"segment","version":1,"route":"orders","epoch":"e1","number":1,"previous":null,'
        b'"after_batch":0,"last_batch":1,"changes":7,'
        b'"first_captured_at":"2026-11-21T13:14:15.000123",'
        b'"last_captured_at":"2026-11-21T13:14:59.000123"}\n'
    )
    assert (
        lines[1]
        == b'{"record":"round","first_batch":1,"last_batch":1,"mark":"m1","continued":false}\n'
    )
    assert lines[2].startswith(b'{"record":"table","table":{"name":"public.order')
    assert lines[4].decode() == (
        '[1,"public.orders","I",null,{"id":123456789012345678901234567890,'
        '"customer":"Åsa \\"A\\" O\'Neil, Ltd\\nline two\\r\\nline three","total":1.0E-7,'
        '"paid":true,"photo":"\\\\x00ff","tags":["a,b",null,1.50,7,"q\\""],'
        '"document":"{\\"b\\": 1,  \\"a\\": [null]}"},null,"2026-11-21T13:14:15.000123"]\n'
    )
    digest = hashlib.sha256(b"".join(lines[:-1])).hexdigest()
    assert lines[-1].decode() == f'{{"record":"end","changes":7,"sha256":"{digest}"}}\n'
    assert path.read_bytes()[3:8] == bytes(5)  # neither time nor name in the gzip header


def test_each_segment_names_the_one_before(folder: Path) -> None:
    archive = Archive.open(folder)
    assert archive.journal is not None
    chain = [segment.header.previous for segment in archive.segments]
    chain.append(archive.journal.header.previous)
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in list_segments(folder)]
    assert chain == [None, *digests]
    assert archive.verify() == []


def test_sha256sum_agrees(folder: Path) -> None:
    result = subprocess.run(
        ["sha256sum", "-c", checksum_path(folder / NAME).name],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == f"{NAME}: OK\n"


def test_any_flipped_byte_is_found_and_the_file_named(folder: Path) -> None:
    """In every file but the last line of the journal's last round, which may be unfinished."""
    for path in sorted(folder.glob("*.json*")):
        data = path.read_bytes()
        last = data.rindex(b'{"record":"done"') if path.name == "current.jsonl" else len(data)
        for position in range(0, last, 11):
            path.write_bytes(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
            found = problems(folder)
            assert any(str(path) in message for message in found), (path, position)
        path.write_bytes(data)
    assert problems(folder) == []


def test_a_segment_that_is_missing_is_named(folder: Path) -> None:
    path = list_segments(folder)[1]
    path.unlink()
    assert problems(folder) == [
        f"{folder}: segment 2 is missing",
        f"{path} is missing: its checksum file is there",
    ]


def test_the_newest_segment_is_missed_too(folder: Path) -> None:
    path = list_segments(folder)[2]
    path.unlink()
    checksum_path(path).unlink()
    assert problems(folder) == [f"{folder}: segment 3 is missing"]


def test_the_journal_is_missed(folder: Path) -> None:
    (folder / "current.jsonl").unlink()
    (message,) = problems(folder)
    assert message.startswith(f"{folder / 'current.jsonl'} is missing")


def test_a_lost_checksum_file_is_made_up_for_by_the_next_segment(folder: Path) -> None:
    checksum_path(folder / NAME).unlink()
    assert problems(folder) == []


def test_a_segment_that_was_exchanged_together_with_its_checksum(folder: Path) -> None:
    path = folder / NAME
    lines = gzip.decompress(path.read_bytes()).replace(b"line two", b"line 222")
    path.write_bytes(gzip.compress(lines))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    checksum_path(path).write_text(f"{digest}  {path.name}\n")
    assert problems(folder) == [f"{path} is not the file that the next segment follows"]


def test_lines_are_verified_even_where_all_checksums_agree(folder: Path) -> None:
    path = list_segments(folder)[2]
    lines = gzip.decompress(path.read_bytes()).replace(SECRET.encode(), b"4111")
    path.write_bytes(gzip.compress(lines))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    checksum_path(path).write_text(f"{digest}  {path.name}\n")
    journal = folder / "current.jsonl"
    header = journal.read_bytes().splitlines(keepends=True)[0]
    journal.write_bytes(re.sub(rb'(?<="previous":")\w+', digest.encode(), header))
    assert problems(folder) == []
    with pytest.raises(SegmentError, match="do not agree with its trailer"):
        list(read_changes(folder))


def test_a_newer_version_is_refused(folder: Path) -> None:
    path = folder / NAME
    lines = gzip.decompress(path.read_bytes()).replace(b'"version":1', b'"version":2')
    path.write_bytes(gzip.compress(lines))
    assert "was written in version 2 of the format" in problems(folder)[0]


def test_an_unfinished_round_is_left_out(folder: Path) -> None:
    journal = folder / "current.jsonl"
    journal.write_bytes(journal.read_bytes()[:-5])
    assert problems(folder) == []
    assert [change.id for change in read_changes(folder)][-2:] == [20, 30]


def test_the_folder_of_all_routes_will_do_when_there_is_one(folder: Path) -> None:
    assert Archive.open(folder.parent).folder == folder
    (folder.parent / "other").mkdir()
    (folder.parent / "other" / "current.jsonl").touch()
    with pytest.raises(ReplicatorError, match="several routes: orders, other"):
        Archive.open(folder.parent)
    with pytest.raises(ReplicatorError, match="holds no backup"):
        Archive.open(folder.parent.parent)
    with pytest.raises(ReplicatorError, match="there is no folder"):
        Archive.open(folder / "nowhere")


def write_base(folder: Path, after_batch: int, rows: int, part_bytes: int = 1 << 20) -> Path:
    """A base copy of both tables."""
    with BaseWriter(
        folder, route="orders", epoch="e1", after_batch=after_batch, part_bytes=part_bytes
    ) as base:
        base.table(LINES)
        base.rows({"id": number, "note": "x" * 40} for number in range(rows))
        base.table(ORDERS)
        return base.finish(datetime(2026, 11, 21, 13, 14, 30, tzinfo=UTC)).path


def test_a_base_copy_in_parts_is_read_in_order(folder: Path) -> None:
    write_base(folder, 1, 3000, part_bytes=50_000)
    archive = Archive.open(folder)
    assert len(archive.bases[0].content.parts) > 3
    assert archive.verify() == []
    plan = make_plan(archive, Wish())
    assert (plan.rows, plan.changes) == (3000, 3)
    changes = [change for block in plan.blocks() for change in block.changes()]
    assert [change.row["id"] for change in changes] == [*range(3000), 20, 30, 40]
    assert plan.tables == {table.name: table for table in (LINES, ORDERS)}


def test_a_base_copy_that_was_not_finished_does_not_count(folder: Path) -> None:
    with BaseWriter(folder, route="orders", epoch="e1", after_batch=1) as base:
        base.table(LINES)
        base.rows([{"id": 1, "note": None}])
    assert Archive.open(folder).bases == []
    assert list(folder.glob(".base*")) == []


def test_a_damaged_base_copy_is_named(folder: Path) -> None:
    listed = write_base(folder, 1, 10)
    part = listed.with_name(f"{listed.stem}-0001.jsonl.gz")
    for path in (part, listed):
        data = path.read_bytes()
        path.write_bytes(data[:50] + bytes([data[50] ^ 1]) + data[51:])
        (message,) = problems(folder)
        assert message.startswith(f"{path} is damaged")
        path.write_bytes(data)


def test_a_gap_between_base_copy_and_changes_is_found(folder: Path) -> None:
    write_base(folder, 0, 10)
    first = list_segments(folder)[0]
    first.unlink()
    checksum_path(first).unlink()
    archive = Archive.open(folder)
    assert archive.verify() == []
    with pytest.raises(ReplicatorError, match="are missing"):
        make_plan(archive, Wish())


def test_nothing_is_taken_that_was_captured_later(folder: Path) -> None:
    archive = Archive.open(folder)
    archive.verify()
    plan = make_plan(archive, Wish(until="2026-11-21T13:14:30.000000"))
    ids = [change.id for block in plan.blocks() for change in block.changes()]
    assert ids == [1, 2, 3, 5, 6, 7, 20, 30, 40]  # 4 is of 13:14:59
    assert plan.total == 9
    with pytest.raises(ReplicatorError, match="holds nothing from before"):
        make_plan(archive, Wish(until="2020-01-01T00:00:00.000000"))
