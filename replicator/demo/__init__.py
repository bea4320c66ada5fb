"""`replicator demo`: the whole product on embedded SQLite, by the commands a user would run."""

from replicator.demo.run import run_demo

__all__ = ["run_demo"]
