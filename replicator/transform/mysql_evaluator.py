"""Running transforms over changes in MySQL and MariaDB.

The images become rows of a temporary table with the source table's own columns: nothing else gives
expressions the same types, character sets and collations as the table itself does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor, SSCursor
from sqlalchemy import Engine

from replicator.errors import SourceUnavailable
from replicator.sources.connection import DriverConnection
from replicator.transform import errors
from replicator.transform.evaluation import AFTER, BEFORE, ID, SIDE, Line, Place
from replicator.transform.model import Result
from replicator.transform.mysql import MysqlSql
from triggers.dialects import mysql_catalog as catalog
from triggers.model import Column

_FORGIVING = "ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO"
"""sql_mode under which a column takes every value that it may hold already."""


class MysqlEvaluator:
    """See `Evaluator`."""

    def __init__(self, engine: Engine, sql: MysqlSql) -> None:
        self._connection = DriverConnection(engine)
        self._sql = sql
        self._tables: dict[str, str] = {}
        self._loaded: tuple[str, tuple[int, ...]] | None = None
        self._mode = ""

    def evaluate(
        self,
        result: Result,
        changes: Sequence[Line],
        columns: Sequence[Column],
        side: int | None,
        *,
        filtered: bool,
    ) -> Mapping[Place, bytes]:
        """See `Evaluator.evaluate`."""
        try:
            connection: Connection[Cursor] = self._connection.get()
            with connection.cursor() as cursor:
                if not self._mode:
                    self._prepare(connection, cursor)
                rows = self._load(cursor, result, changes)
            query = self._sql.select(
                result,
                rows=rows,
                carry=(ID, SIDE),
                columns=columns,
                filtered=filtered,
                condition="" if side is None else f"`{SIDE}` = {side}",
            )
            with connection.cursor(SSCursor) as cursor:
                cursor.execute(query)
                found = {}
                for number, which, image in cursor:
                    if image is None:
                        raise SourceUnavailable("a result row is larger than max_allowed_packet")
                    found[number, which] = image.encode()
                return found
        except (pymysql.Error, OSError) as error:
            raise errors.of_mysql(error) from error

    def close(self) -> None:
        """See `Evaluator.close`."""
        self._connection.discard()
        self._tables.clear()
        self._loaded = None
        self._mode = ""

    def _prepare(self, connection: Connection[Cursor], cursor: Cursor) -> None:
        connection.autocommit(True)
        # Rows of the outbox are not locked by reading them into another table.
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        with suppress(pymysql.Error):  # needs a right that replicators rarely have
            cursor.execute("SET SESSION sql_log_bin = 0")
        cursor.execute("SELECT CONCAT(@@sql_mode, ',')")
        ((self._mode,),) = cursor.fetchall()

    def _load(self, cursor: Cursor, result: Result, changes: Sequence[Line]) -> str:
        """Fill the temporary table with the images of these changes; return its name."""
        ids = tuple(line.id for line in changes)
        name = result.table.name
        if self._loaded == (name, ids):
            return self._tables[name]
        self._loaded = None
        names = [catalog.quote(column.name) for column in result.table.columns]
        cursor.execute(f"SET SESSION sql_mode = '{_FORGIVING}'")
        if name not in self._tables:
            table = f"`outbox rows {len(self._tables)}`"
            cursor.execute(
                f"CREATE TEMPORARY TABLE {table} AS SELECT CAST(0 AS SIGNED) AS `{ID}`,"
                f" CAST(0 AS SIGNED) AS `{SIDE}`, {', '.join(names)}"
                f" FROM {catalog.quote(name)} LIMIT 0"
            )
            self._tables[name] = table
        table = self._tables[name]
        cursor.execute(f"DELETE FROM {table}")
        listed = ",".join(map(str, ids))
        for side, image in ((BEFORE, "c.`before`"), (AFTER, "c.`after`")):
            item, values = self._sql.images_as_rows(result.table, image)
            cursor.execute(
                f"INSERT INTO {table} (`{ID}`, `{SIDE}`, {', '.join(names)})"
                f" SELECT c.id, {side}, {', '.join(values)} FROM outbox_change c, {item}"
                f" WHERE c.id IN ({listed}) AND {image} IS NOT NULL"
            )
        cursor.execute("SET SESSION sql_mode = %s", (self._mode.rstrip(","),))
        self._loaded = (name, ids)
        return table
