"""Reading changes out of each kind of source database, through its own driver."""

from __future__ import annotations

from sqlalchemy import Engine

from replicator.pipeline.reader import ChangeReader
from replicator.sources.mysql import MysqlReader
from replicator.sources.postgresql import PostgresqlReader
from replicator.sources.sqlite import SqliteReader
from triggers.outbox import Outbox


def open_reader(engine: Engine, outbox: Outbox) -> ChangeReader:
    """Return a reader for a source; it connects when it first reads."""
    match engine.dialect.name:
        case "postgresql":
            return PostgresqlReader(engine, outbox)
        case "mysql" | "mariadb":
            return MysqlReader(engine)
        case _:
            return SqliteReader(engine)
