"""Test columns of PostgreSQL's types."""

from __future__ import annotations

from datetime import date, datetime

from hypothesis import strategies as st

from tests.types.columns import (
    SampleColumn,
    SampleTable,
    binary,
    decimals,
    doubles,
    integers,
    quoted,
    texts,
)


def _text(value: str) -> str:
    return f"convert_from('\\x{value.encode().hex()}', 'UTF8')"


def _bytes(value: bytes) -> str:
    return f"'\\x{value.hex()}'"


def _json(value: str) -> str:
    return "'\"" + value.replace("\\", "\\\\").replace('"', '\\"').replace("'", "''") + "\"'"


_TEXTS = texts(_text, without="\0")
_CITIES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata")

SETUP = (
    "CREATE EXTENSION hstore",
    "CREATE EXTENSION citext",
    "CREATE EXTENSION ltree",
    """CREATE TYPE mood AS ENUM ('sad', 'it''s "ok", \\', 'glücklich', '')""",
    "CREATE TYPE place AS (name text, height numeric, near text[])",
    "CREATE DOMAIN percent AS numeric(5,2) CHECK (VALUE BETWEEN 0 AND 100)",
    "CREATE DOMAIN tags AS text[]",
)

NUMBERS = SampleTable(
    "numbers",
    (
        SampleColumn(
            "small",
            "smallint",
            "integer",
            ("-32768", "32767", "0"),
            integers(-(1 << 15), (1 << 15) - 1),
        ),
        SampleColumn(
            "whole",
            "integer",
            "integer",
            ("-2147483648", "2147483647"),
            integers(-(1 << 31), (1 << 31) - 1),
        ),
        SampleColumn(
            "large",
            "bigint",
            "integer",
            ("-9223372036854775808", "9223372036854775807", "9007199254740993"),
            integers(-(1 << 63), (1 << 63) - 1),
        ),
        SampleColumn(
            "exact",
            "numeric",
            "decimal",
            (
                "'NaN'",
                "'Infinity'",
                "'-Infinity'",
                "repeat('7', 100000)::numeric",
                "('0.' || repeat('0', 16000) || '1')::numeric",
                "1.10",
                "-0.000000000000000000000000000001",
                "1e131071",
            ),
            decimals(80, 20),
        ),
        SampleColumn(
            "money_like",
            "numeric(12,2)",
            "decimal",
            ("9999999999.99", "-0.01", "1.50", "'NaN'"),
            decimals(12, 2),
        ),
        SampleColumn(
            "wide",
            "numeric(65,30)",
            "decimal",
            (
                "99999999999999999999999999999999999.999999999999999999999999999999",
                "-0.000000000000000000000000000001",
            ),
            decimals(65, 30),
        ),
        SampleColumn("hundreds", "numeric(5,-2)", "decimal", ("1234500", "-9999900")),
        SampleColumn("tiny", "numeric(3,5)", "decimal", ("0.00999", "-0.00001")),
        SampleColumn(
            "single",
            "real",
            "float",
            (
                "'NaN'",
                "'Infinity'",
                "'-Infinity'",
                "5592405.5",
                "16777217",
                "1e-45",
                "3.4028235e38",
                "0.1",
                "'-0'",
            ),
            doubles(lambda value: f"'{value!r}'", width=32),
        ),
        SampleColumn(
            "double_one",
            "double precision",
            "float",
            (
                "'NaN'",
                "'Infinity'",
                "'-Infinity'",
                "0.1::float8 + 0.2::float8",
                "'1.7976931348623157e308'",
                "'5e-324'",
                "'2.2250738585072014e-308'",
                "'-0'",
                "9007199254740993",
            ),
            doubles(lambda value: f"'{value!r}'"),
        ),
        SampleColumn(
            "cash",
            "money",
            "decimal",
            ("'-92233720368547758.08'::numeric::money", "12.34::numeric::money"),
            decimals(12, 2).map(lambda text: f"'{text}'::numeric::money"),
        ),
        SampleColumn(
            "flag", "boolean", "boolean", ("true", "false"), st.sampled_from(("true", "false"))
        ),
        SampleColumn("object", "oid", "integer", ("4294967295", "0"), integers(0, (1 << 32) - 1)),
        SampleColumn(
            "portion", "percent", "decimal", ("100", "0.01"), decimals(4, 2, signed=False)
        ),
        SampleColumn(
            "doubled", "bigint GENERATED ALWAYS AS (whole::bigint * 2) STORED", "integer", ()
        ),
    ),
    setup=SETUP,
)

TEXTS = SampleTable(
    "texts",
    (
        SampleColumn("padded", "char(10)", "padded text", ("'ab  '", "''", "'中文😀'")),
        SampleColumn(
            "short",
            "varchar(40)",
            "text",
            ("''", "'trailing  '", "repeat('😀', 40)", "'NULL'"),
            texts(_text, longest=40, without="\0"),
        ),
        SampleColumn("bare", "varchar", "text", ("'x'", "repeat('ü', 70000)"), _TEXTS),
        SampleColumn(
            "long",
            "text",
            "text",
            (
                "''",
                r"'O''Brien \ \n \x00 \\x %s %% :x ? `a` \"q\" $$'",
                r"'\x00ff'",
                "E'a\\tb\\r\\nc\\x01\\x1f\\x7f'",
                "U&'\\FEFF\\202E\\2028\\FFFD'",
                "'e' || U&'\\0301' || ' é 中文 😀🏳️‍🌈'",
                "repeat('x', 100000)",
                "'null'",
                "'1.10'",
                "'NaN'",
            ),
            _TEXTS,
        ),
        SampleColumn("folding", "citext", "text", ("'Straße'", "''"), _TEXTS),
        SampleColumn("one", '"char"', "text", ("'a'", "''")),
        SampleColumn("named", "name", "text", ("repeat('n', 63)",)),
        SampleColumn(
            "data",
            "bytea",
            "bytes",
            (r"'\x'", r"'\x00'", r"decode('5c783030', 'hex')", r"'\xff00fe27225c'"),
            binary(_bytes),
        ),
        SampleColumn(
            "document",
            "json",
            "document",
            (
                """'{"a": 1, "a": 2}'""",
                "'1.10'",
                "'1e400'",
                """' { "b" :  [1.0 , null, true] , "ü": "\\u00fc 😀" } '""",
                "'null'",
                "'\"\"'",
                "'12345678901234567890.12345678901234567890'",
            ),
            st.text(st.characters(exclude_categories=["Cs", "Cc"])).map(_json),
        ),
        SampleColumn(
            "content",
            "jsonb",
            "json",
            (
                """'{"b": 1.10, "a": [], "ü": "😀"}'""",
                "'1e400'",
                "'null'",
                "'12345678901234567890.123'",
            ),
            st.text(st.characters(exclude_categories=["Cs", "Cc"])).map(_json),
        ),
        SampleColumn(
            "identity",
            "uuid",
            "uuid",
            ("'00000000-0000-0000-0000-000000000000'", "'FFFFFFFF-ffff-ffff-ffff-ffffffffffff'"),
            quoted(st.uuids()),
        ),
        SampleColumn(
            "feeling",
            "mood",
            "text",
            ("'sad'", "'it''s \"ok\", \\'", "'glücklich'", "''"),
            st.sampled_from(("'sad'", "''")),
        ),
        SampleColumn(
            "spot",
            "place",
            "text",
            (
                """ROW('a "b", (c)', 1.10, ARRAY['x,y', NULL])""",
                "ROW(NULL, NULL, NULL)",
                "ROW('', 'NaN', '{}')",
            ),
        ),
        SampleColumn("pairs", "hstore", "text", ("""'a=>1, "b c"=>NULL, "q\\"x"=>"\\\\"'""", "''")),
        SampleColumn("path_label", "ltree", "text", ("'a.b.c'", "''")),
        SampleColumn(
            "host", "inet", "text", ("'192.168.0.1/24'", "'10.0.0.1'", "'::1'", "'fe80::1/64'")
        ),
        SampleColumn("network", "cidr", "text", ("'10.0.0.0/8'", "'::/0'")),
        SampleColumn("card", "macaddr", "text", ("'08:00:2b:01:02:03'",)),
        SampleColumn("card8", "macaddr8", "text", ("'08:00:2b:01:02:03:04:05'",)),
        SampleColumn(
            "flags",
            "bit(8)",
            "bit string",
            ("B'10000001'", "B'00000000'"),
            st.integers(0, 255).map(lambda n: f"B'{n:08b}'"),
        ),
        SampleColumn(
            "mask",
            "bit varying",
            "bit string",
            ("B''", "B'0001'", "repeat('1', 100)::varbit"),
            st.text("01", max_size=80).map(lambda bits: f"B'{bits}'"),
        ),
        SampleColumn(
            "markup",
            "xml",
            "text",
            ("""'<a b="ü">x &amp; y<!-- c --></a>'""", "'<?xml version=\"1.0\"?><r/>'"),
        ),
        SampleColumn(
            "words",
            "tsvector",
            "text",
            ("to_tsvector('simple', 'It''s a fat cat')", "'''a b'':1A c'", "''"),
        ),
        SampleColumn("question", "tsquery", "text", ("'fat & (rat | !cat:AB)'",)),
        SampleColumn("log_position", "pg_lsn", "text", ("'FFFFFFFF/FFFFFFFF'",)),
        SampleColumn("relation", "regclass", "text", ("'pg_class'",)),
        SampleColumn("upper_case", "text GENERATED ALWAYS AS (upper(short)) STORED", "text", ()),
    ),
)

TIMES = SampleTable(
    "times",
    (
        SampleColumn(
            "day",
            "date",
            "date",
            (
                "'infinity'",
                "'-infinity'",
                "'4713-01-01 BC'",
                "'5874897-12-31'",
                "'2024-02-29'",
                "'0001-01-01'",
                "'9999-12-31'",
            ),
            quoted(st.dates(date(1000, 1, 1))),
        ),
        SampleColumn(
            "clock",
            "time",
            "time",
            ("'24:00:00'", "'00:00:00'", "'23:59:59.999999'"),
            quoted(st.times()),
        ),
        SampleColumn(
            "clock_zone",
            "timetz",
            "timetz",
            ("'24:00:00-15:59'", "'13:14:15.123456+02'", "'00:00:00+15:59:59'"),
        ),
        SampleColumn(
            "moment",
            "timestamp",
            "timestamp",
            (
                "'infinity'",
                "'-infinity'",
                "'4713-01-01 00:00:00 BC'",
                "'294276-12-31 23:59:59.999999'",
                "'2026-03-29 02:30:00'",
                "'1000-01-01 00:00:00.000001'",
                "'9999-12-31 23:59:59.999999'",
                "'0044-03-15 12:00:00.5 BC'",
            ),
            quoted(st.datetimes(datetime(1000, 1, 1))),  # noqa: DTZ001
        ),
        SampleColumn("rough", "timestamp(0)", "timestamp", ("'2026-11-21 13:14:15'",)),
        SampleColumn(
            "instant",
            "timestamptz",
            "timestamptz",
            (
                "'infinity'",
                "'-infinity'",
                "'4713-01-01 00:00:00+00 BC'",
                "'294276-12-31 23:59:59.999999+00'",
                "'2026-03-29 01:59:59.999999 Europe/Berlin'",
                "'2026-03-29 03:00:00 Europe/Berlin'",
                "'2026-10-25 02:30:00+02'",
                "'2026-10-25 02:30:00+01'",
                "'1890-01-01 00:00:00 Europe/Amsterdam'",
                "'9999-12-31 23:59:59.999999-12'",
                "'0001-01-01 00:00:00+00'",
            ),
            st.tuples(
                st.datetimes(datetime(1970, 1, 2), datetime(2037, 12, 31)),  # noqa: DTZ001
                st.sampled_from(_CITIES),
            ).map(lambda drawn: f"'{drawn[0]} {drawn[1]}'"),
        ),
        SampleColumn(
            "duration",
            "interval",
            "interval",
            (
                "'1 year -2 months +3 days -04:05:06.000007'",
                "'-178000000 years'",
                "'178000000 years'",
                "'0'",
                "'-00:00:00.000001'",
                "'2562047788:00:54.775807'",
            ),
            st.tuples(
                st.integers(-9999, 9999), st.integers(-9999, 9999), st.integers(-(10**15), 10**15)
            ).map(lambda d: f"'{d[0]} months {d[1]} days {d[2]} microseconds'"),
        ),
        SampleColumn(
            "period", "tstzrange", "text", ("'[2026-01-01 00:00+02,infinity)'", "'empty'", "'(,)'")
        ),
        SampleColumn("stay", "daterange", "text", ("'[2026-01-01,2026-02-01)'",)),
    ),
)

COLLECTIONS = SampleTable(
    "collections",
    (
        SampleColumn(
            "numbers",
            "integer[]",
            "array",
            (
                "'{}'",
                "'{1,NULL,-3}'",
                "'{{1,2},{3,4}}'",
                "'[0:1]={5,6}'",
                "'[-2:-1][3:3]={{1},{2}}'",
            ),
        ),
        SampleColumn("larges", "bigint[]", "array", ("'{9223372036854775807,9007199254740993}'",)),
        SampleColumn(
            "exacts",
            "numeric[]",
            "array",
            ("'{1.10,NaN,Infinity,12345678901234567890.123456789}'",),
        ),
        SampleColumn(
            "doubles",
            "double precision[]",
            "array",
            ("'{0.1,NaN,-Infinity,1e308,0.30000000000000004}'",),
        ),
        SampleColumn("singles", "real[]", "array", ("'{0.1,5592405.5,16777216}'",)),
        SampleColumn(
            "labels",
            "text[]",
            "array",
            (
                r"""ARRAY['', NULL, 'NULL', 'a"b', 'c\d', 'e,f', '{g}', ' h ', '中文😀', '\x00']""",
                "'{}'",
            ),
        ),
        SampleColumn("chunks", "bytea[]", "array", (r"""ARRAY['\x00ff'::bytea, NULL, '\x']""",)),
        SampleColumn("flags", "boolean[]", "array", ("'{t,f,NULL}'",)),
        SampleColumn("days", "date[]", "array", ("'{2026-02-28,infinity,NULL}'",)),
        SampleColumn(
            "instants",
            "timestamptz[]",
            "array",
            ("ARRAY['2026-03-29 01:30:00+00'::timestamptz, 'infinity']",),
        ),
        SampleColumn(
            "moments", "timestamp[]", "array", ("ARRAY['2026-03-29 01:30:00.5'::timestamp]",)
        ),
        SampleColumn("durations", "interval[]", "array", ("ARRAY['1 year -3 days'::interval]",)),
        SampleColumn(
            "documents",
            "json[]",
            "array",
            ("""ARRAY['{"a": 1, "a": 1.10}'::json, 'null', NULL, '[1, 2]']""",),
        ),
        SampleColumn("contents", "jsonb[]", "array", ("""ARRAY['{"a": [1]}'::jsonb]""",)),
        SampleColumn("moods", "mood[]", "array", ("ARRAY['sad', '']::mood[]",)),
        SampleColumn("places", "place[]", "array", ("ARRAY[ROW('a', 1.10, NULL)::place]",)),
        SampleColumn(
            "identities",
            "uuid[]",
            "array",
            ("ARRAY['00000000-0000-0000-0000-000000000001'::uuid]",),
        ),
        SampleColumn("cashes", "money[]", "array", ("ARRAY[12.34::numeric::money]",)),
        SampleColumn("hosts", "inet[]", "array", ("ARRAY['10.0.0.1'::inet]",)),
        SampleColumn("tagged", "tags", "array", ("ARRAY['a', NULL]",)),
        SampleColumn("portions", "percent[]", "array", ("ARRAY[1.5, 100]::percent[]",)),
        SampleColumn("whole_range", "int4range", "text", ("'[1,10)'", "'empty'", "'(,5)'")),
        SampleColumn("exact_range", "numrange", "text", ("'(1.10,2.200]'",)),
        SampleColumn("many_ranges", "int4multirange", "text", ("'{[1,3),[5,7)}'", "'{}'")),
        SampleColumn("spans", "int8range[]", "array", ("ARRAY['[1,5)'::int8range]",)),
        SampleColumn("dot", "point", "text", ("'(0.1,-1e300)'", "'(NaN,Infinity)'")),
        SampleColumn("straight", "line", "text", ("'{1,-1,0.1}'",)),
        SampleColumn("segment", "lseg", "text", ("'[(0,0),(0.30000000000000004,1)]'",)),
        SampleColumn("square", "box", "text", ("'(2,2),(1,1)'",)),
        SampleColumn("trail", "path", "text", ("'[(0,0),(1,1)]'", "'((0,0),(1,1))'")),
        SampleColumn("area", "polygon", "text", ("'((0,0),(1,1),(1,0))'",)),
        SampleColumn("ring", "circle", "text", ("'<(0.1,0),5>'",)),
        SampleColumn("dots", "point[]", "array", ("ARRAY['(1,2)'::point]",)),
    ),
)

TABLES = (NUMBERS, TEXTS, TIMES, COLLECTIONS)
