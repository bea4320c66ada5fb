"""Values that replication tools are known to change silently."""

from __future__ import annotations

from dataclasses import dataclass

from tests.servers import DatabaseKind
from tests.types.columns import Meaning, SampleColumn, SampleTable
from tests.types.reading import Stored


@dataclass(frozen=True)
class Value:
    """A value as the application writes it, and as the source holds it then."""

    written: str  # SQL expression
    stored: Stored
    session: str = "SELECT 1"  # a statement in the application's session before it


@dataclass(frozen=True)
class Trap:
    """Values of one type, and the targets that can hold none of them."""

    name: str
    sources: tuple[DatabaseKind, ...]
    type: str
    meaning: Meaning
    values: tuple[Value, ...]
    parked: tuple[DatabaseKind, ...] = ()

    @property
    def table(self) -> SampleTable:
        """A table with one column for them."""
        return SampleTable(self.name, (SampleColumn("value_of", self.type, self.meaning, ()),))


_PG: tuple[DatabaseKind, ...] = ("postgresql",)
_MY: tuple[DatabaseKind, ...] = ("mariadb", "mysql")
_LITE: tuple[DatabaseKind, ...] = ("sqlite",)
_NINES = "9" * 65
_HALF_PAST_MIDNIGHT = "2026-10-25 00:30:00+00"  # 02:30 in Berlin, before the clock is put back

TRAPS = (
    Trap("float_5592405", _MY, "float", "float", (Value("5592405.5", 5592405.5),)),
    Trap("sum_of_doubles", _MY, "double", "float", (Value("0.1e0+0.2e0", 0.30000000000000004),)),
    Trap(
        "unsigned_bigint",
        _MY,
        "bigint unsigned",
        "integer",
        (Value("18446744073709551615", "18446744073709551615"),),
    ),
    Trap("decimal_of_65_digits", _MY, "decimal(65,0)", "decimal", (Value(_NINES, _NINES),)),
    Trap(
        "time_below_zero",
        _MY,
        "time",
        "time",
        (Value("'-838:59:59'", "-838:59:59"),),
    ),
    Trap(
        "zero_date",
        _MY,
        "date",
        "date",
        (Value("'0000-00-00'", "0000-00-00"), Value("'2026-00-00'", "2026-00-00")),
        parked=("postgresql",),
    ),
    Trap("bits_all_ones", _MY, "bit(64)", "bits", (Value("~0", "18446744073709551615"),)),
    Trap(
        "chinese_in_gbk",
        _MY,
        "varchar(40) CHARACTER SET gbk",
        "text",
        (Value("'中文'", "中文"), Value("'誠\\\\'", "誠\\")),
    ),
    Trap(
        "emoji_beside_gbk",
        _MY,
        "varchar(40) CHARACTER SET utf8mb4",
        "text",
        (Value("_utf8mb4 x'f09f9880'", "😀", "SET NAMES gbk"),),
    ),
    Trap(
        "nul_in_text",
        _MY,
        "varchar(40)",
        "text",
        (Value("'a\\0b'", "a\0b"), Value("'\\0'", "\0")),
        parked=("postgresql",),
    ),
    Trap(
        "timestamp_from_three_zones",
        _MY,
        "timestamp NULL",
        "timestamptz",
        (
            Value("'2026-10-25 02:30:00'", _HALF_PAST_MIDNIGHT[:-3], "SET time_zone = '+02:00'"),
            Value("'2026-10-24 20:30:00'", _HALF_PAST_MIDNIGHT[:-3], "SET time_zone = '-04:00'"),
            Value("'2026-10-25 06:00:00'", _HALF_PAST_MIDNIGHT[:-3], "SET time_zone = '+05:30'"),
        ),
    ),
    Trap("numeric_nan", _PG, "numeric", "decimal", (Value("'NaN'", "NaN"),)),
    Trap(
        "double_nan",
        _PG,
        "double precision",
        "float",
        (Value("'NaN'", float("nan")),),
        parked=("mariadb", "mysql", "sqlite"),
    ),
    Trap(
        "double_infinity",
        _PG,
        "double precision",
        "float",
        (Value("'Infinity'", float("inf")), Value("'-Infinity'", float("-inf"))),
        parked=("mariadb", "mysql"),
    ),
    Trap(
        "numeric_of_100000_digits",
        _PG,
        "numeric",
        "decimal",
        (Value("repeat('7', 100000)::numeric", "7" * 100_000),),
    ),
    Trap(
        "timestamptz_from_three_zones",
        _PG,
        "timestamptz",
        "timestamptz",
        (
            Value(
                "'2026-10-25 02:30:00+02'", _HALF_PAST_MIDNIGHT, "SET TimeZone = 'Europe/Berlin'"
            ),
            Value(
                "'2026-10-24 20:30:00'", _HALF_PAST_MIDNIGHT, "SET TimeZone = 'America/New_York'"
            ),
            Value("'2026-10-25 06:00:00'", _HALF_PAST_MIDNIGHT, "SET TimeZone = 'Asia/Kolkata'"),
        ),
    ),
    Trap(
        "json_as_written",
        _PG,
        "json",
        "document",
        (
            Value("""'{"a": 1, "a": 2}'""", '{"a": 1, "a": 2}'),
            Value("'1.10'", "1.10"),
            Value("'1e400'", "1e400"),
        ),
    ),
    Trap(
        "bytea_under_escape",
        _PG,
        "bytea",
        "bytes",
        (Value(r"'\x00ff5c27'", b"\x00\xff\\'", "SET bytea_output = 'escape'"),),
    ),
    Trap(
        "interval_under_each_style",
        _PG,
        "interval",
        "interval",
        tuple(
            Value(
                "make_interval(1, -2, 0, 3, -4, -5, -6.7)",
                "10 mons 3 days -04:05:06.7",
                f"SET IntervalStyle = '{style}'",
            )
            for style in ("postgres", "postgres_verbose", "sql_standard", "iso_8601")
        ),
    ),
    Trap(
        "integer_beyond_doubles",
        _LITE,
        "INTEGER",
        "dynamic",
        (Value("9007199254740993", 9007199254740993),),
    ),
    Trap("real_1e308", _LITE, "REAL", "dynamic", (Value("1e308", 1e308),)),
    Trap(
        "nul_in_sqlite_text",
        _LITE,
        "TEXT",
        "dynamic",
        (Value("'a' || char(0) || 'b'", "a\0b"),),
        parked=("postgresql",),
    ),
    Trap("bytes_in_a_blob", _LITE, "BLOB", "dynamic", (Value("x'00ff'", b"\x00\xff"),)),
    Trap(
        "text_that_looks_like_bytes",
        _LITE,
        "BLOB",
        "dynamic",
        (Value("'\\x00ff'", "\\x00ff"),),
        parked=("postgresql", "mariadb", "mysql"),
    ),
)
