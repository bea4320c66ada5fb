"""Reading from MySQL and MariaDB: joined lines are used only where none can be cut or lost."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from replicator.sources.mysql import SPAN, MysqlReader
from replicator.sources.mysql_session import LONGEST
from tests.conftest import MakeDatabase
from tests.servers import DatabaseKind
from tests.servers.innodb import InnoDBServer
from triggers.capture import Capture
from triggers.engine import make_engine
from triggers.model import TableSpec

PACKET = 8 << 20
"""A small max_allowed_packet: sizes near it are handled in no time."""


@pytest.mark.parametrize("kind", ["mariadb", "mysql"])
def test_small_and_large_rows_in_any_mixture(
    make_database: MakeDatabase, kind: DatabaseKind
) -> None:
    source = make_database(kind)
    engine = make_engine(source.url)
    sizes = [10] * 700 + [LONGEST, 20, LONGEST // 3, LONGEST // 3, LONGEST // 3] + [30] * 2000
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (id int PRIMARY KEY, note longtext)")
    capture = Capture(engine)
    capture.install([TableSpec("t")], prove=False)
    with engine.begin() as connection:
        for number, size in enumerate(sizes):
            connection.exec_driver_sql(f"INSERT INTO t VALUES ({number}, REPEAT('é', {size}))")
    reader = MysqlReader(engine)
    try:
        blocks = list(reader.read([(1, len(sizes) + SPAN)], ["t"]))
        none = list(reader.read([(1, len(sizes))], ["another"]))
    finally:
        reader.close()
        engine.dispose()
    changes = [change for block in blocks for change in block.changes()]
    assert [block.count for block in blocks] == [len(b.changes()) for b in blocks]
    assert [change.row["id"] for change in changes] == list(range(len(sizes)))
    assert [len(change.row["note"]) for change in changes] == sizes
    assert any(block.count == SPAN for block in blocks)
    assert none == []


@pytest.mark.parametrize("kind", ["mariadb", "mysql"])
def test_line_larger_than_the_packet(make_database: MakeDatabase, kind: DatabaseKind) -> None:
    """Two images that the server can hold, and cannot join."""
    source = make_database(kind)
    assert isinstance(source.server, InnoDBServer)
    with source.server.setting("max_allowed_packet", PACKET):
        read_large_lines(make_engine(source.url), PACKET // 4 - 100)


def read_large_lines(engine: Engine, size: int) -> None:
    """Capture and read images of so many characters of four bytes."""
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (id int PRIMARY KEY, note longtext)")
    Capture(engine).install([TableSpec("t", before="full")], prove=False)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"INSERT INTO t VALUES (1, REPEAT('é', {size} * 2)), (2, 'x')")
        connection.exec_driver_sql("UPDATE t SET note = CONCAT(note, '!')")
    reader = MysqlReader(engine)
    try:
        changes = [c for block in reader.read([(1, 9)], ["t"]) for c in block.changes()]
    finally:
        reader.close()
        engine.dispose()
    lengths = [
        (c.row["id"], c.before and len(c.before["note"]), len(c.row["note"])) for c in changes
    ]
    assert lengths == [
        (1, None, size * 2),
        (2, None, 1),
        (1, size * 2, size * 2 + 1),
        (2, 1, 2),
    ]
