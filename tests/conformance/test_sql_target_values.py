"""A value that the target cannot hold is refused; every other one is there, digit by digit.

What is in the target is read as text by SQL, without the product's code.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import pytest

from tests.conformance.sql_target import FILLER_DDL, ID, Numbers, TargetDatabase
from tests.conftest import MakeDatabase
from triggers.model import Column, Kind, Table

Engine = Literal["postgresql", "mysql", "sqlite"]


class _Parked:
    """What is expected of a value that the column cannot hold."""

    def __repr__(self) -> str:
        return "parked"


PARKED = _Parked()


@dataclass(frozen=True)
class Case:
    """A source column, the target column's type, and what is read there for each wire value."""

    column: Column
    type: str
    values: tuple[tuple[Any, str | _Parked], ...]


def case(
    engine: Engine, kind: Kind, native: str, type_: str, *values: tuple[Any, Any], **facts: Any
) -> Case:
    return Case(Column("c", kind, native, engine=engine, **facts), type_, values)


POSTGRESQL = [
    case(
        "mysql",
        Kind.INTEGER,
        "bigint unsigned",
        "bigint",
        (2**63 - 1, "9223372036854775807"),
        (2**64 - 1, PARKED),
        precision=8,
        unsigned=True,
    ),
    case(
        "postgresql",
        Kind.DECIMAL,
        "numeric",
        "numeric(10,2)",
        (Decimal("1.10"), "1.10"),
        (Decimal("1.100"), "1.10"),
        (Decimal("1.105"), PARKED),
        (Decimal("123456789"), PARKED),
        ("NaN", "NaN"),
        ("Infinity", PARKED),
    ),
    case(
        "postgresql",
        Kind.DECIMAL,
        "numeric",
        "double precision",
        (Decimal("0.1"), "0.1"),
        (Decimal("0.1000000000000000055511151231257827"), PARKED),
        (9007199254740993, PARKED),
        ("NaN", "NaN"),
    ),
    case(
        "mysql",
        Kind.DECIMAL,
        "decimal(65,30)",
        "numeric",
        (Decimal("9" * 35 + "." + "9" * 30), "9" * 35 + "." + "9" * 30),
        precision=65,
        scale=30,
    ),
    case(
        "mysql",
        Kind.FLOAT,
        "double",
        "real",
        (Decimal("5592405.5"), "5.5924055e+06"),
        (Decimal("0.1"), PARKED),
        (Decimal("1e300"), PARKED),
        precision=8,
    ),
    case(
        "mysql",
        Kind.FLOAT,
        "float",
        "double precision",
        (Decimal("5592405.5"), "5592405.5"),
        (Decimal("0.10000000149011612"), "0.10000000149011612"),
        precision=4,
    ),
    case(
        "mysql",
        Kind.FLOAT,
        "double",
        "numeric",
        (Decimal("0.30000000000000004"), "0.30000000000000004"),
        (Decimal("1e308"), "1" + "0" * 308),
        precision=8,
    ),
    case("mysql", Kind.TEXT, "text", "text", ("a\0b", PARKED), ("中文😀\\N\t", "中文😀\\N\t")),
    case(
        "mysql",
        Kind.TEXT,
        "varchar(40)",
        "varchar(3)",
        ("abc", "abc"),
        ("abcd", PARKED),
        ("abc ", PARKED),
        ("中文😀", "中文😀"),
        length=40,
    ),
    case("mysql", Kind.TEXT, "varchar(40)", "char(3)", ("ab", "ab"), ("a ", PARKED), length=40),
    case("mysql", Kind.TEXT, "text", "name", ("a" * 63, "a" * 63), ("a" * 64, PARKED)),
    case(
        "mysql",
        Kind.DATE,
        "date",
        "date",
        ("2026-02-28", "2026-02-28"),
        ("0000-00-00", PARKED),
        ("2026-00-10", PARKED),
        ("9999-12-31", "9999-12-31"),
    ),
    case(
        "mysql",
        Kind.TIMESTAMP,
        "datetime(6)",
        "timestamp(3)",
        ("2026-11-21 13:14:15.123000", "2026-11-21 13:14:15.123"),
        ("2026-11-21 13:14:15.123400", PARKED),
        ("0000-00-00 00:00:00", PARKED),
        precision=6,
    ),
    case(
        "mysql",
        Kind.TIME,
        "time(6)",
        "time",
        ("23:59:59.999999", "23:59:59.999999"),
        ("24:00:00", "24:00:00"),
        ("24:00:00.000001", PARKED),
        ("-00:00:01", PARKED),
        ("838:59:59", PARKED),
        precision=6,
    ),
    case(
        "mysql",
        Kind.TIME,
        "time(6)",
        "interval",
        ("-838:59:59.000001", "-838:59:59.000001"),
        precision=6,
    ),
    case(
        "mysql",
        Kind.JSON,
        "json",
        "jsonb",
        ('{"a": 1}', '{"a": 1}'),
        ('{"a": 1, "a": 2}', PARKED),
        ("[1.10, 1e400]", "[1.10, 1" + "0" * 400 + "]"),
    ),
    case("mysql", Kind.TEXT, "longtext", "json", ('{"a":  1.10}', '{"a":  1.10}'), ("{", PARKED)),
    case("mysql", Kind.BIT, "bit(5)", "bit(5)", (5, "00101"), (31, "11111")),
    case("mysql", Kind.BIT, "bit(64)", "bit(5)", (5, "00101"), (32, PARKED)),
    case("mysql", Kind.BIT, "bit(64)", "numeric(20)", (2**64 - 1, str(2**64 - 1))),
    case("mysql", Kind.BIT, "bit(1)", "boolean", (1, "true"), (0, "false")),
    case("mysql", Kind.INTEGER, "tinyint", "boolean", (1, "true"), (2, PARKED), precision=1),
    case("mysql", Kind.ENUM, "enum('a','b')", "mood", ("a", "a"), ("b", PARKED)),
    case("mysql", Kind.BYTES, "binary(2)", "bytea", ("\\x00ff", "\\x00ff"), length=2),
    case("sqlite", Kind.INTEGER, "INTEGER", "bigint", (1, "1"), ("abc", PARKED), ("\\x00", PARKED)),
    case(
        "sqlite",
        Kind.TEXT,
        "TEXT",
        "text",
        ("abc", "abc"),
        ("12", "12"),
        ("\\x00ff", PARKED),
        ("\\\\x00ff", "\\x00ff"),
        ("\\Infinity", "Infinity"),
        ("a\0", PARKED),
    ),
    case(
        "sqlite",
        Kind.DYNAMIC,
        "",
        "text",
        (12, "12"),
        ("12", PARKED),
        ("a", "a"),
        ("\\x0f", "\\x0f"),
        ("\\\\x0f", PARKED),
    ),
    case(
        "sqlite",
        Kind.TIMESTAMP,
        "DATETIME",
        "timestamp",
        ("2026-11-21 13:14:15", "2026-11-21 13:14:15"),
        ("2026-11-21 13:14:15+08:00", PARKED),
        (1_700_000_000, PARKED),
        ("today", PARKED),
    ),
    case(
        "sqlite",
        Kind.DECIMAL,
        "DECIMAL(10,2)",
        "numeric(10,2)",
        (Decimal("12.5"), "12.50"),
        (Decimal("0.125"), PARKED),
        (12, "12.00"),
        ("abc", PARKED),
    ),
    case("postgresql", Kind.DECIMAL, "money", "money", (Decimal("-12.34"), "-$12.34")),
    case("postgresql", Kind.TEXT, "character(3)", "text", ("a  ", "a  "), length=3),
    case("postgresql", Kind.ARRAY, "integer[]", "bigint[]", ([1, None], "{1,NULL}")),
]
MYSQL = [
    case(
        "postgresql",
        Kind.DECIMAL,
        "numeric",
        "decimal(10,2)",
        (Decimal("1.1"), "1.10"),
        (Decimal("1.105"), PARKED),
        (Decimal("123456789"), PARKED),
        ("NaN", PARKED),
        ("-Infinity", PARKED),
    ),
    case(
        "postgresql",
        Kind.FLOAT,
        "double precision",
        "double",
        (Decimal("0.1"), "0.1"),
        (5, "5"),
        ("NaN", PARKED),
        ("Infinity", PARKED),
        precision=8,
    ),
    case(
        "postgresql",
        Kind.FLOAT,
        "double precision",
        "float",
        (Decimal("0.5"), "0.5"),
        (Decimal("0.1"), PARKED),
        precision=8,
    ),
    case(
        "postgresql",
        Kind.FLOAT,
        "double precision",
        "double(7,2)",
        (Decimal("0.25"), "0.25"),
        (Decimal("0.125"), PARKED),
        precision=8,
    ),
    case(
        "postgresql",
        Kind.TEXT,
        "text",
        "varchar(3)",
        ("abc", "abc"),
        ("abc ", PARKED),
        ("😀😀😀", "😀😀😀"),
    ),
    case("postgresql", Kind.TEXT, "text", "char(3)", ("ab", "ab"), ("a ", PARKED)),
    case("postgresql", Kind.TEXT, "character(3)", "char(3)", ("a  ", "a"), length=3),
    case("postgresql", Kind.TEXT, "text", "tinytext", ("a" * 255, "a" * 255), ("中" * 86, PARKED)),
    case(
        "postgresql",
        Kind.TEXT,
        "text",
        "varchar(9) CHARACTER SET latin1",
        ("é€", "é€"),
        ("中", PARKED),
    ),
    case(
        "postgresql",
        Kind.TEXT,
        "text",
        "varchar(9) CHARACTER SET gbk",
        ("中文", "中文"),
        ("😀", PARKED),
        ("é", "é"),
    ),
    case(
        "postgresql",
        Kind.TEXT,
        "text",
        "varchar(9) CHARACTER SET utf8mb3",
        ("中é", "中é"),
        ("😀", PARKED),
    ),
    case(
        "postgresql", Kind.BYTES, "bytea", "binary(3)", ("\\x000102", "000102"), ("\\x00", PARKED)
    ),
    case("postgresql", Kind.BYTES, "bytea", "varbinary(2)", ("\\x00", "00"), ("\\x000102", PARKED)),
    case(
        "postgresql",
        Kind.DATE,
        "date",
        "date",
        ("2026-02-28", "2026-02-28"),
        ("infinity", PARKED),
        ("0044-03-15 BC", PARKED),
        ("10000-01-01", PARKED),
        ("0001-01-01", "0001-01-01"),
    ),
    case(
        "postgresql",
        Kind.TIMESTAMP,
        "timestamp without time zone",
        "datetime",
        ("2026-11-21T13:14:15", "2026-11-21 13:14:15"),
        ("2026-11-21T13:14:15.5", PARKED),
        ("-infinity", PARKED),
    ),
    case(
        "postgresql",
        Kind.TIMESTAMPTZ,
        "timestamp with time zone",
        "datetime(6)",
        ("2026-11-21T13:14:15.123456+00:00", "2026-11-21 13:14:15.123456"),
        ("infinity", PARKED),
        ("0044-03-15T00:00:00+00:00 BC", PARKED),
    ),
    case(
        "postgresql",
        Kind.TIMESTAMPTZ,
        "timestamp with time zone",
        "timestamp(6) NULL",
        ("2026-11-21T13:14:15.123456+00:00", "2026-11-21 13:14:15.123456"),
        ("1969-12-31T23:59:59+00:00", PARKED),
        ("2200-01-01T00:00:00+00:00", PARKED),
    ),
    case(
        "postgresql",
        Kind.TIME,
        "time without time zone",
        "time",
        ("24:00:00", "24:00:00"),
        ("13:14:15.5", PARKED),
    ),
    case(
        "mysql",
        Kind.DATE,
        "date",
        "date",
        ("0000-00-00", "0000-00-00"),
        ("2026-00-10", "2026-00-10"),
    ),
    case("postgresql", Kind.TEXT, "text", "enum('a','B')", ("a", "a"), ("A", PARKED), ("", PARKED)),
    case("postgresql", Kind.TEXT, "text", "set('a','b')", ("a,b", "a,b"), ("c", PARKED)),
    case(
        "postgresql",
        Kind.UUID,
        "uuid",
        "binary(16)",
        (f"{0:08}-0000-0000-0000-0000000000ff", "0" * 30 + "FF"),
    ),
    case("postgresql", Kind.BOOLEAN, "boolean", "tinyint(1)", (True, "1"), (False, "0")),
    case("mysql", Kind.BIT, "bit(64)", "bit(64)", (2**64 - 1, "18446744073709551615")),
    case("mysql", Kind.INTEGER, "year", "year", (0, "0000"), (1901, "1901"), precision=2),
    case("postgresql", Kind.INTEGER, "integer", "year", (70, PARKED), (2026, "2026"), precision=4),
    case("sqlite", Kind.DYNAMIC, "", "longtext", (12, "12"), ("12", PARKED), ("a\0b", "a\0b")),
    case("sqlite", Kind.FLOAT, "REAL", "double", (Decimal("1e308"), "1e308"), ("Infinity", PARKED)),
]
SQLITE = [
    case("postgresql", Kind.TEXT, "text", "NUMERIC", ("1.10", PARKED), ("a", "'a'")),
    case("postgresql", Kind.TEXT, "text", "INTEGER", (" 12 ", PARKED), ("12a", "'12a'")),
    case("postgresql", Kind.TEXT, "text", "TEXT", ("1.10", "'1.10'")),
    case(
        "postgresql",
        Kind.DECIMAL,
        "numeric",
        "NUMERIC",
        (Decimal("1.10"), "1.1000000000000001"),
        (Decimal("12345678901234567.8"), PARKED),
        (2**63 - 1, str(2**63 - 1)),
        (2**63 + 1, PARKED),
        ("NaN", PARKED),
    ),
    case(
        "postgresql", Kind.DECIMAL, "numeric", "TEXT", (Decimal("1.10"), "'1.10'"), ("NaN", "'NaN'")
    ),
    case(
        "mysql",
        Kind.INTEGER,
        "bigint unsigned",
        "INTEGER",
        (2**64 - 1, PARKED),
        precision=8,
        unsigned=True,
    ),
    case(
        "mysql",
        Kind.INTEGER,
        "bigint",
        "REAL",
        (2**53 + 1, PARKED),
        (2**53, "9007199254740992.0"),
        precision=8,
    ),
    case(
        "postgresql",
        Kind.FLOAT,
        "double precision",
        "REAL",
        ("Infinity", "Inf"),
        ("NaN", PARKED),
        precision=8,
    ),
    case(
        "sqlite",
        Kind.DYNAMIC,
        "",
        "",
        (1, "1"),
        ("1", "'1'"),
        ("\\x01", "X'01'"),
        (Decimal("1.5"), "1.5"),
    ),
    case("sqlite", Kind.DYNAMIC, "", "INTEGER", ("1", PARKED), ("a", "'a'")),
    case("sqlite", Kind.INTEGER, "INTEGER", "INTEGER", (2**63 - 1, str(2**63 - 1)), ("a", "'a'")),
]
CASES = {"postgresql": POSTGRESQL, "mysql": MYSQL, "mariadb": MYSQL, "sqlite": SQLITE}


def reading(engine: str, case: Case) -> str:
    """SQL that shows a value as text."""
    if engine == "sqlite":
        return "CASE typeof(c) WHEN 'real' THEN printf('%!.17g', c) ELSE quote(c) END"
    if engine == "postgresql":
        return "c::text" if case.type != "char(3)" else "rtrim(c::text)"
    if "binary" in case.type:
        return "hex(c)"
    if case.type.startswith("bit"):
        return "CAST(c + 0 AS char)"
    return "CAST(c AS char)"


@pytest.mark.parametrize("bulk", [False, True], ids=["strict", "bulk"])
@pytest.mark.parametrize("engine", ["postgresql", "mariadb", "mysql", "sqlite"])
def test_values_are_kept_or_refused(make_database: MakeDatabase, engine: str, bulk: bool) -> None:
    database = TargetDatabase(make_database(engine), bulk=bulk)  # type: ignore[arg-type]
    database.execute(FILLER_DDL)
    if engine == "postgresql":
        database.execute("CREATE TYPE mood AS ENUM ('a', 'A')")
    n = Numbers()
    tables, changes, expected = [], [], {}
    for number, tried in enumerate(CASES[engine]):
        name = f"t{number}"
        table = Table(name, (ID, tried.column), ("id",))
        database.execute(f"CREATE TABLE {name} (id bigint NOT NULL PRIMARY KEY, c {tried.type})")
        tables.append(table)
        for key, (value, text) in enumerate(tried.values):
            changes.append(n.change(table, "I", id=key, c=value))
            expected[(name, key)] = (changes[-1].id, value, text, tried.type)
    database.deliver(tables, changes)
    parked = {letter.change.id: letter.error for letter in database.parked}
    found = {}
    for number, tried in enumerate(CASES[engine]):
        rows = database.rows(f"SELECT id, {reading(engine, tried)} FROM t{number}")
        found.update({(f"t{number}", key): text for key, text in rows})
    wrong = []
    for place, (change, value, text, type_) in expected.items():
        got = found.get(place, PARKED if change in parked else "lost")
        if got != text:
            wrong.append((type_, value, text, got))
    assert wrong == []
    assert [error for error in parked.values() if "column" not in error] == []
