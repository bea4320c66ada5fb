"""Whatever the values are, what was written is read back, or its row is parked."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import xml.etree.ElementTree as ET
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from replicator.change import Change
from replicator.errors import DeliveryStopped
from replicator.targets.files.formats import FormatOptions, new_file
from replicator.targets.files.formats.options import (
    ColumnOptions,
    DelimitedOptions,
    FixedOptions,
    OperationOptions,
    TemplateOptions,
    ValueOptions,
    XmlOptions,
)
from replicator.targets.files.formats.template import check_template
from replicator.targets.files.formats.xml import charset, element_name
from tests.unit.targets.rounds import LINES, SECRET, change, line
from triggers.model import Column, Kind, Table

TEXTS = Table("t", (Column("a", Kind.TEXT, "text"), Column("b", Kind.TEXT, "text")), ("a",))
text = st.text(st.characters(exclude_categories=["Cs"]))
tricky = st.text(st.sampled_from(";'\"\\,\t\r\n\0Nn ax=\u2028"))
rows = st.lists(st.tuples(text | tricky, text | tricky), min_size=1, max_size=8)
few = settings(max_examples=40)


def changes(some: list[tuple[str, str]]) -> list[Change]:
    return [change(number, TEXTS, "I", {"a": a, "b": b}) for number, (a, b) in enumerate(some)]


def whole(options: FormatOptions, some: list[Change], encoding: str = "utf-8") -> str:
    file = new_file(options, TEXTS, encoding)
    lines = file.lines(some)
    assert (lines.count, lines.parked) == (len(some), [])
    return (lines.data + file.end()).decode(encoding)


@pytest.mark.parametrize("quoting", ["text", "minimal", "all"])
@pytest.mark.parametrize("escape", ["", "\\"])
@few
@given(some=rows)
def test_csv(quoting: Any, escape: str, some: list[tuple[str, str]]) -> None:
    dialect = DelimitedOptions(";", "'", quoting, escape=escape)
    read = csv.reader(
        io.StringIO(whole(FormatOptions(delimited=dialect), changes(some)), newline=""),
        delimiter=";",
        quotechar="'",
        doublequote=not escape,
        escapechar=escape or None,
    )
    assert list(read) == [["op", "a", "b"], *(["I", a, b] for a, b in some)]


@few
@given(some=rows)
def test_tsv(some: list[tuple[str, str]]) -> None:
    dialect = DelimitedOptions("\t", quoting="none", escape_letters=True, line_end="\n")
    lines = whole(FormatOptions(format="tsv", delimited=dialect), changes(some)).split("\n")
    letters = {"n": "\n", "r": "\r", "t": "\t", "0": "\0", "b": "\b", "v": "\v", "f": "\f"}

    def value(field: str) -> str:
        characters = iter(field)
        return "".join(
            letters.get(after := next(characters), after) if character == "\\" else character
            for character in characters
        )

    read = [[value(field) for field in line.split("\t")] for line in lines[1:-1]]
    assert read == [["I", a, b] for a, b in some]


@few
@given(some=rows)
def test_jsonl(some: list[tuple[str, str]]) -> None:
    for encoding in ("utf-8", "ascii", "utf-16"):
        lines = whole(FormatOptions(format="jsonl"), changes(some), encoding).split("\n")
        assert [json.loads(line) for line in lines[:-1]] == [
            {"op": "I", "a": a, "b": b} for a, b in some
        ]


@few
@given(some=rows, name=text.filter(bool), root=text.filter(bool))
def test_xml(some: list[tuple[str, str]], name: str, root: str) -> None:
    columns = {"t": {name: ColumnOptions("a"), name + "2": ColumnOptions("b")}}
    options = FormatOptions(
        format="xml",
        columns=columns,
        xml=XmlOptions(root, root, invalid="replace"),
        operation=OperationOptions(position="none"),
    )
    for encoding in ("utf-8", "ascii", "utf-16"):
        tree = ET.fromstring(whole(options, changes(some), encoding).split("\n", 1)[1])
        read = [tuple(element.text or "" for element in row) for row in tree]
        assert read == [(in_xml(a), in_xml(b)) for a, b in some]


def in_xml(value: str) -> str:
    return "".join(
        c if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff") else "\ufffd" for c in value
    )


@few
@given(st.lists(text.filter(bool), unique=True))
def test_names_of_elements_stay_different(names: list[str]) -> None:
    assert len({element_name(name, "utf-8") for name in names}) == len(names)
    assert len({element_name(name, "ascii").encode("ascii") for name in names}) == len(names)
    for name in names:
        assert ET.fromstring(f"<{element_name(name, 'utf-8')}/>").text is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Order No", "Order_x0020_No"),
        ("1st", "_x0031_st"),
        ("größe", "größe"),
        ("a:b", "a_x003A_b"),
        ("_x0020_", "_x005F_x0020_"),
        ("汉字", "汉字"),
        ("\uf900", "_xF900_"),
        ("xml", "_x0078_ml"),
    ],
)
def test_names_of_elements(name: str, expected: str) -> None:
    assert element_name(name, "utf-8") == expected


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("utf8", "UTF-8"),
        ("utf-8-sig", "UTF-8"),
        ("utf-16", "UTF-16"),
        ("gb18030", "GB18030"),
        ("gbk", "GBK"),
        ("cp1252", "windows-1252"),
        ("latin-1", "ISO-8859-1"),
        ("iso-8859-15", "ISO-8859-15"),
        ("shift_jis", "SHIFT-JIS"),
    ],
)
def test_charsets(encoding: str, expected: str) -> None:
    assert charset(encoding) == expected


@pytest.mark.parametrize(
    ("unencodable", "expected"),
    [
        ("replace", "a?b"),
        ("xmlcharref", "a&#128512;b"),
        ("backslash", "a\\U0001f600b"),
        ("remove", "ab"),
    ],
)
@pytest.mark.parametrize("encoding", ["gbk", "latin-1", "iso2022_jp", "ascii"])
def test_characters_that_the_encoding_lacks(unencodable: Any, expected: str, encoding: str) -> None:
    options = FormatOptions(unencodable=unencodable)
    file = new_file(options, LINES, encoding)
    lines = file.lines([line(1, "x"), line(2, "a😀b"), line(3, "y")])
    assert (lines.count, lines.replaced, lines.parked) == (3, 1, [])
    expected_text = f'"op","id","note"\r\n"I",1,"x"\r\n"I",2,"{expected}"\r\n"I",3,"y"\r\n'
    assert lines.data + file.end() == expected_text.encode(encoding)


def test_a_lone_surrogate_is_no_character_in_json_and_xml() -> None:
    for name in ("jsonl", "xml"):
        file = new_file(FormatOptions(format=name), LINES, "utf-8")
        lines = file.lines([line(1, "a"), line(2, "\ud800"), line(3, "b")])
        assert (lines.count, [parked.change.id for parked in lines.parked]) == (2, [2])


@pytest.mark.parametrize("compress", ["gzip", "zstd"])
def test_compressed_bytes_do_not_depend_on_the_pieces(compress: Any) -> None:
    rng = random.Random(7)
    some = changes([(str(n), f"{rng.getrandbits(200):x}") for n in range(12_000)])
    options = FormatOptions(compress=compress)
    files = []
    for size in (1000, 777, 12_000):
        file = new_file(options, TEXTS, "utf-8")
        pieces = [file.lines(some[at : at + size]) for at in range(0, len(some), size)]
        assert sum(piece.count for piece in pieces) == len(some)
        files.append(b"".join(piece.data for piece in pieces) + file.end())
    assert files[0] == files[1] == files[2]
    plain = whole(replace(options, compress="none"), some).encode()
    assert len(plain) > 600_000
    if compress == "gzip":
        assert gzip.decompress(files[0]) == plain
    else:
        assert zstandard.ZstdDecompressor().stream_reader(files[0]).read() == plain


@pytest.mark.parametrize("compress", ["none", "gzip", "zstd"])
@pytest.mark.parametrize("name", ["csv", "jsonl", "xml", "template"])
def test_without_lines_there_are_no_bytes(name: Any, compress: Any) -> None:
    template = TemplateOptions("{{ op }}", "head", "foot")
    options = FormatOptions(format=name, compress=compress, template=template).only("D")
    file = new_file(options, LINES, "utf-16")
    lines = file.lines([line(1, "x")])
    assert (lines.data, lines.count, file.end()) == (b"", 0, b"")


@pytest.mark.parametrize("compress", ["none", "gzip"])
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("csv", '"op","id","note"\r\n'),
        ("jsonl", ""),
        ("xml", '<?xml version="1.0" encoding="UTF-8"?>\n<changes>\n</changes>\n'),
        ("template", "head\nfoot\n"),
    ],
)
def test_an_empty_file_has_head_and_foot(name: Any, compress: Any, expected: str) -> None:
    template = TemplateOptions("{{ op }}", "head", "foot")
    options = FormatOptions(format=name, compress=compress, template=template)
    data = new_file(options, LINES, "utf-8").end(even_empty=True)
    assert (gzip.decompress(data) if compress == "gzip" else data).decode() == expected
    file = new_file(options, LINES, "utf-8")
    written = file.lines([line(1, "x")]).data
    other = new_file(options, LINES, "utf-8")
    assert written + file.end(even_empty=True) == other.lines([line(1, "x")]).data + other.end()


@pytest.mark.parametrize("too_long", ["park", "cut"])
@pytest.mark.parametrize(
    ("unit", "encoding", "expected"),
    [
        ("characters", "utf-8", "中文字é"),
        ("bytes", "gb18030", "中文"),
        ("bytes", "utf-8", "中"),
        ("bytes", "utf-16", "中文"),
    ],
)
def test_fixed_width_cuts_between_characters(
    unit: Any, encoding: str, expected: str, too_long: Any
) -> None:
    options = FormatOptions(
        format="fixed",
        columns={LINES.name: {"note": ColumnOptions("note", width=4, pad="*")}},
        fixed=FixedOptions(unit, too_long, line_end="\n"),
        operation=OperationOptions(position="none"),
    )
    lines = new_file(options, LINES, encoding).lines([line(1, "中文字éx"), line(2, None)])
    if too_long == "park":
        assert [(parked.change.id, parked.error) for parked in lines.parked] == [
            (1, 'column "note" holds a value that is longer than 4')
        ]
        return
    assert lines.parked == []
    mark = len("".encode(encoding))
    size = len(expected) if unit == "characters" else len(expected.encode(encoding)) - mark
    filled, null, _ = lines.data.decode(encoding).split("\n")
    stars = "*" * ((4 - size) // (1 if unit == "characters" else len("*".encode(encoding)) - mark))
    assert filled == expected + stars
    assert null.strip(" ") == ""


def template(line_text: str, **others: Any) -> FormatOptions:
    return FormatOptions(format="template", template=TemplateOptions(line_text, **others))


def test_a_templates_values() -> None:
    table = Table(
        "t",
        (
            Column("items", Kind.INTEGER, "int"),
            Column("d", Kind.DECIMAL, "numeric"),
            Column("b", Kind.BOOLEAN, "boolean"),
        ),
        ("items",),
    )
    options = template(
        "{{ row.items + 1 }} {{ row['d'] }} {{ row.b }} {{ row.d is none }}", line_end="!"
    )
    options = replace(options, values=ValueOptions(null="-", true="Y"))
    some = [
        change(1, table, "I", {"items": 1, "d": Decimal("1E-7"), "b": True}),
        change(2, table, "U", {"items": 2, "d": None, "b": False}),
    ]
    data = new_file(options, table, "utf-8").lines(some).data
    assert data == b"2 0.0000001 Y false!3 - false Y!"


@pytest.mark.parametrize(
    ("line_text", "reason"),
    [
        ("{{ row.gone }}", "the row has no 'gone'"),
        ("{{ row['gone'] }}", "the row has no 'gone'"),
        ("{{ gone }}", "there is no 'gone'; there are columns, op, row, table"),
        ("{{ row.id", "unexpected end of template"),
        ("{{ row.id | random }}", "No filter named 'random'"),
    ],
)
def test_wrong_templates(line_text: str, reason: str) -> None:
    with pytest.raises(DeliveryStopped, match="the template `line`") as caught:
        new_file(template(line_text), LINES, "utf-8")
    assert reason in str(caught.value)


def test_a_template_that_fails_parks_its_row_and_tells_no_value() -> None:
    options = template("{{ row.note | int / row.id }} {{ row[row.note] }}")
    lines = new_file(options, LINES, "utf-8").lines([line(0, SECRET), line(1, "id")])
    assert (lines.data, [parked.change.id for parked in lines.parked]) == (b"0.0 1\n", [0])
    assert lines.parked[0].error == "the template cannot be applied: ZeroDivisionError"


@pytest.mark.parametrize(
    "line_text",
    ["{{ row.__class__.__mro__ }}", "{{ ''.__class__ }}", "{{ row._values }}"],
)
def test_templates_are_in_a_sandbox(line_text: str) -> None:
    try:
        lines = new_file(template(line_text), LINES, "utf-8").lines([line(1, "x")])
    except DeliveryStopped:
        return
    assert (lines.count, len(lines.parked)) == (0, 1)


def test_a_template_is_checked_before_there_is_a_table() -> None:
    assert list(check_template(TemplateOptions("{{ row.x }}", "{{ count }}"))) == [
        ("head", "there is no 'count'; there are columns, table")
    ]
