"""Reading changes out of SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence

from sqlalchemy import Engine

from replicator.change import Block
from replicator.errors import SourceUnavailable
from replicator.pipeline import ranges
from replicator.pipeline.ranges import Range
from replicator.pipeline.reader import blocks
from replicator.sources.connection import DriverConnection

SPAN = 20_000
"""Ids that one statement covers at most: an open read keeps the WAL file from being reset."""

QUERY = """
SELECT '[' || id || ',' || json_quote(table_name) || ',"' || op || '",'
       || coalesce("before", 'null') || ',' || coalesce("after", 'null') || ','
       || json_quote(origin) || ',"' || replace(captured_at, ' ', 'T') || '"]'
FROM outbox_change
WHERE id BETWEEN ? AND ? AND table_name IN (SELECT value FROM json_each(?)) ORDER BY id
"""


class SqliteReader:
    """See `ChangeReader`."""

    def __init__(self, engine: Engine) -> None:
        self._connection = DriverConnection(engine)

    def read(self, ids: Sequence[Range], tables: Sequence[str]) -> Iterator[Block]:
        """See `ChangeReader.read`."""
        try:
            yield from blocks(self._lines(ids, tables))
        except sqlite3.OperationalError as error:
            raise SourceUnavailable(f"reading changes failed: {error}") from error

    def close(self) -> None:
        """See `ChangeReader.close`."""
        self._connection.discard()

    def _lines(self, ids: Sequence[Range], tables: Sequence[str]) -> Iterator[bytes]:
        connection: sqlite3.Connection = self._connection.get()
        names = json.dumps(list(tables))
        for first, last in ranges.split(ids, SPAN):
            for (line,) in connection.execute(QUERY, (first, last, names)):
                yield line.encode()
