"""The test tables of every engine."""

from __future__ import annotations

from tests.servers import DatabaseKind
from tests.types import mysql_columns, postgresql_columns, sqlite_columns
from tests.types.columns import SampleTable

TABLES: dict[DatabaseKind, tuple[SampleTable, ...]] = {
    "postgresql": postgresql_columns.TABLES,
    "mariadb": mysql_columns.MARIADB_TABLES,
    "mysql": mysql_columns.MYSQL_TABLES,
    "sqlite": sqlite_columns.TABLES,
}
