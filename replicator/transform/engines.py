"""The parts of transforms for each kind of source."""

from __future__ import annotations

from typing import cast

from sqlalchemy import Engine

from replicator.transform.evaluation import Evaluator
from replicator.transform.mysql import MysqlSql
from replicator.transform.mysql_evaluator import MysqlEvaluator
from replicator.transform.postgresql import PostgresqlSql
from replicator.transform.postgresql_evaluator import PostgresqlEvaluator
from replicator.transform.source_sql import SourceSql
from replicator.transform.sqlite import SqliteSql
from replicator.transform.sqlite_evaluator import SqliteEvaluator
from triggers.dialects.base import Dialect
from triggers.dialects.mysql import MysqlDialect
from triggers.outbox import Outbox


def sql_for(dialect: Dialect) -> SourceSql:
    """Return how a source's engine spells transforms."""
    match dialect.name:
        case "postgresql":
            return PostgresqlSql()
        case "mysql" | "mariadb":
            return MysqlSql(cast(MysqlDialect, dialect))
        case _:
            return SqliteSql()


def evaluator_for(engine: Engine, dialect: Dialect, outbox: Outbox) -> Evaluator:
    """Return what runs transforms over changes; it connects when it is first used."""
    match dialect.name:
        case "postgresql":
            return PostgresqlEvaluator(engine, outbox)
        case "mysql" | "mariadb":
            return MysqlEvaluator(engine, MysqlSql(cast(MysqlDialect, dialect)))
        case _:
            return SqliteEvaluator(engine)
