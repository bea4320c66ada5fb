"""Transforms in SQLite."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from replicator.transform.source_sql import SourceSql
from triggers.dialects import sqlite_catalog as catalog
from triggers.dialects.sqlite import SqliteDialect
from triggers.model import Column, Table
from triggers.statements import execute

_VIEW = "outbox_transform"


class SqliteSql(SourceSql):
    """See `SourceSql`."""

    def quote(self, name: str) -> str:
        """See `SourceSql.quote`."""
        return catalog.quote(name)

    def relation(self, table: Table) -> str:
        """See `SourceSql.relation`."""
        return f"main.{catalog.quote(table.name)}"

    def alias(self, table: Table) -> str:
        """See `SourceSql.alias`."""
        return catalog.quote(table.name)

    def image(self, row: str, columns: Sequence[Column], key: Sequence[str]) -> str:
        """See `SourceSql.image`."""
        del key
        return SqliteDialect().image(row, columns)

    def types(self, connection: Connection, query: str) -> tuple[Column, ...]:
        """See `SourceSql.types`."""
        execute(connection, [f"CREATE TEMPORARY VIEW {_VIEW} AS {query}"])
        try:
            found = connection.exec_driver_sql(
                f"SELECT name, type FROM pragma_table_info('{_VIEW}')"
            ).all()
        finally:
            execute(connection, [f"DROP VIEW temp.{_VIEW}"])
        return tuple(catalog.read_column(name, declared) for name, declared in found)
