from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.change import Change
from replicator.errors import DeliveryStopped
from replicator.targets.files.formats import FileFormat, FormatOptions, new_file
from tests.unit.targets.rounds import CHANGES, LINES, ORDERS, SECRET, change, line
from triggers.model import Column, Kind, Table

GOLDEN_ORDERS = (
    '"op","id","customer","total","paid","photo","tags","document"\r\n'
    '"I",123456789012345678901234567890,"Åsa ""A"" O\'Neil, Ltd\nline two\r\nline three",'
    '0.00000010,true,"\\x00ff","[""a,b"",null,1.50,7,""q\\""""]","{""b"": 1,  ""a"": [null]}"\r\n'
    '"U",2,"",1000,false,,,\r\n'
    '"D",3,,"NaN",,,,\r\n'
)
GOLDEN_LINES = '"op","id","note"\r\n"I",2,"你好 😀"\r\n"T",,\r\n"I",6,\r\n"I",7,""\r\n'


def csv_file(table: Table, encoding: str) -> FileFormat:
    return new_file(FormatOptions(), table, encoding)


def of(table: Table) -> list[Change]:
    return [change for change in CHANGES if change.table == table.name]


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-8-sig", "utf-16"])
def test_golden_bytes(encoding: str) -> None:
    for table, golden in ((ORDERS, GOLDEN_ORDERS), (LINES, GOLDEN_LINES)):
        file = csv_file(table, encoding)
        changes = of(table)
        first, rest = file.lines(changes[:1]), file.lines(changes[1:])
        assert first.data + rest.data + file.end() == golden.encode(encoding)
        assert first.count + rest.count == len(changes)
        assert first.parked + rest.parked == []


def test_python_reads_it_back() -> None:
    lines = csv_file(ORDERS, "gb18030").lines(of(ORDERS))
    header, first, second, third = csv.reader(io.StringIO(lines.data.decode("gb18030"), newline=""))
    assert header == ["op", *(column.name for column in ORDERS.columns)]
    assert first[:3] == [
        "I",
        "123456789012345678901234567890",
        CHANGES[0].row["customer"],
    ]
    assert first[7] == CHANGES[0].row["document"]
    assert (second[0], third[0]) == ("U", "D")


text = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(st.tuples(text, text), min_size=1))
def test_any_text_is_read_back_equal(rows: list[tuple[str, str]]) -> None:
    table = Table("t", (Column("a", Kind.TEXT, "text"), Column("b", Kind.TEXT, "text")), ("a",))
    changes = [change(1, table, "I", {"a": a, "b": b}) for a, b in rows]
    lines = csv_file(table, "utf-8").lines(changes)
    read = list(csv.reader(io.StringIO(lines.data.decode(), newline="")))
    assert read == [["op", "a", "b"], *(["I", a, b] for a, b in rows)]
    assert (lines.count, lines.parked) == (len(rows), [])


def test_floats_keep_their_form_and_decimals_are_written_out() -> None:
    table = Table(
        "t",
        (Column("f", Kind.FLOAT, "double"), Column("d", Kind.DECIMAL, "numeric")),
        ("f",),
    )
    row = {"f": Decimal("1E-300"), "d": Decimal("-1E-20")}
    lines = csv_file(table, "ascii").lines([change(1, table, "I", row)])
    assert lines.data.splitlines()[1] == b'"I",1E-300,-0.00000000000000000001'


def test_a_character_that_the_encoding_lacks_parks_its_row_only() -> None:
    changes = [line(1, "before"), line(2, f"{SECRET} 😀"), line(3, "后")]
    lines = csv_file(LINES, "gbk").lines(changes)
    assert lines.data == '"op","id","note"\r\n"I",1,"before"\r\n"I",3,"后"\r\n'.encode("gbk")
    assert lines.count == 2
    assert [parked.change.id for parked in lines.parked] == [2]
    assert lines.parked[0].error == 'column "note" holds a character that the encoding gbk lacks'


@pytest.mark.parametrize("encoding", ["utf-16", "iso2022_jp", "hz", "latin-1"])
def test_encodings_with_state_recover_from_a_refused_row(encoding: str) -> None:
    note = "é" if encoding == "latin-1" else "中"
    lone = "\ud800"  # no encoding has it
    file = csv_file(LINES, encoding)
    data = b""
    for block in ([line(1, note)], [line(2, note), line(3, lone)], [line(4, note + lone)]):
        data += file.lines(block).data
    data += file.end()
    expected = f'"op","id","note"\r\n"I",1,"{note}"\r\n"I",2,"{note}"\r\n'
    assert data.decode(encoding) == expected
    assert data == expected.encode(encoding)


def test_without_lines_there_is_no_header_either() -> None:
    file = csv_file(LINES, "ascii")
    assert file.lines([line(1, "ü")]).data == b""
    assert file.lines([line(2, "u")]).data == b'"op","id","note"\r\n"I",2,"u"\r\n'


def test_columns_that_a_change_lacks_are_null_and_those_the_table_lacks_are_left_out() -> None:
    lines = csv_file(LINES, "utf-8").lines([change(1, LINES, "I", {"id": 1, "gone": "x"})])
    assert lines.data.endswith(b'"I",1,\r\n')


def test_a_column_name_that_the_encoding_lacks_stops_the_delivery() -> None:
    table = Table("t", (Column("größe", Kind.TEXT, "text"),), ("größe",))
    with pytest.raises(
        DeliveryStopped, match="ascii cannot express the names that the files of table t hold"
    ):
        csv_file(table, "ascii")
