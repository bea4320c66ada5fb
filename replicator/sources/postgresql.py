"""Reading changes out of PostgreSQL, through COPY."""

from __future__ import annotations

import select
from collections.abc import Iterator, Sequence

import psycopg
from psycopg import Connection, sql
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn
from sqlalchemy import Engine

from replicator.change import Block
from replicator.errors import SourceUnavailable
from replicator.pipeline import ranges
from replicator.pipeline.ranges import Range
from replicator.pipeline.reader import blocks
from replicator.sources.connection import DriverConnection
from triggers.outbox import Outbox

SPAN = 20_000
"""Ids that one statement covers at most: it should not hold a snapshot for long."""

FILE_HEADER = 19  # signature, flags and extension length of COPY's binary format
ROW_HEADER = 6  # number of fields, length of the only one

QUERY = sql.SQL(
    "COPY (SELECT json_build_array(id, table_name, op, before, after, origin,"
    " captured_at AT TIME ZONE 'UTC')::text FROM {change} WHERE id BETWEEN {first}"
    " AND {last} AND table_name IN ({tables}) ORDER BY id) TO STDOUT (FORMAT binary)"
)


class PostgresqlReader:
    """See `ChangeReader`."""

    def __init__(self, engine: Engine, outbox: Outbox) -> None:
        self._connection = DriverConnection(engine)
        self._change = sql.Identifier(outbox.schema or "outbox", outbox.change.name)

    def read(self, ids: Sequence[Range], tables: Sequence[str]) -> Iterator[Block]:
        """See `ChangeReader.read`."""
        try:
            yield from blocks(self._lines(ids, tables))
        except psycopg.Error as error:
            raise SourceUnavailable(f"reading changes failed: {type(error).__name__}") from error

    def close(self) -> None:
        """See `ChangeReader.close`."""
        self._connection.discard()

    def _lines(self, ids: Sequence[Range], tables: Sequence[str]) -> Iterator[bytes]:
        connection: Connection = self._connection.get()
        connection.autocommit = True
        names = sql.SQL(", ").join(sql.Literal(table) for table in tables)
        for first, last in ranges.split(ids, SPAN):
            query = QUERY.format(
                change=self._change,
                first=sql.Literal(first),
                last=sql.Literal(last),
                tables=names,
            )
            start = FILE_HEADER + ROW_HEADER
            for row in copy_out(connection.pgconn, query.as_bytes(connection)):
                if len(row) > start:
                    yield bytes(row[start:])
                start = ROW_HEADER


def copy_out(server: PGconn, query: bytes) -> Iterator[bytes | memoryview]:
    """Yield what COPY ... TO STDOUT sends, row by row.

    As `Cursor.copy` does, but without its machinery around every single row, which takes as long
    as all the rest of reading it.
    """
    answer = server.exec_(query)
    if answer.status != ExecStatus.COPY_OUT:
        raise psycopg.errors.error_from_result(answer)
    arrival = select.poll()
    arrival.register(server.socket, select.POLLIN)
    while True:
        size, row = server.get_copy_data(1)
        if size > 0 and row is not None:
            yield row
        elif size == 0:
            arrival.poll()
            server.consume_input()
        else:
            break
    while (end := server.get_result()) is not None:
        if end.status != ExecStatus.COMMAND_OK:
            raise psycopg.errors.error_from_result(end)
