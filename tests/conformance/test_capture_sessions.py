"""The same rows, written under ten sets of session settings, give the same bytes in the outbox."""

from __future__ import annotations

from itertools import groupby

import pytest
import sqlalchemy as sa

from tests.capture_source import CaptureSource, capture_source, run
from tests.conftest import MakeDatabase
from tests.servers import DATABASE_KINDS, DatabaseKind
from triggers.model import TableSpec

TABLES: dict[str, tuple[str, str]] = {
    "postgresql": (
        "n numeric, f real, d float8, m money, t text, b bytea, day date, clock timetz,"
        " at timestamp, moment timestamptz, span interval, doc json, content jsonb,"
        " list timestamptz[], bounds float8[], r tstzrange, spot point, x xml,"
        " rel regclass, row_of pair, h bytea[]",
        "1.10, 0.1, 0.1, '-12.34', E'a\\\\x ''\\u4e2d', decode('00ff5c27', 'hex'), '2026-02-01',"
        " '10:00+05:30', '2026-02-01 10:00', '2026-07-01 12:00+02', '-1 mon 2 days -3:04:05.6',"
        " '{\"a\": 1.10}', '{\"a\": 1.10}', '{2026-07-01 12:00+02}', '[0:0]={0.1}',"
        " '[2026-07-01 12:00+02,)', '(0.1,1e300)', '<a/>', 'public.src',"
        " ROW('2026-07-01 12:00+02', '\\x00ff'), ARRAY[decode('00ff', 'hex')]",
    ),
    "mysql": (
        "n decimal(65,30), f float, d double, t varchar(99), l varchar(9) CHARACTER SET latin1,"
        " g varchar(9) CHARACTER SET gbk, c char(9), b varbinary(9), day date, clock time(6),"
        " at datetime(6), moment timestamp(6) NULL, bits bit(64), e enum('a', 'é'),"
        " s set('a', 'é'), y year, z int zerofill, doc json, spot point, gen int AS (z + 1) STORED",
        "1.10, 5592405.5, 0.1e0 + 0.2e0,"
        " CONVERT(x'5c785c5c2722e4b8ade69687f09f9880' USING utf8mb4),"
        " CONVERT(x'4dc3bc' USING utf8mb4), CONVERT(x'e4b8ade69687' USING utf8mb4), 'a',"
        " x'00ff5c27', '2026-02-01', '-838:59:58.999999', '2026-02-01 10:00:00.123456',"
        " '2026-02-01 10:00:00.123456', ~0, CONVERT(x'c3a9' USING utf8mb4), 3, 2026, 7,"
        " '{\"a\": 1.10}', ST_GeomFromText('POINT(1 2)'), DEFAULT",
    ),
    "sqlite": (
        "n numeric, f real, t text, b blob, i integer, v, day datetime",
        "1.10, 0.1, 'a\\x ''中😀', x'00ff5c27', 9007199254740993, 1e308, '2026-02-01 10:00:00'",
    ),
}

SETTINGS: dict[str, tuple[tuple[str, ...], ...]] = {
    "postgresql": (
        (),
        ("SET TimeZone = 'America/St_Johns'",),
        ("SET TimeZone = 'Asia/Kathmandu'", "SET DateStyle = 'German, DMY'"),
        ("SET DateStyle = 'SQL, MDY'", "SET IntervalStyle = 'sql_standard'"),
        ("SET IntervalStyle = 'iso_8601'", "SET bytea_output = 'escape'"),
        ("SET IntervalStyle = 'postgres_verbose'", "SET extra_float_digits = -15"),
        ("SET extra_float_digits = 0", "SET search_path = ''"),
        ("SET search_path = pg_temp, public", "SET quote_all_identifiers = on"),
        ("SET standard_conforming_strings = off", "SET client_encoding = 'LATIN1'"),
        ("SET xmlbinary = 'hex'", "SET xmloption = 'document'", "SET lc_monetary = 'POSIX'"),
    ),
    "mysql": (
        (),
        ("SET time_zone = '+05:45'",),
        ("SET time_zone = '-11:00'", "SET sql_mode = 'ANSI'"),
        ("SET sql_mode = 'TRADITIONAL,NO_BACKSLASH_ESCAPES'",),
        ("SET sql_mode = 'PIPES_AS_CONCAT,PAD_CHAR_TO_FULL_LENGTH'",),
        ("SET sql_mode = 'NO_UNSIGNED_SUBTRACTION,HIGH_NOT_PRECEDENCE'",),
        ("SET character_set_connection = latin1",),
        ("SET character_set_results = latin1", "SET collation_connection = gbk_chinese_ci"),
        ("SET NAMES latin1", "SET div_precision_increment = 0"),
        ("SET default_week_format = 6", "SET group_concat_max_len = 4"),
    ),
    "sqlite": (
        (),
        ("PRAGMA recursive_triggers = ON",),
        ("PRAGMA foreign_keys = ON",),
        ("PRAGMA case_sensitive_like = ON",),
        ("PRAGMA reverse_unordered_selects = ON",),
        ("PRAGMA cell_size_check = ON",),
        ("PRAGMA ignore_check_constraints = ON",),
        ("PRAGMA temp_store = MEMORY",),
        ("PRAGMA automatic_index = OFF",),
        ("PRAGMA legacy_alter_table = ON",),
    ),
}


@pytest.mark.parametrize("before", ["key", "full"])
@pytest.mark.parametrize("kind", DATABASE_KINDS)
def test_ten_sets_of_session_settings(
    make_database: MakeDatabase, kind: DatabaseKind, before: str
) -> None:
    engine = "mysql" if kind == "mariadb" else kind
    columns, values = TABLES[engine]
    with capture_source(make_database(kind)) as source:
        if kind == "postgresql":
            source.execute("CREATE TYPE pair AS (at timestamptz, b bytea)")
        charset = " CHARACTER SET utf8mb4" if engine == "mysql" else ""
        for name in ("src", "dst"):
            create = f"CREATE TABLE {name} (id integer PRIMARY KEY, {columns}){charset}"
            source.execute(create)
        source.install(TableSpec("dst", before="full" if before == "full" else "key"))
        source.execute(f"INSERT INTO src VALUES (1, {values})")
        for settings in SETTINGS[engine]:
            write(source, settings)
        images = logged(source)
    assert len(images) == 10
    assert [image for image, _same in groupby(images)] == images[:1]


def write(source: CaptureSource, settings: tuple[str, ...]) -> None:
    """Copy the row, change all of it and delete it, in a session with these settings."""
    columns = source.capture.tables()[source.name("dst")].columns
    names = [column.name for column in columns if not column.generated]
    listed = ", ".join(names)
    same = ", ".join(f"{name} = {name}" for name in names if name != "id")
    schema = "public." if source.kind == "postgresql" else ""
    with source.engine.connect() as connection:
        run(
            connection,
            *settings,
            f"INSERT INTO {schema}dst ({listed}) SELECT {listed} FROM {schema}src",
            f"UPDATE {schema}dst SET {same}, id = 2",
            f"UPDATE {schema}dst SET {same}",
            f"DELETE FROM {schema}dst",
        )
        connection.commit()


def logged(source: CaptureSource) -> list[list[tuple[str, str | None, str | None]]]:
    """Return the outbox rows, one list for each session."""
    change = source.capture.outbox.change
    images = [sa.cast(change.c[name], sa.Text) for name in ("before", "after")]
    query = sa.select(change.c.op, *images).order_by(change.c.id)
    with source.engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(query)]
    size = len(rows) // 10
    return [rows[start : start + size] for start in range(0, len(rows), size)]
