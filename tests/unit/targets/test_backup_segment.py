from __future__ import annotations

import gzip
import hashlib
import subprocess
from pathlib import Path

import pytest

from replicator.targets.backup import SegmentError, list_segments, read_segment
from replicator.targets.backup.segment import SegmentHeader, SegmentWriter, checksum_path
from tests.unit.targets.rounds import CHANGES, SECRET, line

HEADER = SegmentHeader(route="orders", epoch="e1", first_batch=7, last_batch=9, mark="m9")
NAME = "000000000007-000000000009.jsonl.gz"


def write(folder: Path, data: bytes, name: str = NAME) -> Path:
    """Write a segment whose checksum file agrees with whatever it holds."""
    path = folder / name
    path.write_bytes(data)
    checksum_path(path).write_text(f"{hashlib.sha256(data).hexdigest()}  {name}\n")
    return path


@pytest.fixture
def segment(tmp_path: Path) -> Path:
    writer = SegmentWriter(HEADER)
    data = writer.add(CHANGES[:3]) + writer.add(CHANGES[3:]) + writer.end()
    path = write(tmp_path, data)
    assert checksum_path(path).read_bytes() == writer.checksum_line(NAME)
    return path


def test_golden_lines(segment: Path) -> None:
    lines = gzip.decompress(segment.read_bytes()).splitlines(keepends=True)
    assert lines[0] == (
        b'{"route":"orders","epoch":"e1","first_batch":7,"last_batch":9,"mark":"m9","version":1}\n'
    )
    assert lines[1].decode() == (
        '[1,"public.orders","I",null,{"id":123456789012345678901234567890,'
        '"customer":"Åsa \\"A\\" O\'Neil, Ltd\\nline two\\r\\nline three","total":1.0E-7,'
        '"paid":true,"photo":"\\\\x00ff","tags":["a,b",null,1.50,7,"q\\""],'
        '"document":"{\\"b\\": 1,  \\"a\\": [null]}"},null,"2026-11-21T13:14:15.000123"]\n'
    )
    digest = hashlib.sha256(b"".join(lines[:-1])).hexdigest()
    assert lines[-1].decode() == f'{{"changes":7,"sha256":"{digest}"}}\n'
    assert len(lines) == 9


def test_reading_gives_back_every_change(segment: Path) -> None:
    header, changes = read_segment(segment)
    assert header == HEADER
    assert list(changes) == CHANGES


def test_neither_time_nor_name_is_in_the_bytes(segment: Path) -> None:
    assert segment.read_bytes()[3:8] == bytes(5)  # flags and time of the gzip header


def test_sha256sum_agrees(segment: Path) -> None:
    result = subprocess.run(
        ["sha256sum", "-c", checksum_path(segment).name],
        cwd=segment.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == f"{NAME}: OK\n"


def test_any_flipped_byte_is_found_and_the_file_named(segment: Path) -> None:
    data = segment.read_bytes()
    for position in range(len(data)):
        segment.write_bytes(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
        with pytest.raises(SegmentError) as caught:
            read_segment(segment)
        assert f"{segment} is damaged" in caught.value.message


def lines_of_a_segment() -> list[bytes]:
    writer = SegmentWriter(HEADER)
    data = writer.add([line(1, SECRET), line(2, "b")]) + writer.end()
    return gzip.decompress(data).splitlines(keepends=True)


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ((0, 1, 3), "do not agree with its trailer"),
        ((0, 2, 1, 3), "do not agree with its trailer"),
        ((0, 1, 2), "its end is missing"),
        ((0,), "its end is missing"),
        ((0, 1, 2, 3, 1), "its lines cannot be read"),
        ((0, 1, 0, 2, 3), "its lines cannot be read"),
        ((1, 2, 3), "its header cannot be read"),
        ((), "its header cannot be read"),
    ],
)
def test_lines_are_verified_even_where_the_checksum_file_agrees(
    tmp_path: Path, order: tuple[int, ...], reason: str
) -> None:
    lines = lines_of_a_segment()
    path = write(tmp_path, gzip.compress(b"".join(lines[number] for number in order)))
    with pytest.raises(SegmentError) as caught:
        list(read_segment(path)[1])
    assert str(path) in str(caught.value)
    assert reason in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_truncated_gzip_stream(tmp_path: Path, segment: Path) -> None:
    path = write(tmp_path, segment.read_bytes()[:-9])
    with pytest.raises(SegmentError, match="its lines cannot be read"):
        list(read_segment(path)[1])


def test_a_torn_pair_is_found(segment: Path) -> None:
    checksum_path(segment).unlink()
    with pytest.raises(SegmentError, match="its round was not finished") as caught:
        read_segment(segment)
    assert f"sha256sum {NAME} > {NAME}.sha256" in caught.value.hint


def test_a_lost_segment(segment: Path) -> None:
    segment.unlink()
    with pytest.raises(SegmentError, match="cannot be read: No such file"):
        read_segment(segment)


def test_a_renamed_segment(segment: Path) -> None:
    path = write(segment.parent, segment.read_bytes(), "000000000010-000000000011.jsonl.gz")
    with pytest.raises(SegmentError, match="other batches than its name tells"):
        read_segment(path)


def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, gzip.compress(b'{"version":2,"anything":1}\n'))
    with pytest.raises(SegmentError, match="version 2 of the format"):
        read_segment(path)


def test_segments_are_listed_in_order_and_nothing_else_is(tmp_path: Path) -> None:
    names = ["000000000010-000000000010.jsonl.gz", NAME, "1000000000000-1000000000001.jsonl.gz"]
    for name in [*names, f"{NAME}.sha256", f".{NAME}.part", "notes.txt"]:
        (tmp_path / name).touch()
    assert [path.name for path in list_segments(tmp_path)] == [NAME, names[0], names[2]]
