"""SQLite as a target."""

from replicator.targets.sql.sqlite.definition import SQLiteDefinition
from replicator.targets.sql.sqlite.dialect import SQLiteDialect

__all__ = ["SQLiteDefinition", "SQLiteDialect"]
