"""Looking at rows of MySQL and MariaDB."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count

from replicator.canonical import Digest, Form
from replicator.canonical import mysql as canonical
from replicator.targets.sql.conversion import Refused
from replicator.targets.sql.dialect import Shape, TargetColumn, Values
from replicator.targets.sql.examination import Bounds, Difference, Key, Queries, Spelling
from replicator.targets.sql.mysql.definition import MySQLDefinition
from replicator.targets.sql.mysql.dialect import MySQLDialect
from replicator.targets.sql.mysql.failures import judged

_BY_VALUE = re.compile(
    r"((tiny|small|medium|big)?int|year|decimal|float|double|bit|date|time|datetime|timestamp|uuid|"
    r"inet[46])\b.*"
)
"""Types whose equality is that of values; that of texts passes over letter case and blanks."""


def _same(column: TargetColumn, one: str, other: str) -> str:
    if not _BY_VALUE.fullmatch(column.type.lower()):
        one, other = f"HEX({one})", f"HEX({other})"
    return f"({one} <=> {other})"


_SPELLING = Spelling(
    quote=MySQLDefinition().quote,
    text=canonical.text,
    digest=canonical.digest,
    same=_same,
    temporary="",
)


class MySQLExaminer(MySQLDialect):
    """See `Examiner`. Its user needs CREATE TEMPORARY TABLES."""

    def __init__(self) -> None:
        super().__init__()
        self._queries: dict[Shape, Queries] = {}
        self._shapes = count(1)

    def close(self) -> None:
        """Close the connection."""
        self._queries.clear()
        super().close()

    def differences(self, shape: Shape, rows: Sequence[Values]) -> list[Difference]:
        """See `Examiner.differences`."""
        queries = self._queries_for(shape)
        with self._transaction():
            self._execute(
                f"CREATE TEMPORARY TABLE IF NOT EXISTS {queries.stage} ENGINE = InnoDB"
                f" SELECT {queries.staged} FROM {queries.table.quoted} LIMIT 0"
            )
            self._execute(f"DELETE FROM {queries.stage}")
            numbered = [(place, *row) for place, row in enumerate(rows)]
            self._insert(f"INSERT INTO {queries.stage} VALUES ", numbered)
            return [queries.read(row) for row in self._rows(queries.differences())]

    def remember(self, shape: Shape) -> None:
        """See `Examiner.remember`."""
        queries = self._queries_for(shape)
        with self._transaction():
            self._execute(
                f"CREATE TEMPORARY TABLE IF NOT EXISTS {queries.seen} (INDEX ({queries.key}))"
                f" ENGINE = InnoDB SELECT {queries.key} FROM {queries.table.quoted} LIMIT 0"
            )
            self._execute(queries.remember())

    def unknown(self, shape: Shape, forms: Sequence[Form], most: int) -> list[Key]:
        """See `Examiner.unknown`."""
        with self._transaction():
            return list(self._rows(self._queries_for(shape).unknown(forms, most)))

    def forget(self, shape: Shape) -> None:
        """See `Examiner.forget`."""
        with self._transaction():
            self._execute(f"DROP TEMPORARY TABLE IF EXISTS {self._queries_for(shape).seen}")

    def others(self, shape: Shape, bounds: Bounds, forms: Sequence[Form], most: int) -> list[Key]:
        """See `Examiner.others`."""
        with self._transaction():
            return list(self._rows(self._queries_for(shape).others(bounds, forms, most)))

    def digest(
        self, shape: Shape, bounds: Bounds, forms: Mapping[TargetColumn, Form]
    ) -> Digest | None:
        """See `Examiner.digest`."""
        with self._transaction():
            [row] = self._rows(self._queries_for(shape).digest(bounds, forms))
        return Digest.of(*row)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            with judged():
                yield
                self.connection.commit()  # else the next look would see what this one saw
        except Refused:
            self.rollback()
            raise

    def _queries_for(self, shape: Shape) -> Queries:
        if shape not in self._queries:
            self._queries[shape] = Queries.of(_SPELLING, shape, next(self._shapes))
        return self._queries[shape]
