"""The one place that knows which engine a URL means."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from replicator.errors import ReplicatorError
from replicator.targets.sql.conversion import Refused
from replicator.targets.sql.dialect import DataDefinition, Dialect
from replicator.targets.sql.mysql import MySQLDefinition, MySQLDialect
from replicator.targets.sql.mysql.failures import judge as judge_mysql
from replicator.targets.sql.postgresql import PostgreSQLDefinition, PostgreSQLDialect
from replicator.targets.sql.postgresql.failures import judge as judge_postgresql
from replicator.targets.sql.sqlite import SQLiteDefinition, SQLiteDialect
from replicator.targets.sql.sqlite.failures import judge as judge_sqlite

Judge = Callable[[DBAPIError], Refused | ReplicatorError]

_DIALECTS: dict[str, type[Dialect]] = {
    "postgresql": PostgreSQLDialect,
    "mysql": MySQLDialect,
    "mariadb": MySQLDialect,
    "sqlite": SQLiteDialect,
}
_DEFINITIONS: dict[str, DataDefinition] = {
    "postgresql": PostgreSQLDefinition(),
    "mysql": MySQLDefinition(),
    "mariadb": MySQLDefinition(),
    "sqlite": SQLiteDefinition(),
}

_JUDGES: dict[str, Judge] = {
    "postgresql": judge_postgresql,
    "mysql": judge_mysql,
    "mariadb": judge_mysql,
    "sqlite": judge_sqlite,
}


def dialect_for(url: URL) -> Dialect:
    """A writer for the engine of a URL, not yet connected."""
    return _DIALECTS[url.get_backend_name()]()


def definition_for(url: URL) -> DataDefinition:
    """How the engine of a URL spells tables."""
    return _DEFINITIONS[url.get_backend_name()]


def judge_for(url: URL) -> Judge:
    """What decides about an engine's errors: a row's fault, worth a retry, or for somebody."""
    return _JUDGES[url.get_backend_name()]
