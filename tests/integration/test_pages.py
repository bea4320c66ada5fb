"""Tables are read page by page by keys of every type, each row once."""

from __future__ import annotations

import pytest

from replicator.change import Change
from replicator.snapshot.letters import key_of
from replicator.sources import open_pages
from replicator.sources.pages import PageReader
from tests.capture_source import CaptureSource, capture_source
from tests.conftest import MakeDatabase
from tests.servers import DatabaseKind
from triggers.model import Table, TableSpec

KEYS: dict[DatabaseKind, list[tuple[str, list[str]]]] = {
    "postgresql": [
        ("int8", ["-9223372036854775808", "-1", "0", "7", "9223372036854775807"]),
        ("numeric", ["'NaN'", "-1e30", "0.1", "0.10000000000000000000000001", "12"]),
        ("float8", ["'-Infinity'", "-1e-300", "0.1", "0.30000000000000004", "'NaN'"]),
        ("float4", ["0.1", "0.3", "1e30", "'Infinity'"]),
        ("boolean", ["true", "false"]),
        ("text", ["''", "'a'", "'B'", "'ä'", "'it''s'", "'b\\x'", "'%s'"]),
        ('text COLLATE "C"', ["'a'", "'B'", "'ä'", "'Z'"]),
        ("char(5)", ["'a'", "'b'", "'ab '"]),
        ("mood", ["'sad'", "'ok'", "'happy'"]),
        ("bytea", ["'\\x'", "'\\x00'", "'\\x00ff'", "'\\xfe'"]),
        ("date", ["'0044-03-15 BC'", "'2026-01-01'", "'infinity'", "'-infinity'"]),
        ("timestamp", ["'2026-01-01 00:00:00.000001'", "'2026-01-01'", "'2025-01-01'"]),
        ("timestamptz", ["'2026-01-01 00:00+03'", "'2026-01-01 00:00:00.5+00'", "'infinity'"]),
        ("time", ["'00:00'", "'24:00'", "'12:00:00.000001'"]),
        ("interval", ["'1 month'", "'31 days'", "'-1 day'"]),
        ("uuid", ["gen_random_uuid()"] * 5),
        ("inet", ["'10.0.0.1'", "'10.0.0.0/8'", "'::1'"]),
        ("int4[]", ["'{}'", "'{1,2}'", "'{1,NULL}'", "'[0:1]={1,2}'"]),
        ("money", ["'-1.50'", "'0'", "'1000000'"]),
    ],
    "mariadb": [
        ("BIGINT UNSIGNED", ["0", "1", "18446744073709551615"]),
        ("DECIMAL(30,10)", ["-1", "0.1", "0.1000000001", "99999999999999999999"]),
        ("DOUBLE", ["-1e300", "0.1", "0.30000000000000004", "2"]),
        ("FLOAT", ["0.1", "0.3", "5592405.5", "16777216"]),
        ("VARCHAR(20)", ["''", "'a'", "'B'", "'ä1'", "'it''s'", "'b\\\\x'", "'%s'"]),
        ("VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_german2_ci", ["'ä'", "'af'", "'ß'"]),
        ("CHAR(5) COLLATE utf8mb4_bin", ["'a'", "'A'", "'ab'"]),
        ("ENUM('z','a','it''s','m')", ["'a'", "'z'", "'m'", "'it''s'"]),
        ("SET('z','a')", ["'a'", "'z'", "'z,a'", "''"]),
        ("BINARY(3)", ["'a'", "x'00ff00'", "x'fefefe'"]),
        ("VARBINARY(9)", ["''", "x'00'", "x'ff'"]),
        ("BIT(9)", ["0", "1", "511"]),
        ("DATE", ["'2026-01-01'", "'1000-01-01'", "'9999-12-31'"]),
        ("DATETIME(6)", ["'2026-01-01'", "'2026-01-01 00:00:00.000001'", "'1000-01-01'"]),
        ("TIMESTAMP(6)", ["'2026-01-01'", "'2026-01-01 00:00:00.000001'", "'1971-01-01'"]),
        ("TIME(6)", ["'-838:59:59'", "'00:00:00.5'", "'838:59:59'"]),
        ("YEAR", ["1901", "2026", "2155"]),
    ],
    "mysql": [
        ("VARCHAR(20) COLLATE utf8mb4_0900_ai_ci", ["'a'", "'B'", "'ñ'", "'zz'"]),
        ("VARCHAR(20) CHARACTER SET latin1", ["'ä'", "'af'", "'z'"]),
        ("ENUM('z','a','m')", ["'a'", "'z'", "'m'"]),
        ("DATETIME(6)", ["'2026-01-01'", "'2026-01-01 00:00:00.000001'"]),
        ("BINARY(3)", ["'a'", "x'00ff00'"]),
    ],
    "sqlite": [
        ("TEXT", ["''", "'a'", "'B'", "'\\x00'", "'Infinity'", "'it''s'"]),
        ("TEXT COLLATE NOCASE", ["'a'", "'B'", "'c'"]),
        ("BLOB", ["x''", "x'00'", "'text'", "5", "0.1", "'5'"]),
        ("REAL", ["-9e999", "0.1", "0.30000000000000004", "9e999", "1"]),
        ("", ["'x'", "x'61'", "3", "2.5", "'3'"]),
    ],
}


def read(reader: PageReader, table: Table, rows: int) -> list[Change]:
    """All rows, in pages of so many."""
    found: list[Change] = []
    after: bytes | None = None
    while True:
        page = reader.page(table, after, rows)
        found += [change for block in page.blocks for change in block.changes()]
        after = page.last
        if after is None:
            return found


@pytest.mark.parametrize("kind", KEYS)
def test_keys_of_every_type(kind: DatabaseKind, make_database: MakeDatabase) -> None:
    with capture_source(make_database(kind)) as source:
        if kind == "postgresql":
            source.execute("CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')")
        for number, (declared, values) in enumerate(KEYS[kind]):
            check_pages(source, f"t{number}", declared, values)


def check_pages(source: CaptureSource, name: str, declared: str, values: list[str]) -> None:
    """Pages of any size hold every row once, and rows are found by their keys."""
    number_type = "INTEGER NOT NULL"
    source.execute(
        f"CREATE TABLE {name} (k {declared} NOT NULL, n {number_type}, note VARCHAR(10),"
        " PRIMARY KEY (k, n))"
    )
    rows = [f"({value}, {n}, 'é')" for value in values for n in (1, 2)]
    source.execute(f"INSERT INTO {name} VALUES {', '.join(rows)}")
    with source.engine.connect() as connection:
        table = source.capture.dialect.describe(connection, TableSpec(name)).table
    reader = open_pages(source.capture)
    try:
        whole = read(reader, table, 1000)
        assert len(whole) == len(rows), declared
        keys = [key_of(table, change.row) for change in whole]
        assert len(set(keys)) == len(rows), declared
        for size in (1, 3, len(rows)):
            paged = read(reader, table, size)
            assert sorted(key_of(table, c.row) for c in paged) == sorted(keys), (declared, size)
        found = reader.find(table, [change.row for change in whole[::2]])
        again = {key_of(table, change.row) for block in found for change in block.changes()}
        assert again == set(keys[::2]), declared
    finally:
        reader.close()
