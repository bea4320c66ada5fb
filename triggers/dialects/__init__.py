"""One module per database engine; `dialect_of` picks the one for a connection or an engine."""

from __future__ import annotations

from sqlalchemy import Connection, Engine

from triggers.dialects.base import Dialect
from triggers.dialects.mysql import MariadbDialect, MysqlDialect
from triggers.dialects.postgresql import PostgresqlDialect
from triggers.dialects.sqlite import SqliteDialect


def dialect_of(bind: Engine | Connection) -> Dialect:
    """Return the dialect for the server that `bind` is connected to.

    MariaDB is told from MySQL by the server itself, whichever of the two the URL named.
    """
    match bind.dialect.name:
        case "postgresql":
            return PostgresqlDialect()
        case "sqlite":
            return SqliteDialect()
        case "mysql" | "mariadb":
            if isinstance(bind, Engine) and bind.dialect.server_version_info is None:
                with bind.connect():
                    pass  # the first connection is what makes SQLAlchemy ask the server
            is_mariadb = getattr(bind.dialect, "is_mariadb", False)
            return MariadbDialect() if is_mariadb else MysqlDialect()
        case other:
            raise ValueError(f"no capture for database type {other!r}")
