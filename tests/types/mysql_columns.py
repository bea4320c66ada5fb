"""Test columns of MariaDB's and MySQL's types."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from hypothesis import strategies as st

from tests.types.columns import (
    Meaning,
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
    return f"_utf8mb4 x'{value.encode().hex()}'"


def _bytes(value: bytes) -> str:
    return f"x'{value.hex()}'"


def _json(value: str) -> str:
    return "CONCAT('\"', " + _text(value.replace("\\", "\\\\").replace('"', '\\"')) + ", '\"')"


def _time(value: timedelta) -> str:
    micros = round(abs(value) / timedelta(microseconds=1))
    seconds, micros = divmod(micros, 1_000_000)
    sign = "-" if value < timedelta(0) else ""
    return f"'{sign}{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}.{micros:06}'"


def _integer(name: str, type_: str, bits: int) -> tuple[SampleColumn, SampleColumn]:
    low, high, most = -(1 << bits - 1), (1 << bits - 1) - 1, (1 << bits) - 1
    return (
        SampleColumn(name, type_, "integer", (str(low), str(high)), integers(low, high)),
        SampleColumn(
            f"{name}_unsigned",
            f"{type_} unsigned",
            "integer",
            (str(most), "0"),
            integers(0, most),
        ),
    )


_FINITE = {"allow_nan": False, "allow_infinity": False}
_LONGEST_TIME = timedelta(hours=838, minutes=59, seconds=59)
_TIMESTAMPS = st.datetimes(datetime(1970, 1, 2), datetime(2037, 12, 31))  # noqa: DTZ001

NUMBERS = SampleTable(
    "numbers",
    (
        *_integer("tiny", "tinyint", 8),
        *_integer("small", "smallint", 16),
        *_integer("medium", "mediumint", 24),
        *_integer("whole", "int", 32),
        *_integer("large", "bigint", 64),
        SampleColumn("flag", "boolean", "integer", ("TRUE", "FALSE", "-128", "2")),
        SampleColumn(
            "wide",
            "decimal(65,30)",
            "decimal",
            (
                "99999999999999999999999999999999999.999999999999999999999999999999",
                "-0.000000000000000000000000000001",
                "1.10",
            ),
            decimals(65, 30),
        ),
        SampleColumn("longest", "decimal(65,0)", "decimal", ("-" + "9" * 65, "0"), decimals(65, 0)),
        SampleColumn(
            "money", "decimal(12,2)", "decimal", ("-9999999999.99", "1.50"), decimals(12, 2)
        ),
        SampleColumn("fraction", "decimal(30,30)", "decimal", ("0." + "9" * 30,), decimals(30, 30)),
        SampleColumn(
            "single",
            "float",
            "float",
            ("5592405.5", "16777216", "3.402823466e38", "1.401298464e-45", "0.1", "-0e0"),
            doubles(repr, width=32, **_FINITE),
        ),
        SampleColumn(
            "double_one",
            "double",
            "float",
            (
                "0.1e0+0.2e0",
                "1.7976931348623157e308",
                "-2.2250738585072014e-308",
                "5e-324",
                "9007199254740993e0",
                "-0e0",
                "1e22",
            ),
            doubles(repr, **_FINITE),
        ),
        SampleColumn("rounded", "double(10,3)", "float", ("1234567.125",)),
        SampleColumn("bit_one", "bit(1)", "bits", ("b'1'", "b'0'"), integers(0, 1)),
        SampleColumn("bit_nine", "bit(9)", "bits", ("511", "256"), integers(0, 511)),
        SampleColumn(
            "bit_all",
            "bit(64)",
            "bits",
            ("18446744073709551615", "9223372036854775808", "0"),
            integers(0, (1 << 64) - 1),
        ),
        SampleColumn("year_of", "year", "integer", ("0000", "1901", "2155"), integers(1901, 2155)),
        SampleColumn("doubled", "bigint AS (whole * 2) VIRTUAL", "integer", ()),
        SampleColumn("tripled", "bigint AS (whole * 3) STORED", "integer", ()),
    ),
)


def texts_table(only_here: tuple[SampleColumn, ...], json: Meaning) -> SampleTable:
    """The table of texts, with the columns that one of the two engines alone has."""
    any_text = texts(_text)
    return SampleTable(
        "texts",
        (
            SampleColumn("padded", "char(10)", "text", ("''", "'ab'", "' 中文😀'")),
            SampleColumn(
                "short",
                "varchar(40)",
                "text",
                ("''", "'trailing  '", "REPEAT('😀', 40)", "'NULL'", "x'00'", "'a\\0b'"),
                texts(_text, longest=40),
            ),
            SampleColumn(
                "latin",
                "varchar(40) CHARACTER SET latin1",
                "text",
                ("'äöü€ß'",),
                texts(
                    _text,
                    longest=40,
                    encoding="latin-1",
                    without="".join(map(chr, range(0x80, 0xA0))),
                ),
            ),
            SampleColumn(
                "chinese",
                "varchar(40) CHARACTER SET gbk",
                "text",
                ("'中文'", "'誠\\\\'"),
                st.text("中文誠ab\\'", max_size=40).map(_text),
            ),
            SampleColumn("three", "varchar(40) CHARACTER SET utf8mb3", "text", ("'中文'",)),
            SampleColumn("sixteen", "varchar(40) CHARACTER SET utf16", "text", ("'中文😀'",)),
            SampleColumn("tiny_text", "tinytext", "text", ("REPEAT('x', 255)",)),
            SampleColumn(
                "text_of", "text", "text", ("REPEAT('😀', 16383)", "'\\\\x00ff'"), any_text
            ),
            SampleColumn("medium_text", "mediumtext", "text", ("REPEAT('ü', 70000)",)),
            SampleColumn(
                "long_text",
                "longtext",
                "text",
                (
                    "''",
                    "'O\\'Brien \\\\ \\\\n %s %% :x ? `a` \"q\"'",
                    "'a\\tb\\r\\nc\\Z'",
                    "x'0102031f7f'",
                    "x'efbbbfe280aee280a8efbfbd'",
                    "'é 中文 😀🏳️‍🌈'",
                    "'null'",
                    "'1.10'",
                    "'0000-00-00'",
                    "'\\0'",
                ),
                any_text,
            ),
            SampleColumn("fixed", "binary(8)", "bytes", ("x'ff00'", "x''", "x'2020202020202020'")),
            SampleColumn(
                "chunk",
                "varbinary(60)",
                "bytes",
                ("x''", "x'00'", "x'5c7830'", "x'20'"),
                binary(_bytes),
            ),
            SampleColumn("tiny_blob", "tinyblob", "bytes", ("REPEAT(x'00', 255)",)),
            SampleColumn("blob_of", "blob", "bytes", ("x'fffe00275c22'",), binary(_bytes)),
            SampleColumn("medium_blob", "mediumblob", "bytes", ("REPEAT(x'f0', 70000)",)),
            SampleColumn("long_blob", "longblob", "bytes", ("x'00'",), binary(_bytes)),
            SampleColumn(
                "choice",
                "enum('a', 'it''s', 'x,y', 'glücklich', '')",
                "text",
                ("'it''s'", "'x,y'", "'glücklich'", "''", "1"),
                st.sampled_from(("'a'", "'x,y'")),
            ),
            SampleColumn(
                "choices",
                "set('a', 'b c', 'ü', 'd')",
                "text",
                ("'a,b c,ü,d'", "''", "'ü'"),
                integers(0, 15),
            ),
            SampleColumn(
                "document",
                "json",
                json,
                (
                    '\'{"b": 1, "aa": [1.5, null, true], "ü": "\\\\u00fc 😀"}\'',
                    "'null'",
                    "'\"\"'",
                    "'12345678901234567890'",
                    "'1.10'",
                ),
                st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60).map(_json),
            ),
            SampleColumn("upper_case", "varchar(80) AS (UPPER(short)) STORED", "text", ()),
            *only_here,
        ),
        options=" DEFAULT CHARACTER SET utf8mb4",
    )


TIMES = SampleTable(
    "times",
    (
        SampleColumn(
            "day",
            "date",
            "date",
            (
                "'0000-00-00'",
                "'2026-00-00'",
                "'2026-11-00'",
                "'0001-01-01'",
                "'9999-12-31'",
                "'2024-02-29'",
            ),
            quoted(st.dates(date(1000, 1, 1))),
        ),
        SampleColumn(
            "moment",
            "datetime(6)",
            "timestamp",
            (
                "'0000-00-00 00:00:00'",
                "'2026-00-10 11:12:13.5'",
                "'9999-12-31 23:59:59.999999'",
                "'2026-03-29 02:30:00'",
                "'1000-01-01 00:00:00.000001'",
            ),
            quoted(st.datetimes(datetime(1000, 1, 1))),  # noqa: DTZ001
        ),
        SampleColumn("rough_moment", "datetime", "timestamp", ("'2026-11-21 13:14:15'",)),
        SampleColumn(
            "instant",
            "timestamp(6) NULL",
            "timestamptz",
            (
                "'0000-00-00 00:00:00'",
                "'1970-01-01 00:00:01'",
                "'2038-01-19 03:14:07.999999'",
                "'2026-03-29 01:30:00'",
                "'2026-10-25 00:30:00.5'",
                "'2026-10-25 01:30:00.5'",
            ),
            quoted(_TIMESTAMPS),
        ),
        SampleColumn("rough_instant", "timestamp NULL", "timestamptz", ("'2026-11-21 13:14:15'",)),
        SampleColumn(
            "clock",
            "time(6)",
            "time",
            (
                "'-838:59:59'",
                "'838:59:59'",
                "'-00:00:00.000001'",
                "'23:59:59.999999'",
                "'24:00:00'",
                "'00:00:00'",
            ),
            st.timedeltas(-_LONGEST_TIME, _LONGEST_TIME).map(_time),
        ),
        SampleColumn("rough_clock", "time", "time", ("'-01:02:03'", "'12:00:00'")),
    ),
)

SHAPES = SampleTable(
    "shapes",
    (
        SampleColumn(
            "dot",
            "point",
            "geometry",
            ("ST_GeomFromText('POINT(0.1 -2)')", "ST_GeomFromText('POINT(1 2)', 4326)"),
        ),
        SampleColumn(
            "line", "linestring", "geometry", ("ST_GeomFromText('LINESTRING(0 0, 1 1)')",)
        ),
        SampleColumn(
            "area", "polygon", "geometry", ("ST_GeomFromText('POLYGON((0 0, 1 1, 1 0, 0 0))')",)
        ),
        SampleColumn(
            "dots", "multipoint", "geometry", ("ST_GeomFromText('MULTIPOINT(0 0, 1 1)')",)
        ),
        SampleColumn(
            "strings",
            "multilinestring",
            "geometry",
            ("ST_GeomFromText('MULTILINESTRING((0 0, 1 1))')",),
        ),
        SampleColumn(
            "areas",
            "multipolygon",
            "geometry",
            ("ST_GeomFromText('MULTIPOLYGON(((0 0, 1 1, 1 0, 0 0)))')",),
        ),
        SampleColumn("shape", "geometry", "geometry", ("ST_GeomFromText('POINT(1e300 2)')",)),
        SampleColumn(
            "shapes",
            "geometrycollection",
            "geometry",
            ("ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 1))')",),
        ),
    ),
)

_MARIADB = (
    SampleColumn("unseen", "varchar(10) INVISIBLE", "text", ("'seen'",)),
    SampleColumn(
        "identity",
        "uuid",
        "uuid",
        ("'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"),
        quoted(st.uuids(version=4)),
    ),
    SampleColumn("host", "inet6", "text", ("'::1'", "'fe80::1'", "'::ffff:10.0.0.1'")),
    SampleColumn("old_host", "inet4", "text", ("'10.0.0.1'", "'255.255.255.255'")),
    SampleColumn(
        "kept",
        "longtext CHECK (JSON_VALID(kept))",
        "document",
        ('\'{"a": 1, "a": 1.10}\'', "' [1e400]'"),
    ),
)

MARIADB_TABLES = (NUMBERS, texts_table(_MARIADB, "document"), TIMES, SHAPES)
MYSQL_TABLES = (NUMBERS, texts_table((), "json"), TIMES, SHAPES)
