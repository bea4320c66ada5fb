"""The one place that knows which engine a URL means."""

from __future__ import annotations

from sqlalchemy.engine import URL

from replicator.targets.sql.dialect import DataDefinition, Dialect
from replicator.targets.sql.mysql import MySQLDefinition, MySQLDialect
from replicator.targets.sql.postgresql import PostgreSQLDefinition, PostgreSQLDialect
from replicator.targets.sql.sqlite import SQLiteDefinition, SQLiteDialect

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


def dialect_for(url: URL) -> Dialect:
    """A writer for the engine of a URL, not yet connected."""
    return _DIALECTS[url.get_backend_name()]()


def definition_for(url: URL) -> DataDefinition:
    """How the engine of a URL spells tables."""
    return _DEFINITIONS[url.get_backend_name()]
