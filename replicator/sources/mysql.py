"""Reading changes out of MySQL and MariaDB.

The server joins neighbouring lines. Only a group that is proven too short to be cut is used; others
are read line by line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor, SSCursor
from sqlalchemy import Engine

from replicator.change import Block
from replicator.errors import SourceUnavailable
from replicator.pipeline import ranges
from replicator.pipeline.ranges import Range
from replicator.pipeline.reader import BLOCK_BYTES, blocks
from replicator.sources.mysql_session import LONGEST, JoiningSession

SPAN = 500
"""Ids that one statement covers at most."""

OTHERS = 4 << 10
"""More than what a line takes besides its images: two names of 255 characters, escaped, and so on.
"""

HEAD = """CONCAT('[', id, ',', JSON_QUOTE(table_name), ',"', op, '",')"""
TAIL = """CONCAT(',', COALESCE(JSON_QUOTE(origin), 'null'), ',"',
              DATE_FORMAT(captured_at, '%%Y-%%m-%%dT%%H:%%i:%%s.%%f'), '"]')"""
LINE = f"CONCAT({HEAD}, COALESCE(`before`, 'null'), ',', COALESCE(`after`, 'null'), {TAIL})"
WHICH = "FROM outbox_change WHERE id BETWEEN %s AND %s AND table_name IN %s"
JOINED = f"""
SELECT GROUP_CONCAT({LINE} ORDER BY id SEPARATOR ','), COUNT(*),
       SUM(COALESCE(LENGTH(`before`), 0) + COALESCE(LENGTH(`after`), 0))
{WHICH}"""
SINGLE = f"SELECT {LINE}, id {WHICH} ORDER BY id"
AROUND = f"SELECT {HEAD}, {TAIL} FROM outbox_change WHERE id = %s"
PART = "SELECT SUBSTRING({column}, %s, %s) FROM outbox_change WHERE id = %s"


class MysqlReader:
    """See `ChangeReader`."""

    def __init__(self, engine: Engine) -> None:
        self._session = JoiningSession(engine)

    def read(self, ids: Sequence[Range], tables: Sequence[str]) -> Iterator[Block]:
        """See `ChangeReader.read`."""
        try:
            yield from self._blocks(ids, list(tables))
        except (pymysql.Error, OSError) as error:
            raise SourceUnavailable(f"reading changes failed: {type(error).__name__}") from error

    def close(self) -> None:
        """See `ChangeReader.close`."""
        self._session.discard()

    def _blocks(self, ids: Sequence[Range], tables: list[str]) -> Iterator[Block]:
        connection = self._session.connection()
        packet = self._session.packet
        with connection.cursor() as cursor:
            joins = True
            for first, last in ranges.split(ids, SPAN):
                if joins:
                    cursor.execute(JOINED, (first, last, tables))
                    ((lines, count, size),) = cursor.fetchall()
                    if not count:
                        continue
                    size += count * OTHERS
                    joins = size < self._session.longest
                    if joins:
                        yield Block.of([lines.encode()], count)
                        continue
                found = 0
                for block in blocks(_lines(connection, (first, last, tables), packet)):
                    yield block
                    found += len(block.json)
                joins = found < BLOCK_BYTES


def _lines(
    connection: Connection[Cursor], which: tuple[int, int, list[str]], packet: int
) -> Iterator[bytes]:
    first, last, tables = which
    too_long: int | None = first
    while too_long is not None:
        too_long = None
        with connection.cursor(SSCursor) as cursor:
            cursor.execute(SINGLE, (first, last, tables))
            while too_long is None and (rows := cursor.fetchmany(500)):
                for line, change_id in rows:
                    if line is None:
                        too_long = change_id
                        break
                    yield line.encode()
        if too_long is not None:
            yield _long_line(connection, too_long, packet)
            first = too_long + 1


def _long_line(connection: Connection[Cursor], change_id: int, packet: int) -> bytes:
    """Read a line that is larger than max_allowed_packet: the server makes NULL of it."""
    with connection.cursor() as cursor:
        cursor.execute(AROUND, (change_id,))
        ((head, tail),) = cursor.fetchall()
        before, after = (_image(cursor, name, change_id, packet) for name in ("before", "after"))
    return b"".join((head.encode(), before, b",", after, tail.encode()))


def _image(cursor: Cursor, name: str, change_id: int, packet: int) -> bytes:
    query = PART.format(column=f"`{name}`")
    characters = min(packet, LONGEST) // 8  # of up to four bytes
    parts: list[bytes] = []
    start = 1
    while True:
        cursor.execute(query, (start, characters, change_id))
        ((part,),) = cursor.fetchall()
        if part is None:
            return b"null"
        if not part:
            return b"".join(parts)
        parts.append(part.encode())
        start += len(part)
