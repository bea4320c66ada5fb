"""The one place that knows which engine a URL means."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from replicator.errors import ReplicatorError
from replicator.targets.sql.conversion import Refused
from replicator.targets.sql.dialect import DataDefinition, Dialect, TargetColumn
from replicator.targets.sql.examination import Examiner
from replicator.targets.sql.mysql import MySQLDefinition, MySQLDialect
from replicator.targets.sql.mysql import values as mysql_values
from replicator.targets.sql.mysql.examiner import MySQLExaminer
from replicator.targets.sql.mysql.failures import judge as judge_mysql
from replicator.targets.sql.postgresql import PostgreSQLDefinition, PostgreSQLDialect
from replicator.targets.sql.postgresql import values as postgresql_values
from replicator.targets.sql.postgresql.examiner import PostgreSQLExaminer
from replicator.targets.sql.postgresql.failures import judge as judge_postgresql
from replicator.targets.sql.sqlite import SQLiteDefinition, SQLiteDialect
from replicator.targets.sql.sqlite import values as sqlite_values
from replicator.targets.sql.sqlite.examiner import SQLiteExaminer
from replicator.targets.sql.sqlite.failures import judge as judge_sqlite
from replicator.targets.sql.values.holding import Holding

Judge = Callable[[DBAPIError], Refused | ReplicatorError]

_DIALECTS: dict[str, type[Dialect]] = {
    "postgresql": PostgreSQLDialect,
    "mysql": MySQLDialect,
    "mariadb": MySQLDialect,
    "sqlite": SQLiteDialect,
}
_EXAMINERS: dict[str, type[Examiner]] = {
    "postgresql": PostgreSQLExaminer,
    "mysql": MySQLExaminer,
    "mariadb": MySQLExaminer,
    "sqlite": SQLiteExaminer,
}
_DEFINITIONS: dict[str, DataDefinition] = {
    "postgresql": PostgreSQLDefinition(),
    "mysql": MySQLDefinition(),
    "mariadb": MySQLDefinition(),
    "sqlite": SQLiteDefinition(),
}

_HOLDINGS: dict[str, Callable[[TargetColumn], Holding]] = {
    "postgresql": postgresql_values.holding,
    "mysql": mysql_values.holding,
    "mariadb": mysql_values.holding,
    "sqlite": sqlite_values.holding,
}

_JUDGES: dict[str, Judge] = {
    "postgresql": judge_postgresql,
    "mysql": judge_mysql,
    "mariadb": judge_mysql,
    "sqlite": judge_sqlite,
}


def dialect_for(url: URL) -> Dialect:
    """A writer for the engine of a URL, not yet connected."""
    return _DIALECTS[url.get_backend_name()]()


def examiner_for(url: URL) -> Examiner:
    """What looks at rows of the engine of a URL, not yet connected."""
    return _EXAMINERS[url.get_backend_name()]()


def definition_for(url: URL) -> DataDefinition:
    """How the engine of a URL spells tables."""
    return _DEFINITIONS[url.get_backend_name()]


def holding_for(engine: str, target: TargetColumn) -> Holding:
    """What a column of an engine holds."""
    return _HOLDINGS[engine](target)


def judge_for(url: URL) -> Judge:
    """What decides about an engine's errors: a row's fault, worth a retry, or for somebody."""
    return _JUDGES[url.get_backend_name()]
