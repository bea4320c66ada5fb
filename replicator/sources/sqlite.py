"""Reading changes out of SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from decimal import Decimal

from sqlalchemy import Engine

from replicator.change import Block, encode
from replicator.errors import SourceUnavailable
from replicator.pipeline import ranges
from replicator.pipeline.ranges import Range
from replicator.pipeline.reader import blocks
from replicator.sources.connection import DriverConnection
from triggers.model import INCOMPLETE

SPAN = 20_000
"""Ids that one statement covers at most: an open read keeps the WAL file from being reset."""

BEFORE, AFTER = 3, 4
"""Places of the images in a line."""


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
        connection.text_factory = bytes
        names = json.dumps(list(tables))
        for first, last in ranges.split(ids, SPAN):
            for (line,) in connection.execute(QUERY, (first, last, names)):
                yield mended(line)


def mended(line: bytes) -> bytes:
    """Return an outbox line; without text that is not UTF-8, and marked, where it holds any."""
    return line if _is_utf8(line) else _without_broken_text(line)


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _without_broken_text(line: bytes) -> bytes:
    """Mark images as incomplete that hold text which is not UTF-8: SQLite takes any bytes."""
    change = json.loads(line.decode(errors="surrogateescape"), parse_float=Decimal)
    for place in (BEFORE, AFTER):
        image = change[place]
        if image is not None and (broken := [name for name in image if _is_broken(image[name])]):
            for name in broken:
                del image[name]
            image[INCOMPLETE] = f"not UTF-8: {', '.join(broken)}"
    return encode(change)


def _is_broken(value: object) -> bool:
    return isinstance(value, str) and any("\udc80" <= letter <= "\udcff" for letter in value)
