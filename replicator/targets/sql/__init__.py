"""SQL databases as targets."""

from replicator.targets.sql.matching import Pair, Problem
from replicator.targets.sql.preparation import (
    create_statements,
    missing_tables,
    problems,
    target_keys,
    type_pairs,
)
from replicator.targets.sql.target import SqlTarget

__all__ = [
    "Pair",
    "Problem",
    "SqlTarget",
    "create_statements",
    "missing_tables",
    "problems",
    "target_keys",
    "type_pairs",
]
