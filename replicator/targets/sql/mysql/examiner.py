"""Looking at rows of MySQL and MariaDB."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from replicator.canonical import Digest
from replicator.canonical import mysql as canonical
from replicator.targets.sql.conversion import Refused
from replicator.targets.sql.dialect import Shape, TargetColumn, Values
from replicator.targets.sql.examination import Asking, Difference, Spelling
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
    read_digest=Digest.of,
    temporary="",
    drop="DROP TEMPORARY TABLE IF EXISTS",
)


class MySQLExaminer(Asking, MySQLDialect):
    """See `Examiner`. Its user needs CREATE TEMPORARY TABLES."""

    spelling = _SPELLING

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

    def _ask(self, query: str) -> list[Any]:
        with self._transaction():
            return list(self._rows(query))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            with judged():
                yield
                self.connection.commit()  # else the next look would see what this one saw
        except Refused:
            self.rollback()
            raise
