"""Rebuilding tables from a backup, in any database that can be a SQL target."""

from replicator.restore.plan import RestorePlan, Wish, make_plan
from replicator.restore.run import Result, restore

__all__ = ["RestorePlan", "Result", "Wish", "make_plan", "restore"]
