"""Engines for source and target databases, set up the same way everywhere."""

from __future__ import annotations

import socket
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import ConnectionPoolEntry

DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "sqlite": "sqlite",
}
"""URL scheme, as users write it, to SQLAlchemy's driver name."""

SQLITE_BUSY_SECONDS = 30.0
CONNECT_SECONDS = 10


def make_engine(url: URL | str, **options: Any) -> Engine:
    """Make an engine for a URL with one of the schemes of `DRIVERS`.

    Sessions speak UTF-8 and UTC, whatever the server's defaults are. SQLite transactions begin as
    SQLAlchemy's do (`BEGIN`, or `BEGIN IMMEDIATE` under the execution option `sqlite_begin`),
    never lazily.
    Raises `ValueError` for another scheme.
    """
    url = make_url(url)
    scheme = url.get_backend_name()
    if scheme not in DRIVERS:
        known = ", ".join(DRIVERS)
        raise ValueError(f"unknown database type {scheme!r} (known: {known})")
    url = url.set(drivername=DRIVERS[scheme])
    match scheme:
        case "postgresql":
            arguments: dict[str, Any] = {
                "connect_timeout": CONNECT_SECONDS,
                "keepalives_idle": 30,
                "keepalives_interval": 10,
                "keepalives_count": 3,
                "tcp_user_timeout": 30_000,
                "options": "-c timezone=UTC",
                "application_name": "replicator",
                "client_encoding": "utf8",
            }
        case "mysql" | "mariadb":
            arguments = {
                "charset": "utf8mb4",
                "connect_timeout": CONNECT_SECONDS,
                "init_command": "SET time_zone = '+00:00'",
            }
        case _:
            arguments = {"timeout": SQLITE_BUSY_SECONDS, "check_same_thread": False}
    arguments |= options.pop("connect_args", {})
    engine = create_engine(url, connect_args=arguments, **options)
    if scheme == "sqlite":
        event.listen(engine, "connect", _leave_transactions_to_sqlalchemy)
        event.listen(engine, "begin", _begin)
    if scheme in ("mysql", "mariadb"):
        event.listen(engine, "connect", _notice_a_dead_peer)
    return engine


def for_writing(engine: Engine) -> Engine:
    """Return the engine for transactions that write.

    In SQLite they take the write lock when they begin: one that has read first, and finds the
    lock taken when it wants to write, would fail at once instead of waiting.
    """
    return engine.execution_options(sqlite_begin="IMMEDIATE")


def _notice_a_dead_peer(connection: Any, _record: ConnectionPoolEntry) -> None:
    """Make a silent connection fail within a minute; PyMySQL has no option for it."""
    peer = connection._sock
    if peer is not None and peer.family != socket.AF_UNIX:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)


def _leave_transactions_to_sqlalchemy(connection: Any, _record: ConnectionPoolEntry) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")


def _begin(connection: Any) -> None:
    options = connection.get_execution_options()
    if options.get("isolation_level") == "AUTOCOMMIT":
        return
    mode = options.get("sqlite_begin", "")
    connection.exec_driver_sql(f"BEGIN {mode}".rstrip())
