"""MySQL and MariaDB as targets."""

from replicator.targets.sql.mysql.definition import MySQLDefinition
from replicator.targets.sql.mysql.dialect import MySQLDialect

__all__ = ["MySQLDefinition", "MySQLDialect"]
