"""The tests' own reading and comparison: they see every value, and tell different ones apart."""

from __future__ import annotations

import pytest

from tests.conftest import MakeDatabase
from tests.servers import DATABASE_KINDS, DatabaseKind
from tests.types.columns import Meaning
from tests.types.compare import same_value
from tests.types.pair import write
from tests.types.reading import Bits, Stored, read_table
from tests.types.samples import TABLES
from tests.types.test_pairs import extreme_rows


@pytest.mark.parametrize("kind", DATABASE_KINDS)
def test_every_extreme_value_is_read_and_equals_only_itself(
    kind: DatabaseKind, make_database: MakeDatabase
) -> None:
    database = make_database(kind)
    for table in TABLES[kind]:
        write(database, table.create)
        rows = extreme_rows(table)
        write(database, (table.insert(number, values) for number, values in rows.items()))
        found = read_table(database, table.name, [column.name for column in table.columns])
        assert list(found) == list(rows)
        for at, column in enumerate(table.columns):
            stored = [row[at] for row in found.values() if row[at] is not None]
            assert len(stored) >= max(1, len(column.extremes))
            for value in stored:
                assert same_value(column.meaning, value, value), (column, value)
                assert not same_value(column.meaning, value, None)
            if column.extremes and column.meaning != "dynamic":
                alike = sum(same_value(column.meaning, stored[0], value) for value in stored)
                assert alike == 1, (column, stored)


@pytest.mark.parametrize(
    ("meaning", "source", "target"),
    [
        ("decimal", "1.10", "1.100"),
        ("decimal", "NaN", "NaN"),
        ("boolean", "t", "1"),
        ("bytes", b"\x00", "\\x00"),
        ("timestamptz", "2026-11-21 13:14:15.5+00", "2026-11-21 13:14:15.500000"),
        ("time", "-838:59:59", "-838:59:59.000000"),
        ("uuid", "00000000-0000-0000-0000-00000000000a", bytes(15) + b"\n"),
        ("bits", "5", Bits("000101")),
        ("json", '{"a": 1.10, "b": [2]}', '{"b":[2],"a":1.1}'),
        ("array", '{1,NULL,"a b",{t}}', '[1, null, "a b", [true]]'),
        ("array", "[0:1]={1,2}", "[0:1]={1,2}"),
        ("dynamic", 0.1, "0.1"),
        ("dynamic", 9007199254740993, "9007199254740993"),
    ],
)
def test_the_same_value_in_another_form(meaning: Meaning, source: Stored, target: Stored) -> None:
    assert same_value(meaning, source, target)


@pytest.mark.parametrize(
    ("meaning", "source", "target"),
    [
        ("integer", "9007199254740993", "9007199254740992"),
        ("decimal", "0.1", "0.1000000000000000055"),
        ("float", 5592405.5, 5592410.0),
        ("float", -0.0, 0.0),
        ("float", float("nan"), None),
        ("text", "a ", "a"),
        ("text", "", None),
        ("text", "中", "ä¸­"),
        ("bytes", b"\x00", "00"),
        ("timestamptz", "2026-11-21 13:14:15+00", "2026-11-21 14:14:15"),
        ("timestamptz", "2026-11-21 13:14:15+00", "2026-11-21 13:14:15+01"),
        ("timestamp", "0044-03-15 12:00:00 BC", "0044-03-15 12:00:00"),
        ("timestamp", "2026-11-21 13:14:15.000001", "2026-11-21 13:14:15"),
        ("time", "-00:00:01", "00:00:01"),
        ("timetz", "13:14:15+02", "13:14:15"),
        ("bits", "18446744073709551615", "-1"),
        ("document", '{"a":1}', '{"a": 1}'),
        ("json", '{"a": 1, "a": 2}', '{"a": 2}'),
        ("json", "1e400", "1e308"),
        ("array", "[0:1]={1,2}", "{1,2}"),
        ("array", "{NULL}", "{}"),
        ("array", '{"NULL"}', "{NULL}"),
        ("dynamic", 1.5, 1),
        ("dynamic", b"\x00", "\x00"),
        ("dynamic", "1.10", 1.1),
        ("dynamic", "1.10", "1.1"),
    ],
)
def test_different_values(meaning: Meaning, source: Stored, target: Stored) -> None:
    assert not same_value(meaning, source, target)
