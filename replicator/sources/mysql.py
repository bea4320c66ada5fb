"""Reading changes out of MySQL and MariaDB."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import SSCursor
from sqlalchemy import Engine

from replicator.errors import DeliveryStopped, SourceUnavailable
from replicator.pipeline import ranges
from replicator.pipeline.ranges import Range
from replicator.pipeline.reader import blocks
from replicator.sources.connection import DriverConnection

SPAN = 20_000
"""Ids that one statement covers at most: it should not hold a read view for long."""

QUERY = """
SELECT CONCAT('[', id, ',', JSON_QUOTE(table_name), ',"', op, '",', COALESCE(`before`, 'null'),
              ',', COALESCE(`after`, 'null'), ',', COALESCE(JSON_QUOTE(origin), 'null'), ',"',
              DATE_FORMAT(captured_at, '%%Y-%%m-%%dT%%H:%%i:%%s.%%f'), '"]'), id
FROM outbox_change WHERE id BETWEEN %s AND %s AND table_name IN %s ORDER BY id
"""


class MysqlReader:
    """See `ChangeReader`."""

    def __init__(self, engine: Engine) -> None:
        self._connection = DriverConnection(engine)

    def read(self, ids: Sequence[Range], tables: Sequence[str]) -> Iterator[list[bytes]]:
        """See `ChangeReader.read`."""
        try:
            yield from blocks(self._lines(ids, tables))
        except (pymysql.Error, OSError) as error:
            raise SourceUnavailable(f"reading changes failed: {type(error).__name__}") from error

    def close(self) -> None:
        """See `ChangeReader.close`."""
        self._connection.discard()

    def _lines(self, ids: Sequence[Range], tables: Sequence[str]) -> Iterator[bytes]:
        connection: Connection[SSCursor] = self._connection.get()
        connection.autocommit(True)
        with connection.cursor(SSCursor) as cursor:
            # A slow target leaves rows unread for longer than the default minute.
            cursor.execute("SET SESSION net_write_timeout = 3600")
            for first, last in ranges.split(ids, SPAN):
                cursor.execute(QUERY, (first, last, list(tables)))
                while rows := cursor.fetchmany(500):
                    for line, change_id in rows:
                        if line is None:
                            raise DeliveryStopped(
                                f"change {change_id} is larger than the source lets anyone read",
                                "raise max_allowed_packet on the source (up to 1 GB)",
                            )
                        yield line.encode()
