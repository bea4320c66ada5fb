"""What may escape capture on SQLite, or stand in the way of installing it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection

from triggers.dialects.base import Finding, Subject
from triggers.outbox import Outbox

OTHER_UNIQUE_INDEXES = sa.text(
    "SELECT l.name, (SELECT group_concat(i.name) FROM pragma_index_info(l.name) i)"
    ' FROM pragma_index_list(:t) l WHERE l."unique" ORDER BY l.seq'
)


def findings(connection: Connection, subjects: Sequence[Subject], outbox: Outbox) -> list[Finding]:
    """Report what may escape capture, or stand in the way of installing it."""
    del outbox
    return [*_file(connection), *(f for subject in subjects for f in _table(connection, subject))]


def _file(connection: Connection) -> Iterator[Finding]:
    path = connection.engine.url.database
    if path is None or path in ("", ":memory:"):
        return
    file = Path(path)
    # SQLite keeps its journal beside the database.
    for needed in (file, file.parent):
        if not os.access(needed, os.W_OK):
            yield Finding(
                "problem",
                str(file),
                f"{needed} cannot be written by the user who runs this program",
                f"chmod u+w '{needed}', or run it as the owner",
            )
    mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
    if mode != "wal":
        yield Finding(
            "warning",
            str(file),
            f"the journal mode is {mode}: the replicator and the application block each other",
            "PRAGMA journal_mode=WAL;",
        )


def _table(connection: Connection, subject: Subject) -> Iterator[Finding]:
    table = subject.table
    others = [
        name
        for name, columns in connection.execute(OTHER_UNIQUE_INDEXES, {"t": table.name})
        if columns != ",".join(table.key)
    ]
    if others:
        # The pragma belongs to each connection: the application's cannot be seen from here.
        yield Finding(
            "warning",
            table.name,
            f"REPLACE removes rows that collide in {', '.join(others)} without firing triggers,"
            " unless the application's connection has recursive triggers on",
            "let the application begin each connection with: PRAGMA recursive_triggers=ON;",
        )
