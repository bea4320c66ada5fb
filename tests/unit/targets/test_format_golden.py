"""Golden files: the bytes are these, and readers that are not ours find the values in them."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from replicator.change import Change
from tests.golden.cases import CASES, FOLDER, NAMES, file_name, written

HEADER = ["op", *NAMES]
XSI = "{http://www.w3.org/2001/XMLSchema-instance}nil"

Fields = list[str | None]


def form(value: Any) -> str | None:
    """What every text format makes of a value, without quotes."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(value) if isinstance(value, int) else '["a,b",null,1.50,"q\\""]'


def fields(change: Change) -> Fields:
    return [change.op, *(form(change.row.get(name)) for name in NAMES)]


def expected(name: str) -> list[Fields]:
    return [fields(change) for change in written(name).changes]


def golden(name: str) -> Path:
    return FOLDER / file_name(name)


def as_utf_8(name: str, charset: str) -> str:
    done = subprocess.run(
        ["iconv", "-f", charset, "-t", "UTF-8", golden(name)], check=True, stdout=subprocess.PIPE
    )
    return done.stdout.decode()


def by_duckdb(path: Path, *, delimiter: str = ",", escape: str = '"', null: str = "") -> Any:
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in HEADER)
    compression = {".gz": "gzip", ".zst": "zstd"}.get(path.suffix, "none")
    return duckdb.execute(
        f"SELECT * FROM read_csv(?, header = true, auto_detect = false, delim = '{delimiter}', "
        f"quote = '\"', escape = '{escape}', nullstr = '{null}', allow_quoted_nulls = false, "
        f"strict_mode = true, compression = '{compression}', columns = {{{columns}}})",
        [str(path)],
    ).fetchall()


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("size", [1, 7, 100])
def test_bytes(name: str, size: int) -> None:
    assert written(name, size).data == golden(name).read_bytes()


def test_there_are_no_other_files() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {file_name(name) for name in CASES}


@pytest.mark.parametrize(
    "name", ["csv-utf-8", "csv-utf-8-sig", "csv-all", "csv-minimal", "csv-gzip", "csv-zstd"]
)
def test_duckdb_reads_csv(name: str) -> None:
    assert by_duckdb(golden(name)) == [tuple(row) for row in expected(name)]


def test_duckdb_reads_csv_with_an_escape() -> None:
    rows = by_duckdb(golden("csv-escape"), escape="\\")
    assert rows == [tuple(row) for row in expected("csv-escape")]


@pytest.mark.parametrize(
    ("name", "charset", "lines"),
    [
        ("csv-utf-8", "UTF-8", 20),
        ("csv-utf-16", "UTF-16", 20),
        ("csv-gb18030", "GB18030", 20),
        ("csv-gbk", "GBK", 17),
        ("csv-latin-1", "ISO-8859-1", 17),
    ],
)
def test_iconv_and_duckdb_read_any_encoding(
    name: str, charset: str, lines: int, tmp_path: Path
) -> None:
    path = tmp_path / "file.csv"
    path.write_text(as_utf_8(name, charset), encoding="utf-8", newline="")
    rows = by_duckdb(path)
    assert rows == [tuple(row) for row in expected(name)]
    assert len(rows) == lines


def test_a_byte_order_mark_comes_once() -> None:
    assert golden("csv-utf-8-sig").read_bytes().count(b"\xef\xbb\xbf") == 1
    assert golden("csv-utf-16").read_bytes().count(b"\xff\xfe") == 1


@pytest.mark.parametrize(
    ("name", "charset", "dialect"),
    [
        ("csv-utf-8", "UTF-8", {}),
        ("csv-minimal", "UTF-8", {}),
        ("csv-gbk", "GBK", {}),
        ("csv-escape", "UTF-8", {"escapechar": "\\", "doublequote": False}),
    ],
)
def test_python_reads_csv(name: str, charset: str, dialect: dict[str, Any]) -> None:
    read = list(csv.reader(io.StringIO(as_utf_8(name, charset), newline=""), **dialect))
    assert read[0] == HEADER
    assert read[1:] == [[field or "" for field in row] for row in expected(name)]


def test_python_reads_csv_without_quotes() -> None:
    text = as_utf_8("csv-none", "UTF-8").replace("\\N", "\0")  # \N is NULL; text has no such letter
    assert text.count("\0") > 1
    options: dict[str, Any] = {"delimiter": "|", "quoting": csv.QUOTE_NONE, "escapechar": "\\"}
    rows = list(csv.reader(io.StringIO(text, newline=""), **options))
    null = [[field if field is not None else "\0" for field in row] for row in expected("csv-none")]
    assert [row for row in rows[1:] if row[1] not in ("5", "17")] == [
        row for row in null if row[1] not in ("5", "17")
    ]


def test_values_with_a_delimiter_and_no_way_to_say_so_are_parked() -> None:
    parked = {p.change.id: p.error for p in written("csv-none-without-escape").parked}
    reason = "a delimiter or line end inside a value, which is neither quoted nor escaped"
    assert parked == {4: reason, 6: reason}


def test_characters_are_replaced_before_they_are_quoted() -> None:
    """The reference holds the delimiter."""
    result = written("csv-latin-1-xmlcharref")
    assert (result.count, result.replaced, result.parked) == (20, 3, [])
    text = as_utf_8("csv-latin-1-xmlcharref", "ISO-8859-1")
    rows = {row[1]: row for row in csv.reader(io.StringIO(text, newline=""), delimiter=";")}
    assert rows["12"][2] == "&#128512;"
    assert rows["11"][3] == "&#27721;&#23383; GB18030"
    assert rows["10"][3] == "Åsa Müller"
    assert {len(row) for row in rows.values()} == {len(HEADER)}


def test_replaced_by_question_marks() -> None:
    result = written("csv-gbk-replace")
    assert (result.count, result.replaced, result.parked) == (20, 3, [])
    rows = {row[1]: row for row in csv.reader(io.StringIO(as_utf_8("csv-gbk-replace", "GBK")))}
    assert (rows["10"][2], rows["10"][3]) == ("ü", "?sa Müller")
    assert rows["12"][2] == "?"


def test_formulas_are_texts() -> None:
    rows = {row[1]: row for row in by_duckdb(golden("csv-formula-guard"))}
    assert rows["7"][2:4] == ("'=1+1", "'@cmd")
    assert rows["8"][2:4] == ("'+1", "'-1")
    assert rows["-15"][1:3] == ("-15", "minus")


def test_as_the_partner_says() -> None:
    text = as_utf_8("csv-partner", "UTF-8")
    header, first, *rest = csv.reader(io.StringIO(text, newline=""), delimiter=";")
    assert dict(zip(header, first, strict=True)) == {
        "Order No": "1",
        "Größe": "plain",
        "Betrag": "12,50",
        "Rohbetrag": "13",
        "Bezahlt": "Y",
        "Datum": "21.11.2026",
        "Jahr": "2026",
        "Zeit": "21-Nov-26 01:14:15.123 PM",
        "What": "new",
    }
    rows = {(row[0], row[-1]): row for row in rest}
    assert rows["4", "gone"][1] == "row"
    assert rows["123456789012345678901234567890", "new"][2:4] == ["0,00", "0"]
    assert rows["-", "emptied"] == ["-"] * 8 + ["emptied"]


def test_only_deletes() -> None:
    (row,) = by_duckdb(golden("csv-deletes-only"))
    assert row[:4] == ("D", "4", "gone", "row")


@pytest.mark.parametrize(
    ("name", "charset"),
    [("jsonl-utf-8", "UTF-8"), ("jsonl-gb18030", "GB18030"), ("jsonl-latin-1", "ISO-8859-1")],
)
def test_python_reads_json(name: str, charset: str) -> None:
    lines = as_utf_8(name, charset).removesuffix("\n").split("\n")
    read = [json.loads(line, parse_float=Decimal) for line in lines]
    assert [list(row) for row in read] == [HEADER] * 20
    assert read == [
        {"op": change.op} | {column: change.row.get(column) for column in NAMES}
        for change in written(name).changes
    ]


def test_duckdb_reads_json() -> None:
    texts = ("op", "code", "name", "born", "photo")
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in texts)
    rows = duckdb.execute(
        "SELECT * FROM read_json(?, format = 'newline_delimited', ignore_errors = false, "
        f"columns = {{{columns}}})",
        [str(golden("jsonl-utf-8"))],
    ).fetchall()
    assert rows == [
        (change.op, *(change.row.get(name) for name in texts[1:]))
        for change in written("jsonl-utf-8").changes
    ]


WIDTHS = {
    "op": 1,
    "id": 30,
    "code": 20,
    "name": 40,
    "total": 14,
    "paid": 5,
    "born": 10,
    "at": 26,
}


def cut(line: Sequence[Any], widths: dict[str, int]) -> dict[str, Any]:
    cells, at = {}, 0
    for name, width in widths.items():
        cells[name] = line[at : at + width]
        at += width
    assert at == len(line)
    return cells


def test_fixed_width() -> None:
    lines = golden("fixed-utf-8").read_bytes().decode().removesuffix("\r\n").split("\r\n")
    assert {p.change.id: p.error for p in written("fixed-utf-8").parked} == {
        6: 'column "code" holds a line end, which this format has no form for'
    }
    for line, row in zip(lines, expected("fixed-utf-8"), strict=True):
        cells = cut(line, WIDTHS)
        values = dict(zip(HEADER, row, strict=True))
        for name in ("code", "name", "paid", "born", "at"):
            assert cells[name].rstrip() == (values[name] or "").rstrip()
        assert cells["id"] == (values["id"] or "").rjust(30)
    assert cut(lines[0], WIDTHS)["total"] == "00000000012.50"
    totals = {cut(line, WIDTHS)["id"].strip(): cut(line, WIDTHS)["total"] for line in lines}
    assert totals["123456789012345678901234567890"] == "-0000.00000001"
    assert (totals["2"], totals["18"]) == (" " * 14, "NaN".rjust(14))


def test_fixed_width_counts_bytes() -> None:
    header, *lines = golden("fixed-gbk-bytes").read_bytes().removesuffix(b"\r\n").split(b"\r\n")
    assert {len(line) for line in (header, *lines)} == {sum(WIDTHS.values()) + 1}
    cells = {cell["id"].strip(): cell for cell in (cut(line, WIDTHS | {"op": 2}) for line in lines)}
    assert cells[b"11"]["code"] == b"\xd6\xd0\xce\xc4" + b" " * 16
    assert cut(header, WIDTHS | {"op": 2})["code"] == b"code".ljust(20)


@pytest.mark.parametrize(
    ("name", "lacking"),
    [("xml-utf-8", None), ("xml-utf-16", "\ufffd"), ("xml-latin-1", "")],
)
def test_python_reads_xml(name: str, lacking: str | None) -> None:
    check_xml(name, ET.fromstring(golden(name).read_bytes()), lacking)


def test_iconv_and_python_read_xml_in_gb18030() -> None:
    text = as_utf_8("xml-gb18030", "GB18030")
    assert text.startswith('<?xml version="1.0" encoding="GB18030"?>')
    root = ET.fromstring(text.split("\n", 1)[1])
    assert (root.tag, root[0].tag) == ("Order_x0020_List", "_x0031__x0020_Order")
    check_xml("xml-gb18030", root, None)


def check_xml(name: str, root: ET.Element, lacking: str | None) -> None:
    if lacking is None:
        assert {p.change.id: p.error for p in written(name).parked} == {
            17: 'column "name" holds a character that XML lacks'
        }
    nulls = {"xml-utf-16": "nil", "xml-latin-1": "empty"}.get(name, "omit")
    for row, values in zip(root, expected(name), strict=True):
        elements = {element.tag: element for element in row}
        assert list(elements) == [
            column
            for column, value in zip(HEADER, values, strict=True)
            if value is not None or nulls != "omit"
        ]
        for column, value in zip(HEADER, values, strict=True):
            if value is not None:
                assert elements[column].text == (value.replace("\0", lacking or "") or None)
            elif nulls == "nil":
                assert elements[column].attrib == {XSI: "true"}
            elif nulls == "empty":
                assert elements[column].text is None


def test_template() -> None:
    head, *lines, foot = (
        golden("template-utf-8").read_bytes().decode().removesuffix("\n").split("\n")
    )
    assert head == "HDR shop.items " + "|".join(HEADER)
    assert lines[0] == 'I|1|"plain"|12.50'
    assert lines[-1] == 'T||""|'
    assert foot == "TRL 20"
