"""Running transforms over changes in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import psycopg
from sqlalchemy import Engine

from replicator.sources.connection import DriverConnection
from replicator.transform import errors
from replicator.transform.evaluation import AFTER, BEFORE, ID, SIDE, Line, Place
from replicator.transform.model import Result
from replicator.transform.postgresql import PostgresqlSql
from triggers.dialects import postgresql_catalog as catalog
from triggers.model import Column
from triggers.outbox import Outbox


class PostgresqlEvaluator:
    """See `Evaluator`. The images are taken from the outbox, in one statement for all rows."""

    def __init__(self, engine: Engine, outbox: Outbox) -> None:
        self._connection = DriverConnection(engine)
        self._change = f"{catalog.quote(outbox.schema or 'outbox')}.{outbox.change.name}"
        self._sql = PostgresqlSql()
        self._prepared = False

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
        sides = (BEFORE, AFTER) if side is None else (side,)
        rows = " UNION ALL ".join(self._rows(result, changes, one) for one in sides)
        query = self._sql.select(
            result, rows=f"({rows})", carry=(ID, SIDE), columns=columns, filtered=filtered
        )
        try:
            connection: psycopg.Connection = self._connection.get()
            if not self._prepared:
                connection.autocommit = True
                for statement in self._sql.session:
                    connection.execute(statement.encode())
                self._prepared = True
            found = connection.execute(query.encode(), binary=True)
            return {(number, which): image.encode() for number, which, image in found}
        except psycopg.Error as error:
            raise errors.of_postgresql(error) from error

    def close(self) -> None:
        """See `Evaluator.close`."""
        self._connection.discard()
        self._prepared = False

    def _rows(self, result: Result, changes: Sequence[Line], side: int) -> str:
        image = "c.before" if side == BEFORE else "c.after"
        ids = ",".join(str(line.id) for line in changes)
        return (
            f'SELECT c.id AS "{ID}", {side} AS "{SIDE}", i.* FROM {self._change} c'
            f" CROSS JOIN LATERAL {self._sql.images_as_rows(result.table, image)} i"
            f" WHERE c.id = ANY ('{{{ids}}}'::pg_catalog.int8[]) AND {image} IS NOT NULL"
        )
