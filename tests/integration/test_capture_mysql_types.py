"""What MySQL's and MariaDB's triggers log for each column type."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Iterator
from decimal import Decimal
from math import isfinite

import pytest

from tests.capture_source import CaptureSource, capture_source, inserted, run
from tests.conftest import MakeDatabase
from tests.servers.innodb import InnoDBServer
from triggers.model import Kind

DIGITS_65 = "99999999999999999999999999999999999.999999999999999999999999999999"

VALUES: tuple[tuple[str, str, Kind, object], ...] = (
    ("tinyint unsigned", "255", Kind.INTEGER, 255),
    ("tinyint(1)", "TRUE", Kind.INTEGER, 1),
    ("mediumint", "-8388608", Kind.INTEGER, -8388608),
    ("bigint unsigned", "18446744073709551615", Kind.INTEGER, 18446744073709551615),
    ("int zerofill", "42", Kind.INTEGER, 42),
    ("bigint zerofill", "18446744073709551615", Kind.INTEGER, 18446744073709551615),
    ("year", "0", Kind.INTEGER, 0),
    ("year", "2155", Kind.INTEGER, 2155),
    ("decimal(65,30)", DIGITS_65, Kind.DECIMAL, Decimal(DIGITS_65)),
    ("decimal(65,30)", f"-{DIGITS_65}", Kind.DECIMAL, Decimal(f"-{DIGITS_65}")),
    ("decimal(65,30) zerofill", DIGITS_65, Kind.DECIMAL, Decimal(DIGITS_65)),
    ("decimal(6,2) zerofill", "1.5", Kind.DECIMAL, Decimal("1.50")),
    ("float", "5592405.5", Kind.FLOAT, Decimal("5592405.5")),
    ("float", "16777217", Kind.FLOAT, 16777216),
    ("float", "1e-45", Kind.FLOAT, Decimal("1.401298464324817e-45")),
    ("double", "0.1e0 + 0.2e0", Kind.FLOAT, Decimal("0.30000000000000004")),
    ("double", "1.7976931348623157e308", Kind.FLOAT, Decimal("1.7976931348623157e308")),
    ("double", "5e-324", Kind.FLOAT, Decimal("5e-324")),
    ("double zerofill", "1.5", Kind.FLOAT, Decimal("1.5")),
    ("bit(1)", "1", Kind.BIT, 1),
    ("bit(64)", "18446744073709551615", Kind.BIT, 18446744073709551615),
    ("time", "'-838:59:59'", Kind.TIME, "-838:59:59"),
    ("time(6)", "'-838:59:58.999999'", Kind.TIME, "-838:59:58.999999"),
    ("date", "'0000-00-00'", Kind.DATE, "0000-00-00"),
    ("date", "'2026-11-00'", Kind.DATE, "2026-11-00"),
    ("datetime", "'0000-00-00 00:00:00'", Kind.TIMESTAMP, "0000-00-00 00:00:00"),
    ("datetime(6)", "'2026-00-12 10:00:00.5'", Kind.TIMESTAMP, "2026-00-12 10:00:00.500000"),
    ("timestamp NULL", "'0000-00-00'", Kind.TIMESTAMPTZ, "0000-00-00 00:00:00"),
    (
        "timestamp(6) NULL",
        "'1970-01-01 00:00:01.000001'",
        Kind.TIMESTAMPTZ,
        "1970-01-01 00:00:01.000001+00:00",
    ),
    ("char(5)", "'a  '", Kind.TEXT, "a"),
    ("varchar(9)", "'a  '", Kind.TEXT, "a  "),
    ("varchar(99)", r"'\0\t\n\"\\x00 😀'", Kind.TEXT, '\0\t\n"\\x00 😀'),
    ("varchar(9) CHARACTER SET latin1", "'Müller€'", Kind.TEXT, "Müller€"),
    ("varchar(9) CHARACTER SET gbk", "'中文'", Kind.TEXT, "中文"),
    ("varchar(9) CHARACTER SET utf16", "'中文😀'", Kind.TEXT, "中文😀"),
    ("text", "'中文😀'", Kind.TEXT, "中文😀"),
    ("binary(4)", "x'6100'", Kind.BYTES, "\\x61000000"),
    ("varbinary(9)", "x'ff00'", Kind.BYTES, "\\xff00"),
    ("longblob", "x''", Kind.BYTES, "\\x"),
    ("enum('a', 'b,c', 'it''s', 'é中😀', '\\\\')", "'é中😀'", Kind.ENUM, "é中😀"),
    ("enum('a')", "'unknown'", Kind.ENUM, ""),
    ("set('a', 'é', 'it''s')", "7", Kind.ENUM, "a,é,it's"),
    (
        "point",
        "ST_GeomFromText('POINT(1 2)')",
        Kind.GEOMETRY,
        "000000000101000000000000000000f03f0000000000000040",
    ),
    (
        "point",
        "ST_GeomFromText('POINT(1 2)', 3857)",
        Kind.GEOMETRY,
        "110f00000101000000000000000000f03f0000000000000040",
    ),
    ("integer AS (id + 1) VIRTUAL", "DEFAULT", Kind.INTEGER, 2),
    ("integer AS (id + 2) STORED", "DEFAULT", Kind.INTEGER, 3),
)

OF_MARIADB: tuple[tuple[str, str, Kind, object], ...] = (
    ("json", """' {"a":1.10, "a":1e400}'""", Kind.TEXT, ' {"a":1.10, "a":1e400}'),
    (
        "uuid",
        "'123E4567-e89b-12d3-a456-426614174000'",
        Kind.UUID,
        "123e4567-e89b-12d3-a456-426614174000",
    ),
    ("inet6", "'::ffff:1.2.3.4'", Kind.OTHER, "::ffff:1.2.3.4"),
    ("integer INVISIBLE", "5", Kind.INTEGER, 5),
)

OF_MYSQL: tuple[tuple[str, str, Kind, object], ...] = (
    ("json", """' {"b": [1.10,  true], "a": "é"}'""", Kind.JSON, '{"a": "é", "b": [1.1, true]}'),
)


@pytest.fixture(params=["mariadb", "mysql"])
def source(request: pytest.FixtureRequest, make_database: MakeDatabase) -> Iterator[CaptureSource]:
    with capture_source(make_database(request.param)) as source:
        yield source


def test_every_type(source: CaptureSource) -> None:
    values = VALUES + (OF_MARIADB if source.kind == "mariadb" else OF_MYSQL)
    columns = ", ".join(f"c{n} {native}" for n, (native, *_rest) in enumerate(values))
    names = ", ".join(f"c{n}" for n in range(len(values)))
    literals = ", ".join(literal for _native, literal, *_rest in values)
    create = f"CREATE TABLE typed (id integer PRIMARY KEY, {columns}) CHARACTER SET utf8mb4"
    source.execute("SET sql_mode = 'NO_ENGINE_SUBSTITUTION'", create)
    source.install("typed")
    source.execute(
        "SET sql_mode = 'NO_ENGINE_SUBSTITUTION'",
        f"INSERT INTO typed (id, {names}) VALUES (1, {literals})",
    )
    source.execute("INSERT INTO typed (id) VALUES (2)")
    full, empty = source.changes()
    expected = {f"c{n}": value for n, (*_rest, value) in enumerate(values)}
    assert full.after is not None
    logged = {name: full.after[name] for name in expected}
    assert {n: v for n, v in logged.items() if v != expected[n]} == {}
    generated = {f"c{n}": v + 1 for n, (t, *_r, v) in enumerate(values) if " AS (" in t}  # type: ignore[operator]
    assert empty == inserted({"id": 2, **dict.fromkeys(expected), **generated})
    described = source.capture.tables()["typed"].columns
    assert [column.kind for column in described[1:]] == [kind for _t, _l, kind, _v in values]


def test_floats_read_back_equal(source: CaptureSource) -> None:
    rng = random.Random(3)
    doubles = [struct.unpack("<d", rng.randbytes(8))[0] for _ in range(2000)]
    singles = [struct.unpack("<f", rng.randbytes(4))[0] for _ in range(2000)]
    pairs = [both for both in zip(doubles, singles, strict=True) if all(map(isfinite, both))]
    source.execute("CREATE TABLE x (id integer PRIMARY KEY, d double, f float)")
    source.install("x")
    rows = ", ".join(
        f"({n}, {float_literal(d)}, {float_literal(f)})" for n, (d, f) in enumerate(pairs)
    )
    source.execute(f"INSERT INTO x VALUES {rows}")
    logged = [change.after for change in source.changes() if change.after]
    assert [(float(row["d"]), float(row["f"])) for row in logged] == pairs


def float_literal(value: float) -> str:
    """Write a float so that the server reads it as one."""
    text = repr(value)
    return text if "e" in text else f"{text}e0"


def test_timestamp_in_the_hour_that_comes_twice(source: CaptureSource) -> None:
    """A session's own zone tells the two hours apart no more, and the triggers do."""
    load_berlin(source)
    source.execute("CREATE TABLE m (id integer PRIMARY KEY, at timestamp(6) NULL, n integer)")
    source.install("m")
    source.execute(
        "INSERT INTO m VALUES (1, '2026-10-25 00:30:00', 0), (2, '2026-10-25 01:30:00', 0)"
    )
    with source.engine.connect() as connection:
        run(connection, "SET time_zone = 'Test/Berlin'", "UPDATE m SET n = 1")
        connection.commit()
    assert [change.after["at"] for change in source.changes()[2:] if change.after] == [
        "2026-10-25 00:30:00.000000+00:00",
        "2026-10-25 01:30:00.000000+00:00",
    ]


def load_berlin(source: CaptureSource) -> None:
    """Define a zone in which 2026-10-25 has 25 hours."""
    name = "Test/Berlin"
    with source.database.engine.begin() as connection:
        known = f"SELECT COUNT(*) FROM mysql.time_zone_name WHERE Name = '{name}'"
        if connection.exec_driver_sql(known).scalar_one():
            return
        connection.exec_driver_sql("INSERT INTO mysql.time_zone (Use_leap_seconds) VALUES ('N')")
        zone = connection.exec_driver_sql("SELECT LAST_INSERT_ID()").scalar_one()
        for statement in (
            f"INSERT INTO mysql.time_zone_name VALUES ('{name}', {zone})",
            f"INSERT INTO mysql.time_zone_transition_type VALUES ({zone}, 0, 3600, 0, 'CET'),"
            f" ({zone}, 1, 7200, 1, 'CEST')",
            f"INSERT INTO mysql.time_zone_transition VALUES ({zone}, 1774746000, 1),"
            f" ({zone}, 1792890000, 0)",
        ):
            connection.exec_driver_sql(statement)


def test_row_larger_than_the_packet_is_marked(source: CaptureSource) -> None:
    """No column is left out in silence: the image says that it is not whole."""
    server = source.database.server
    assert isinstance(server, InnoDBServer)
    with server.setting("max_allowed_packet", 4 << 20):
        write_rows_near_the_packet(source, 4 << 20)


def write_rows_near_the_packet(source: CaptureSource, packet: int) -> None:
    """The sessions of a source have this max_allowed_packet."""
    source.execute("CREATE TABLE big (id integer PRIMARY KEY, b longblob, t longtext, n integer)")
    source.install("big")
    half, most = packet // 2, packet * 3 // 4
    source.execute(
        f"INSERT INTO big VALUES (1, REPEAT('b', {half}), NULL, 1)",
        f"INSERT INTO big VALUES (2, REPEAT('b', {half - 100}), NULL, 1)",
        f"INSERT INTO big VALUES (3, NULL, REPEAT('t', {most}), 1)",
        f"INSERT INTO big VALUES (4, NULL, REPEAT('\\n', {most}), 1)",
        f"INSERT INTO big VALUES (5, REPEAT('b', {packet // 3}), REPEAT('t', {most}), 1)",
        "UPDATE big SET n = 2 WHERE id = 1",
        "DELETE FROM big WHERE id = 4",
    )
    query = "SELECT COALESCE(`after`, `before`) FROM outbox_change ORDER BY id"
    lengths = []
    with source.engine.connect() as connection:
        for (image,) in connection.exec_driver_sql(query):
            row = json.loads(image)
            whole = "" not in row
            lengths.append((row["id"], whole))
            assert whole or "max_allowed_packet" in row[""]
    assert lengths == [
        (1, False),
        (2, True),
        (3, True),
        (4, False),
        (5, False),
        (1, False),
        (4, False),
    ]
