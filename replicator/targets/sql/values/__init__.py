"""What values of a source column become in a target column, whatever the target's engine."""

from replicator.targets.sql.values.choice import choose

__all__ = ["choose"]
