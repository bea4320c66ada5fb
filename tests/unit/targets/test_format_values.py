"""The form of single values, columns and operations, in any format."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from replicator.change import Change, Operation
from replicator.errors import DeliveryStopped
from replicator.targets.files.formats import FormatOptions, new_file
from replicator.targets.files.formats.options import (
    ColumnOptions,
    DelimitedOptions,
    OperationOptions,
    ValueOptions,
)
from replicator.targets.files.formats.refusal import Unfit
from replicator.targets.files.formats.time_pattern import TimePattern
from tests.unit.targets.rounds import SECRET, change
from triggers.model import INCOMPLETE, Column, Kind, Table

MINIMAL = DelimitedOptions(delimiter=";", quoting="minimal", header=False, line_end="\n")


def table(kind: Kind) -> Table:
    return Table("t", (Column("id", Kind.INTEGER, "int"), Column("v", kind, "x")), ("id",))


def one(kind: Kind, value: Any, **forms: Any) -> str:
    """The text of one value in a line of CSV."""
    options = FormatOptions(
        delimited=MINIMAL,
        values=ValueOptions(**forms),
        operation=OperationOptions(position="none"),
    )
    lines = new_file(options, table(kind), "utf-8").lines(
        [change(1, table(kind), "I", {"id": 1, "v": value})]
    )
    assert lines.parked == []
    return lines.data.decode().removeprefix("1;").removesuffix("\n")


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        ("%d.%m.%Y", "2026-11-21", "21.11.2026"),
        ("%y%m%d", "2026-11-21", "261121"),
        ("%d-%b-%Y", "2026-02-01", "01-Feb-2026"),
        ("%Y", "12026-11-21", "12026"),
        ("%d.%m.%Y", "0000-00-00", "00.00.0000"),
        ("%H:%M", "13:14:15.5", "13:14"),
        ("%I:%M %p", "00:05:00", "12:05 AM"),
        ("%I %p", "12:00:00", "12 PM"),
        ("%S,%f", "13:14:15.5", "15,500000"),
        ("%S.%3f", "13:14:15.123999", "15.123"),
        ("%S.%3f", "13:14:15", "15.000"),
        ("%Y%m%dT%H%M%S%z", "2026-11-21 13:14:15+00:00", "20261121T131415+00:00"),
        ("%d.%m.%Y 100%%", "2026-11-21T13:14:15", "21.11.2026 100%"),
    ],
)
def test_time_patterns(pattern: str, value: str, expected: str) -> None:
    assert TimePattern(pattern)(value) == expected


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        ("%Y", "infinity"),
        ("%Y", "0044-03-15 BC"),
        ("%Y", "13:14:15"),
        ("%H", "2026-11-21"),
        ("%b", "0000-00-00"),
        ("%H", "-838:59:59"),
        ("%z", "2026-11-21T13:14:15"),
    ],
)
def test_times_that_a_pattern_cannot_express(pattern: str, value: str) -> None:
    with pytest.raises(Unfit, match=r"a date or time that the pattern '%.' cannot"):
        TimePattern(pattern)(value)


@pytest.mark.parametrize("pattern", ["%q", "%", "%-d", "%Ex"])
def test_unknown_directives(pattern: str) -> None:
    with pytest.raises(ValueError, match="which is not known"):
        TimePattern(pattern)


@pytest.mark.parametrize(
    ("value", "forms", "expected"),
    [
        (Decimal("12.50"), {}, "12.50"),
        (Decimal("1E+3"), {}, "1000"),
        (Decimal("12.50"), {"decimal_mark": ","}, "12,50"),
        (Decimal("1234567.125"), {"decimals": 2, "group_mark": "'"}, "1'234'567.13"),
        (
            Decimal("-1234567.125"),
            {"decimals": 2, "group_mark": ".", "decimal_mark": ","},
            "-1.234.567,13",
        ),
        (Decimal("0.5"), {"decimals": 0}, "1"),
        (Decimal("-0.001"), {"decimals": 2}, "0.00"),
        (7, {"decimals": 2}, "7.00"),
        (10**40, {"decimals": 1, "group_mark": " "}, "10" + " 000" * 13 + ".0"),
        ("NaN", {"decimals": 2}, "NaN"),
        (Decimal("1.25"), {"decimals": 1, "decimal_mark": ";"}, '"1;3"'),
    ],
)
def test_decimals(value: Any, forms: dict[str, Any], expected: str) -> None:
    assert one(Kind.DECIMAL, value, **forms) == expected


def test_integers_are_no_decimals() -> None:
    forms = {"decimals": 2, "group_mark": ".", "decimal_mark": ","}
    assert one(Kind.INTEGER, 1234567, **forms) == "1234567"
    assert one(Kind.DYNAMIC, 1234567, **forms) == "1234567"
    assert one(Kind.DYNAMIC, Decimal("1234567.125"), **forms) == "1.234.567,13"
    assert one(Kind.TEXT, "1234567.125", **forms) == "1234567.125"


def test_a_decimal_of_many_digits_keeps_them() -> None:
    digits = "9" * 5000
    assert one(Kind.DECIMAL, Decimal(digits), decimals=1) == f"{digits}.0"


def test_null_and_what_looks_like_it() -> None:
    assert one(Kind.TEXT, None) == ""
    assert one(Kind.TEXT, "") == '""'
    assert one(Kind.TEXT, None, null="NULL") == "NULL"
    assert one(Kind.TEXT, "NULL", null="NULL") == '"NULL"'
    assert one(Kind.TEXT, "", null="NULL") == ""


def test_words_for_true_and_false() -> None:
    assert one(Kind.BOOLEAN, True, true="Y", false="N") == "Y"
    assert one(Kind.BOOLEAN, False, true="Y", false="N") == "N"


def test_a_column_of_all_types() -> None:
    """SQLite's; types differ from row to row."""
    dynamic = table(Kind.DYNAMIC)
    values = [1, "a;b", None, Decimal("1E-7"), "", "\\x00"]
    changes = [
        change(number, dynamic, "I", {"id": number, "v": value})
        for number, value in enumerate(values)
    ]
    options = FormatOptions(delimited=MINIMAL, operation=OperationOptions(position="none"))
    assert new_file(options, dynamic, "utf-8").lines(changes).data.decode().split("\n") == [
        "0;1",
        '1;"a;b"',
        "2;",
        "3;1E-7",
        '4;""',
        "5;\\x00",
        "",
    ]


def three() -> list[Change]:
    some: list[tuple[Operation, str]] = [("I", "a"), ("U", "b"), ("D", "c")]
    text = table(Kind.TEXT)
    return [
        change(number, text, op, {"id": number, "v": value})
        for number, (op, value) in enumerate(some)
    ]


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        ("first", "I;0;a"),
        ("last", "0;a;I"),
        ("none", "0;a"),
        (1, "I;0;a"),
        (2, "0;I;a"),
        (3, "0;a;I"),
        (99, "0;a;I"),
    ],
)
def test_where_the_operation_stands(position: Any, expected: str) -> None:
    options = FormatOptions(delimited=MINIMAL, operation=OperationOptions(position=position))
    data = new_file(options, table(Kind.TEXT), "utf-8").lines(three()).data
    assert data.decode().split("\n")[0] == expected


def test_only_some_operations() -> None:
    options = FormatOptions(delimited=MINIMAL, operations=frozenset({"I", "D"}))
    lines = new_file(options, table(Kind.TEXT), "utf-8").lines(three())
    assert (lines.data, lines.count, lines.parked) == (b"I;0;a\nD;2;c\n", 2, [])
    assert options.only("U").operations == frozenset()
    assert new_file(options.only("D"), table(Kind.TEXT), "utf-8").lines(three()).count == 1


def test_incomplete_rows_are_parked_unless_nobody_wants_them() -> None:
    text = table(Kind.TEXT)
    changes = [change(1, text, "U", {"id": 1, INCOMPLETE: "too large"}), *three()]
    lines = new_file(FormatOptions(delimited=MINIMAL), text, "utf-8").lines(changes)
    assert [(parked.change.id, parked.error) for parked in lines.parked] == [(1, "too large")]
    assert lines.count == 3
    only = new_file(FormatOptions(delimited=MINIMAL).only("I"), text, "utf-8").lines(changes)
    assert (only.count, only.parked) == (1, [])


def test_columns_as_the_third_party_says() -> None:
    options = FormatOptions(
        delimited=DelimitedOptions(quoting="minimal", line_end="\n"),
        columns={"t": {"Text, Long": ColumnOptions("v"), "again": ColumnOptions("v")}},
    )
    data = new_file(options, table(Kind.TEXT), "utf-8").lines(three()).data
    assert data.decode().split("\n")[:2] == ['op,"Text, Long",again', "I,a,a"]
    other = new_file(options, Table("other", table(Kind.TEXT).columns, ("id",)), "utf-8")
    assert other.lines(three()).data.startswith(b"op,id,v\n")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            FormatOptions(columns={"t": {"x": ColumnOptions("gone")}}),
            "hold columns that it has not: gone",
        ),
        (FormatOptions(operation=OperationOptions("v")), 'two columns named "v"'),
        (FormatOptions(format="fixed"), 'column "id" of the files of table t has no width'),
    ],
)
def test_options_that_do_not_fit_the_table(options: FormatOptions, reason: str) -> None:
    with pytest.raises(DeliveryStopped, match=reason):
        new_file(options, table(Kind.TEXT), "utf-8")


def test_a_value_that_a_pattern_cannot_express_parks_its_row_only() -> None:
    dates = table(Kind.DATE)
    options = FormatOptions(delimited=MINIMAL, values=ValueOptions(date="%d.%m.%Y"))
    changes = [
        change(number, dates, "I", {"id": number, "v": value})
        for number, value in enumerate(["2026-01-02", "infinity", None, SECRET])
    ]
    lines = new_file(options, dates, "utf-8").lines(changes)
    assert lines.data == b"I;0;02.01.2026\nI;2;\n"
    reason = "column \"v\" holds a date or time that the pattern '%d.%m.%Y' cannot express"
    assert [(parked.change.id, parked.error) for parked in lines.parked] == [
        (1, reason),
        (3, reason),
    ]


def test_a_column_that_is_not_in_the_file_is_not_blamed() -> None:
    table = Table("t", tuple(Column(name, Kind.TEXT, "text") for name in "abc"), ("a",))
    options = FormatOptions(columns={"t": {"x": ColumnOptions("c"), "y": ColumnOptions("b")}})
    rows = [{"a": "é", "b": "b", "c": "é"}, {"a": "é", "b": "b", "c": "c"}]
    lines = new_file(options, table, "ascii").lines(
        [change(number, table, "I", row) for number, row in enumerate(rows)]
    )
    assert (lines.count, [parked.error for parked in lines.parked]) == (
        1,
        ['column "c" holds a character that the encoding ascii lacks'],
    )
