"""Looking at rows of SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine

from replicator.canonical import sqlite as canonical
from replicator.targets.sql.dialect import Shape, TargetColumn, Values
from replicator.targets.sql.examination import Asking, Difference, Spelling
from replicator.targets.sql.sqlite.definition import SQLiteDefinition
from replicator.targets.sql.sqlite.dialect import SQLiteDialect
from replicator.targets.sql.sqlite.failures import judged


def _same(_column: TargetColumn, one: str, other: str) -> str:
    return f"({one} IS {other} COLLATE BINARY)"


_SPELLING = Spelling(
    quote=SQLiteDefinition().quote,
    text=canonical.text,
    digest=canonical.digest,
    same=_same,
    read_digest=canonical.read_digest,
    temporary="temp.",
)


class SQLiteExaminer(Asking, SQLiteDialect):
    """See `Examiner`."""

    spelling = _SPELLING

    def connect(self, engine: Engine, origin: str | None) -> None:
        """Open the file, for functions of this process."""
        super().connect(engine, origin)
        canonical.register(self.connection)

    def differences(self, shape: Shape, rows: Sequence[Values]) -> list[Difference]:
        """See `Examiner.differences`."""
        queries = self._queries_for(shape)
        marks = ", ".join(["?"] * (1 + len(shape.columns)))
        with judged():
            self._rows(
                f"CREATE TABLE IF NOT EXISTS {queries.stage} AS"
                f" SELECT {queries.staged} FROM {queries.table.quoted} LIMIT 0"
            )
            self._rows("BEGIN")
            try:
                self._rows(f"DELETE FROM {queries.stage}")
                self.connection.executemany(
                    f"INSERT INTO {queries.stage} VALUES ({marks})",
                    [(place, *row) for place, row in enumerate(rows)],
                )
                self._rows("COMMIT")
            except BaseException:
                self.rollback()
                raise
            return [queries.read(row) for row in self._rows(queries.differences())]

    def remember(self, shape: Shape) -> None:
        """See `Examiner.remember`."""
        queries = self._queries_for(shape)
        with judged():
            self._rows(
                f"CREATE TABLE IF NOT EXISTS {queries.seen} AS"
                f" SELECT {queries.key} FROM {queries.table.quoted} LIMIT 0"
            )
            plain = queries.seen.removeprefix(_SPELLING.temporary)
            self._rows(f"CREATE INDEX IF NOT EXISTS {queries.seen}_key ON {plain} ({queries.key})")
            self._rows(queries.remember())

    def _ask(self, query: str) -> list[Any]:
        with judged():
            return self._rows(query)
