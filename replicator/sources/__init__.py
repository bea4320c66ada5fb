"""Reading changes, and tables, out of each kind of source database, through its own driver."""

from __future__ import annotations

from sqlalchemy import Engine

from replicator.pipeline.reader import ChangeReader
from replicator.sources.mysql import MysqlReader
from replicator.sources.mysql_pages import MysqlPages
from replicator.sources.pages import PageReader
from replicator.sources.postgresql import PostgresqlReader
from replicator.sources.postgresql_pages import PostgresqlPages
from replicator.sources.sqlite import SqliteReader
from replicator.sources.sqlite_pages import SqlitePages
from triggers.capture import Capture
from triggers.dialects.mysql import MysqlDialect
from triggers.dialects.sqlite import SqliteDialect
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


def open_pages(capture: Capture) -> PageReader:
    """Return a reader of a source's tables themselves; it connects when it first reads."""
    match capture.dialect:
        case MysqlDialect():
            return MysqlPages(capture.engine, capture.dialect)
        case SqliteDialect():
            return SqlitePages(capture.engine, capture.dialect)
        case _:
            return PostgresqlPages(capture.engine)
