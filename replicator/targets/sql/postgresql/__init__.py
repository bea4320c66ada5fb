"""PostgreSQL as a target."""

from replicator.targets.sql.postgresql.definition import PostgreSQLDefinition
from replicator.targets.sql.postgresql.dialect import PostgreSQLDialect

__all__ = ["PostgreSQLDefinition", "PostgreSQLDialect"]
