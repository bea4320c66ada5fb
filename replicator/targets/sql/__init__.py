"""SQL databases as targets."""

from replicator.targets.sql.matching import Problem
from replicator.targets.sql.preparation import create_statements, missing_tables, problems
from replicator.targets.sql.target import SqlTarget

__all__ = ["Problem", "SqlTarget", "create_statements", "missing_tables", "problems"]
