"""One table with everything that formats stumble over, and the forms it is written in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from replicator.change import Change, Operation
from replicator.pipeline.contract import Parked
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
from triggers.model import Column, Kind, Table

FOLDER = Path(__file__).parent / "files"

ITEMS = Table(
    "shop.items",
    (
        Column("id", Kind.INTEGER, "bigint", nullable=False),
        Column("code", Kind.TEXT, "varchar(20)"),
        Column("name", Kind.TEXT, "text"),
        Column("total", Kind.DECIMAL, "numeric(20,8)"),
        Column("paid", Kind.BOOLEAN, "boolean"),
        Column("born", Kind.DATE, "date"),
        Column("at", Kind.TIMESTAMP, "timestamp"),
        Column("photo", Kind.BYTES, "bytea"),
        Column("tags", Kind.ARRAY, "text[]"),
    ),
    ("id",),
)
NAMES = [column.name for column in ITEMS.columns]


def _row(number: int, code: str | None, name: str | None, **others: Any) -> dict[str, Any]:
    row = dict.fromkeys(NAMES)
    return row | {"id": number, "code": code, "name": name} | others


_FULL = {
    "total": Decimal("12.50"),
    "paid": True,
    "born": "2026-11-21",
    "at": "2026-11-21T13:14:15.123456",
    "photo": "\\x00ff",
    "tags": ["a,b", None, Decimal("1.50"), 'q"'],
}
_ROWS: list[tuple[Operation, dict[str, Any] | None]] = [
    ("I", _row(1, "0007", "plain", **_FULL)),
    ("I", _row(2, "", None)),
    ("I", _row(3, None, "")),
    ("U", _row(4, 'a "quoted" one', "comma, semicolon; tab\t, pipe |")),
    ("U", _row(5, "\\N", "back\\slash \\n and 'single'")),
    ("I", _row(6, "two\nlines", "CR\rCRLF\r\nend")),
    ("I", _row(7, "=1+1", "@cmd")),
    ("I", _row(8, "+1", "-1")),
    ("I", _row(9, " blanks ", "<a href='x'>&amp;</a> ]]>")),
    ("I", _row(10, "ü", "Åsa Müller")),
    ("I", _row(11, "中文", "汉字 GB18030")),
    ("I", _row(12, "😀", "family 👨‍👩‍👧")),
    ("I", _row(13, "NULL", "true")),
    ("I", _row(123456789012345678901234567890, "big", "id", total=Decimal("-1E-8"))),
    ("U", _row(-15, "minus", "zero", total=0, paid=False, at="0044-03-15 00:00:00")),
    ("I", _row(16, "ls", "line\u2028separator\u2029and\x85next")),
    ("I", _row(17, "nul", "a\0b")),
    ("I", _row(18, "nan", "not a number", total="NaN")),
    ("D", _row(4, "gone", "row")),
    ("T", None),
]
CHANGES = [
    Change(
        number,
        ITEMS.name,
        op,
        row if op == "D" else None,
        row if op in ("I", "U") else None,
        None,
        "2026-11-21T13:14:15.000123",
    )
    for number, (op, row) in enumerate(_ROWS, 1)
]

_WIDTHS = {"id": 30, "code": 20, "name": 40, "total": 14, "paid": 5, "born": 10, "at": 26}
_FIXED = {
    ITEMS.name: {
        name: ColumnOptions(name, width=width, pad="0" if name == "total" else None)
        for name, width in _WIDTHS.items()
    }
}
_PARTNER = FormatOptions(
    delimited=DelimitedOptions(delimiter=";", quoting="minimal", line_end="\n"),
    operation=OperationOptions(
        "What", "last", {"I": "new", "U": "changed", "D": "gone", "T": "emptied"}
    ),
    values=ValueOptions(
        null="-",
        true="Y",
        false="N",
        date="%d.%m.%Y",
        timestamp="%d-%b-%y %I:%M:%S.%3f %p",
        decimals=2,
        decimal_mark=",",
        group_mark=".",
    ),
    columns={
        ITEMS.name: {
            "Order No": ColumnOptions("id"),
            "Größe": ColumnOptions("name"),
            "Betrag": ColumnOptions("total"),
            "Rohbetrag": ColumnOptions("total", decimals=0),
            "Bezahlt": ColumnOptions("paid"),
            "Datum": ColumnOptions("born"),
            "Jahr": ColumnOptions("born", pattern="%Y"),
            "Zeit": ColumnOptions("at"),
        }
    },
)
_CSV = FormatOptions()
_XML = FormatOptions(format="xml")
_TSV = FormatOptions(
    format="tsv",
    delimited=DelimitedOptions("\t", quoting="none", escape_letters=True, line_end="\n"),
)
_NONE = DelimitedOptions("|", quoting="none", line_end="\n")
_TEMPLATE = TemplateOptions(
    head="HDR {{ table }} {{ columns | join('|') }}",
    line="{{ op }}|{{ row.id }}|{{ row.name | default('', true) | csv }}|{{ row.total }}",
    foot="TRL {{ count }}",
)

CASES: dict[str, tuple[FormatOptions, str]] = {
    "csv-utf-8": (_CSV, "utf-8"),
    "csv-utf-8-sig": (_CSV, "utf-8-sig"),
    "csv-utf-16": (_CSV, "utf-16"),
    "csv-gb18030": (_CSV, "gb18030"),
    "csv-gbk": (_CSV, "gbk"),
    "csv-gbk-replace": (replace(_CSV, unencodable="replace"), "gbk"),
    "csv-latin-1": (_CSV, "latin-1"),
    "csv-latin-1-xmlcharref": (
        replace(
            _CSV,
            unencodable="xmlcharref",
            delimited=DelimitedOptions(";", quoting="minimal"),
        ),
        "latin-1",
    ),
    "csv-all": (replace(_CSV, delimited=DelimitedOptions(quoting="all")), "utf-8"),
    "csv-minimal": (replace(_CSV, delimited=DelimitedOptions(quoting="minimal")), "utf-8"),
    "csv-none": (replace(_CSV, delimited=_NONE), "utf-8"),
    "csv-none-without-escape": (replace(_CSV, delimited=replace(_NONE, escape="")), "utf-8"),
    "csv-escape": (replace(_CSV, delimited=DelimitedOptions(escape="\\")), "utf-8"),
    "csv-formula-guard": (replace(_CSV, delimited=DelimitedOptions(formula_guard=True)), "utf-8"),
    "csv-partner": (_PARTNER, "utf-8"),
    "csv-deletes-only": (_CSV.only("D"), "utf-8"),
    "csv-gzip": (replace(_CSV, compress="gzip"), "utf-8"),
    "csv-zstd": (replace(_CSV, compress="zstd"), "utf-8"),
    "tsv-utf-8": (_TSV, "utf-8"),
    "jsonl-utf-8": (FormatOptions(format="jsonl"), "utf-8"),
    "jsonl-gb18030": (FormatOptions(format="jsonl"), "gb18030"),
    "jsonl-latin-1": (FormatOptions(format="jsonl"), "latin-1"),
    "fixed-utf-8": (FormatOptions(format="fixed", columns=_FIXED), "utf-8"),
    "fixed-gbk-bytes": (
        FormatOptions(
            format="fixed",
            columns=_FIXED,
            fixed=FixedOptions("bytes", "cut", header=True),
            operation=OperationOptions(width=2),
        ),
        "gbk",
    ),
    "xml-utf-8": (_XML, "utf-8"),
    "xml-utf-16": (replace(_XML, xml=XmlOptions(null="nil", invalid="replace")), "utf-16"),
    "xml-latin-1": (replace(_XML, xml=XmlOptions(null="empty", invalid="remove")), "latin-1"),
    "xml-gb18030": (replace(_XML, xml=XmlOptions("Order List", "1 Order")), "gb18030"),
    "template-utf-8": (FormatOptions(format="template", template=_TEMPLATE), "utf-8"),
}


@dataclass(frozen=True, slots=True)
class Written:
    """What a case gives."""

    data: bytes
    count: int
    parked: list[Parked]
    replaced: int

    @property
    def changes(self) -> list[Change]:
        """Those that are in the file."""
        parked = {parked.change.id for parked in self.parked}
        return [change for change in CHANGES if change.id not in parked]


def file_name(name: str) -> str:
    """A golden file's name, without the folder."""
    options, encoding = CASES[name]
    return name + new_file(options, ITEMS, encoding).suffix


def written(name: str, size: int = 100) -> Written:
    """Write a case anew, its changes in pieces of a size."""
    options, encoding = CASES[name]
    file = new_file(options, ITEMS, encoding)
    pieces = [file.lines(CHANGES[at : at + size]) for at in range(0, len(CHANGES), size)]
    return Written(
        b"".join(piece.data for piece in pieces) + file.end(),
        sum(piece.count for piece in pieces),
        [parked for piece in pieces for parked in piece.parked],
        sum(piece.replaced for piece in pieces),
    )
