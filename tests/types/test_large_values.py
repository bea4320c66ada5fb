"""Texts of 8 MB and blobs of 64 MB, and what happens where a server's packets are too small."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.conftest import MakeDatabase
from tests.servers import (
    ENGINE_PAIRS,
    Database,
    DatabaseKind,
    MySQLServer,
    in_short_form,
    mysql_program,
    server_database,
    sqlite_database,
)
from tests.types.columns import SampleColumn, SampleTable
from tests.types.pair import Pair
from tests.types.reading import read_table

MB = 1 << 20

# A 64 MB blob is 128 MB of hexadecimal in the outbox.
_ROOM = 512 * MB

_CASES = [
    *[
        pytest.param(*pair, 8 * MB, id=f"{pair[0]}-to-{pair[1]}-8")
        for pair in ENGINE_PAIRS
        if in_short_form(*pair) and pair != ("mariadb", "mysql")
    ],
    *[
        pytest.param(*pair, 64 * MB, marks=pytest.mark.torture, id=f"{pair[0]}-to-{pair[1]}-64")
        for pair in ENGINE_PAIRS
    ],
]

_TYPES: dict[DatabaseKind, tuple[str, str]] = {
    "postgresql": ("text", "bytea"),
    "mariadb": ("longtext", "longblob"),
    "mysql": ("longtext", "longblob"),
    "sqlite": ("TEXT", "BLOB"),
}


def table_of(kind: DatabaseKind) -> SampleTable:
    """A table for large values."""
    text, blob = _TYPES[kind]
    columns = (SampleColumn("note", text, "text", ()), SampleColumn("data", blob, "bytes", ()))
    return SampleTable("large", columns)


def text_of(kind: DatabaseKind, size: int) -> str:
    """The expression of a text of so many bytes."""
    unit = "0123456789ü😀"  # 16 bytes
    if kind == "sqlite":
        return f"replace(hex(zeroblob({size // 16})), '00', '{unit}')"
    return f"repeat('{unit}', {size // 16})"


def blob_of(kind: DatabaseKind, size: int) -> str:
    """The expression of a blob of so many bytes."""
    match kind:
        case "postgresql":
            return f"decode(repeat('00ff5c27', {size // 4}), 'hex')"
        case "sqlite":
            return f"CAST(replace(hex(zeroblob({size // 4})), '00', char(1) || '\\''x') AS BLOB)"
        case _:
            return f"REPEAT(x'00ff5c27', {size // 4})"


@pytest.fixture(scope="module")
def roomy_mysql() -> Iterator[MySQLServer]:
    """A MySQL 8 server whose log has room: it wants ten times a value's size."""
    if mysql_program() is None:
        pytest.skip("MySQL 8 is not installed; scripts/install-mysql installs it")
    with MySQLServer(settings={"innodb-log-file-size": "1G"}) as server:
        yield server


@pytest.mark.parametrize(("source", "target", "size"), _CASES)
def test_a_text_of_8_mb_and_a_large_blob(
    source: DatabaseKind,
    target: DatabaseKind,
    size: int,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    with ExitStack() as stack:

        def make(kind: DatabaseKind, name: str) -> Database:
            if kind == "sqlite":
                return stack.enter_context(sqlite_database(tmp_path / f"{name}.sqlite"))
            server = request.getfixturevalue("roomy_mysql" if kind == "mysql" else kind)
            database = stack.enter_context(server_database(kind, server))
            stack.enter_context(packets_of(database, _ROOM))
            return database

        table = table_of(source)
        pair = stack.enter_context(paired(make(source, "source"), make(target, "target"), tmp_path))
        pair.insert(table, {1: {"note": text_of(source, 8 * MB)}})
        pair.insert(table, {2: {"data": blob_of(source, size)}})
        arrived = pair.deliver()
        assert not arrived.differences
        assert not arrived.parked
        assert arrived.equal == 2

        note, data = read_table(pair.target, "large", ["note", "data"]).values()
        assert isinstance(note[0], str)
        assert isinstance(data[1], bytes)
        assert (len(note[0].encode()), len(data[1])) == (8 * MB, size)


@pytest.mark.parametrize("target", ["mariadb", "mysql"])
def test_a_row_that_is_larger_than_the_targets_packets(
    target: DatabaseKind, make_database: MakeDatabase, tmp_path: Path
) -> None:
    """It is set aside with an error that names the setting; the others arrive."""
    databases = make_database("postgresql"), make_database(target)
    table = table_of("postgresql")
    with packets_of(databases[1], 4 * MB), paired(*databases, tmp_path) as pair:
        pair.insert(
            table,
            {
                1: {"note": "'before'"},
                2: {"data": blob_of("postgresql", 4 * MB + 4096)},
                3: {"note": "'after'"},
            },
        )
        arrived = pair.deliver()
        assert not arrived.differences
        assert list(arrived.parked) == [("large", 2)]
        assert "max_allowed_packet" in arrived.parked["large", 2]
        assert arrived.equal == 2

        pair.update(table, {2: {"data": "'small'"}})
        arrived = pair.deliver()
        assert not arrived.differences
        assert not arrived.parked


@pytest.mark.parametrize("source", ["mariadb", "mysql"])
def test_a_row_whose_image_is_larger_than_the_sources_packets(
    source: DatabaseKind, make_database: MakeDatabase, tmp_path: Path
) -> None:
    """The application may write it. It arrives, or is set aside; the others arrive."""
    databases = make_database(source), make_database("sqlite")
    table = table_of(source)
    with packets_of(databases[0], 4 * MB), paired(*databases, tmp_path) as pair:
        pair.insert(table, {1: {"note": "'before'"}})
        pair.insert(table, {2: {"data": blob_of(source, 3 * MB)}})
        pair.insert(table, {3: {"note": "'after'"}})
        arrived = pair.deliver()
        assert not arrived.differences
        assert arrived.equal + len(arrived.parked) == 3
        assert set(arrived.parked) <= {("large", 2)}
        assert all("max_allowed_packet" in error for error in arrived.parked.values())


@contextmanager
def packets_of(database: Database, size: int) -> Iterator[None]:
    """Give the server of a database packets of this size; where there is such a limit."""
    if database.kind not in ("mariadb", "mysql"):
        yield
        return
    assert database.server is not None
    with database.server.admin.connect() as connection:
        before = connection.execute(sa.text("SELECT @@GLOBAL.max_allowed_packet")).scalar_one()
        connection.exec_driver_sql(f"SET GLOBAL max_allowed_packet = {size}")
    try:
        yield
    finally:
        with database.server.admin.connect() as connection:
            connection.exec_driver_sql(f"SET GLOBAL max_allowed_packet = {before}")


@contextmanager
def paired(source: Database, target: Database, folder: Path) -> Iterator[Pair]:
    """The two databases with the table for large values."""
    pair = Pair(source, target, [table_of(source.kind)], folder)
    try:
        yield pair
    finally:
        pair.close()
