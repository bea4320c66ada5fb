"""A connection for handlers that look things up in a source."""

from __future__ import annotations

from sqlalchemy import Connection, Engine

_READ_ONLY = {
    "postgresql": "SET default_transaction_read_only = on",
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "mariadb": "SET SESSION TRANSACTION READ ONLY",
    "sqlite": "PRAGMA query_only = ON",
}


def open_lookup(engine: Engine) -> Connection:
    """Open a read-only connection in which every statement is a transaction of its own.

    The engine must not pool: the session stays read-only.
    """
    connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    try:
        connection.exec_driver_sql(_READ_ONLY[engine.dialect.name])
    except BaseException:
        connection.close()
        raise
    return connection
