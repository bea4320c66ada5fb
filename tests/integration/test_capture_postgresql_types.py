"""What PostgreSQL's triggers log for each column type."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from tests.capture_source import CaptureSource, capture_source, inserted
from tests.conftest import MakeDatabase
from triggers.model import Kind

SETUP = (
    "CREATE EXTENSION citext",
    "CREATE EXTENSION hstore",
    "CREATE EXTENSION ltree",
    "CREATE TYPE place AS (name text, n numeric, at timestamptz)",
    """CREATE TYPE mood AS ENUM ('so so', 'q"', 'ü')""",
    "CREATE DOMAIN price AS numeric(12,2)",
    "CREATE DOMAIN net_price AS price",
    "CREATE DOMAIN documents AS json[]",
    "CREATE DOMAIN whole_place AS place",
    "CREATE DOMAIN three AS integer[]",
)

VALUES: tuple[tuple[str, str, Kind, object], ...] = (
    ("smallint", "'-32768'", Kind.INTEGER, -32768),
    ("bigint", "'-9223372036854775808'", Kind.INTEGER, -(2**63)),
    ("oid", "'4294967295'", Kind.INTEGER, 4294967295),
    ("numeric", "'NaN'", Kind.DECIMAL, "NaN"),
    ("numeric", "'-Infinity'", Kind.DECIMAL, "-Infinity"),
    ("numeric(40,20)", "'1.10'", Kind.DECIMAL, Decimal("1.10000000000000000000")),
    ("net_price", "'1.5'", Kind.DECIMAL, Decimal("1.50")),
    ("money", "'-92233720368547758.08'", Kind.DECIMAL, Decimal("-92233720368547758.08")),
    ("real", "'0.1'", Kind.FLOAT, Decimal("0.10000000149011612")),
    ("real", "'16777217'", Kind.FLOAT, 16777216),
    ("real", "'1e-45'", Kind.FLOAT, Decimal("1.401298464324817e-45")),
    ("double precision", "'5e-324'", Kind.FLOAT, Decimal("5e-324")),
    ("double precision", "0.1::float8 + 0.2::float8", Kind.FLOAT, Decimal("0.30000000000000004")),
    ("double precision", "'NaN'", Kind.FLOAT, "NaN"),
    ("double precision", "'-Infinity'", Kind.FLOAT, "-Infinity"),
    ("boolean", "'f'", Kind.BOOLEAN, False),
    ("text", r"E'\\x00 \\ \" '' \u0001 \U0001F600'", Kind.TEXT, "\\x00 \\ \" ' \x01 😀"),
    ("char(5)", "'ab'", Kind.TEXT, "ab   "),
    ('"char"', "'é'", Kind.TEXT, "\\303"),
    ('"char"', "'A'", Kind.TEXT, "A"),
    ("name", "'n'", Kind.TEXT, "n"),
    ("citext", "'Ab'", Kind.TEXT, "Ab"),
    ("bytea", r"'\x00ff5c'", Kind.BYTES, "\\x00ff5c"),
    ("date", "'4713-01-01 BC'", Kind.DATE, "4713-01-01 BC"),
    ("date", "'infinity'", Kind.DATE, "infinity"),
    ("time", "'24:00:00'", Kind.TIME, "24:00:00"),
    ("timetz", "'13:14:15.5-15:59'", Kind.TIMETZ, "13:14:15.5-15:59"),
    ("timestamp", "'-infinity'", Kind.TIMESTAMP, "-infinity"),
    ("timestamp", "'294276-12-31 23:59:59.999999'", Kind.TIMESTAMP, "294276-12-31T23:59:59.999999"),
    ("timestamptz", "'0044-03-15 12:00+00 BC'", Kind.TIMESTAMPTZ, "0044-03-15T12:00:00+00:00 BC"),
    ("timestamptz", "'2026-07-01 12:00+02'", Kind.TIMESTAMPTZ, "2026-07-01T10:00:00+00:00"),
    ("interval", "'-1 mon 2 days -3:04:05.6'", Kind.INTERVAL, "-1 mons +2 days -03:04:05.6"),
    ("json", """' {"a":1, "a": 1e400, "b":1.10}'""", Kind.JSON, ' {"a":1, "a": 1e400, "b":1.10}'),
    ("jsonb", """'{"b": 1.10, "a": [ ]}'""", Kind.JSON, '{"a": [], "b": 1.10}'),
    (
        "uuid",
        "'A0EEBC999C0B4EF8BB6D6BB9BD380A11'",
        Kind.UUID,
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    ),
    ("mood", "'q\"'", Kind.ENUM, 'q"'),
    ("integer[]", "'{}'", Kind.ARRAY, []),
    ("integer[]", "'{1,NULL}'", Kind.ARRAY, [1, None]),
    ("integer[]", "'{{1,2},{3,4}}'", Kind.ARRAY, [[1, 2], [3, 4]]),
    ("integer[]", "'[0:2]={1,2,3}'", Kind.ARRAY, "[0:2]={1,2,3}"),
    ("integer[]", "'[1:1][2:3]={{1,2}}'", Kind.ARRAY, "[1:1][2:3]={{1,2}}"),
    ("real[]", "'{0.1,NaN}'", Kind.ARRAY, [Decimal("0.10000000149011612"), "NaN"]),
    ("oid[]", "'{7}'", Kind.ARRAY, [7]),
    ("money[]", "'{1,-2.5}'", Kind.ARRAY, [Decimal("1.00"), Decimal("-2.50")]),
    ("text[]", """'{"a,b","NULL",NULL,""}'""", Kind.ARRAY, ["a,b", "NULL", None, ""]),
    ("bytea[]", r"""ARRAY['\xff'::bytea]""", Kind.ARRAY, ["\\xff"]),
    ("jsonb[]", """ARRAY['{"a": 1.10}'::jsonb, NULL]""", Kind.ARRAY, ['{"a": 1.10}', None]),
    ("documents", """ARRAY['{"a":  1}'::json]""", Kind.ARRAY, ['{"a":  1}']),
    ("three[]", """'{"{1,2}","{}"}'""", Kind.ARRAY, ["{1,2}", "{}"]),
    ("place[]", "ARRAY[ROW('a b', 1, NULL)::place]", Kind.ARRAY, ['("a b",1,)']),
    ("interval[]", "'{1 day}'", Kind.ARRAY, ["1 day"]),
    ("mood[]", "'{ü}'", Kind.ARRAY, ["ü"]),
    ("place", "ROW('a', 'NaN', NULL)", Kind.OTHER, "(a,NaN,)"),
    ("place", "ROW(NULL, NULL, NULL)", Kind.OTHER, "(,,)"),
    (
        "whole_place",
        "ROW('', 1.10, '2026-07-01 12:00+02')",
        Kind.OTHER,
        '("",1.10,"2026-07-01 10:00:00+00")',
    ),
    ("int4range", "'[1,5)'", Kind.OTHER, "[1,5)"),
    ("int4multirange", "'{[1,5),[7,9)}'", Kind.OTHER, "{[1,5),[7,9)}"),
    ("tstzrange", "'[2026-07-01 12:00+02,)'", Kind.OTHER, '["2026-07-01 10:00:00+00",)'),
    ("hstore", "'a=>NULL'", Kind.OTHER, '"a"=>NULL'),
    ("ltree", "'a.b'", Kind.OTHER, "a.b"),
    ("inet", "'10.0.0.1'", Kind.OTHER, "10.0.0.1"),
    ("cidr", "'10.0.0.0/8'", Kind.OTHER, "10.0.0.0/8"),
    ("macaddr", "'08:00:2b:01:02:03'", Kind.OTHER, "08:00:2b:01:02:03"),
    ("bit(3)", "B'101'", Kind.OTHER, "101"),
    ("bit varying", "B''", Kind.OTHER, ""),
    ("xml", "'<a b=\"ü\">&amp;</a>'", Kind.OTHER, '<a b="ü">&amp;</a>'),
    ("tsvector", "'a:1A b'", Kind.OTHER, "'a':1A 'b'"),
    ("point", "'(0.1,1e300)'", Kind.OTHER, "(0.1,1e+300)"),
    ("regclass", "'mood_table'", Kind.OTHER, "public.mood_table"),
    ("int2vector", "'1 2'", Kind.OTHER, "1 2"),
)


@pytest.fixture
def source(make_database: MakeDatabase) -> Iterator[CaptureSource]:
    with capture_source(make_database("postgresql")) as source:
        source.execute(*SETUP, "CREATE TABLE mood_table (m mood)")
        yield source


def test_every_type(source: CaptureSource) -> None:
    columns = ", ".join(f"c{n} {native}" for n, (native, *_rest) in enumerate(VALUES))
    literals = ", ".join(literal for _native, literal, *_rest in VALUES)
    source.execute(f"CREATE TABLE typed (id integer PRIMARY KEY, {columns})")
    source.install("typed")
    source.execute(f"INSERT INTO typed VALUES (1, {literals})", "INSERT INTO typed VALUES (2)")
    full, empty = source.changes()
    expected = {f"c{n}": value for n, (*_rest, value) in enumerate(VALUES)}
    assert full.after is not None
    logged = {name: full.after[name] for name in expected}
    assert {n: v for n, v in logged.items() if v != expected[n]} == {}
    assert empty == inserted({"id": 2, **dict.fromkeys(expected)})
    described = source.capture.tables()["public.typed"].columns
    assert [column.kind for column in described[1:]] == [kind for _t, _l, kind, _v in VALUES]


def test_zero_keeps_its_sign(source: CaptureSource) -> None:
    source.execute(
        "CREATE TABLE z (id integer PRIMARY KEY, a float8, b real, c float8, d float8[], e real[])"
    )
    source.install("z")
    source.execute(
        "INSERT INTO z VALUES (1, '-0', '-0', '0', '{-0,0,-0.5,NULL,1e-07}', '{{1,-0},{-0,NaN}}')"
    )
    [change] = source.changes()
    assert change.after is not None
    assert [str(change.after[name]) for name in "abc"] == ["-0.0", "-0.0", "0"]
    assert list(map(str, change.after["d"])) == ["-0.0", "0", "-0.5", "None", "1E-7"]
    assert [list(map(str, row)) for row in change.after["e"]] == [["1", "-0.0"], ["-0.0", "NaN"]]


def test_numeric_of_100_000_digits(source: CaptureSource) -> None:
    source.execute("CREATE TABLE n (id integer PRIMARY KEY, a numeric, b numeric)")
    source.install("n")
    source.execute(
        "INSERT INTO n VALUES (1, repeat('7', 100000)::numeric,"
        " ('1.' || repeat('3', 16383))::numeric)"
    )
    query = "SELECT after::text FROM outbox.outbox_change"
    with source.engine.connect() as connection:
        image = connection.exec_driver_sql(query).scalar_one()
    assert image == '{"id":1,"a":' + "7" * 100000 + ',"b":1.' + "3" * 16383 + "}"


def test_around_a_change_of_the_clocks_from_three_zones(source: CaptureSource) -> None:
    source.execute("CREATE TABLE moment (id integer PRIMARY KEY, at timestamptz)")
    source.install("moment")
    written = (
        ("Europe/Berlin", "2026-10-25 02:30:00 CEST"),
        ("Europe/Berlin", "2026-10-25 02:30:00 CET"),
        ("America/New_York", "2026-10-24 20:30:00"),
        ("Asia/Kolkata", "2026-10-25 07:00:00"),
    )
    for number, (zone, at) in enumerate(written):
        source.execute(
            f"SET LOCAL TimeZone = '{zone}'", f"INSERT INTO moment VALUES ({number}, '{at}')"
        )
    assert [change.after["at"] for change in source.changes() if change.after] == [
        "2026-10-25T00:30:00+00:00",
        "2026-10-25T01:30:00+00:00",
        "2026-10-25T00:30:00+00:00",
        "2026-10-25T01:30:00+00:00",
    ]
