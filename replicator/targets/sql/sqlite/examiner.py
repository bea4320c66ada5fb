"""Looking at rows of SQLite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count

from sqlalchemy import Engine

from replicator.canonical import Digest, Form
from replicator.canonical import sqlite as canonical
from replicator.targets.sql.dialect import Shape, TargetColumn, Values
from replicator.targets.sql.examination import Bounds, Difference, Key, Queries, Spelling
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
    temporary="temp.",
)


class SQLiteExaminer(SQLiteDialect):
    """See `Examiner`."""

    def __init__(self) -> None:
        super().__init__()
        self._queries: dict[Shape, Queries] = {}
        self._shapes = count(1)

    def connect(self, engine: Engine, origin: str | None) -> None:
        """Open the file, for functions of this process."""
        super().connect(engine, origin)
        canonical.register(self.connection)

    def close(self) -> None:
        """Close the file."""
        self._queries.clear()
        super().close()

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

    def unknown(self, shape: Shape, forms: Sequence[Form], most: int) -> list[Key]:
        """See `Examiner.unknown`."""
        with judged():
            return self._rows(self._queries_for(shape).unknown(forms, most))

    def forget(self, shape: Shape) -> None:
        """See `Examiner.forget`."""
        with judged():
            self._rows(f"DROP TABLE IF EXISTS {self._queries_for(shape).seen}")

    def others(self, shape: Shape, bounds: Bounds, forms: Sequence[Form], most: int) -> list[Key]:
        """See `Examiner.others`."""
        with judged():
            return self._rows(self._queries_for(shape).others(bounds, forms, most))

    def digest(
        self, shape: Shape, bounds: Bounds, forms: Mapping[TargetColumn, Form]
    ) -> Digest | None:
        """See `Examiner.digest`."""
        with judged():
            [(found,)] = self._rows(self._queries_for(shape).digest(bounds, forms))
        return canonical.read_digest(found)

    def _queries_for(self, shape: Shape) -> Queries:
        if shape not in self._queries:
            self._queries[shape] = Queries.of(_SPELLING, shape, next(self._shapes))
        return self._queries[shape]
