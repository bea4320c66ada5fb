"""Looking at rows of PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from replicator.canonical import Digest, Form
from replicator.canonical import postgresql as canonical
from replicator.targets.sql.conversion import Refused
from replicator.targets.sql.dialect import Shape, TargetColumn, Values
from replicator.targets.sql.examination import Asking, Difference, Key, Spelling
from replicator.targets.sql.postgresql.definition import PostgreSQLDefinition
from replicator.targets.sql.postgresql.dialect import PostgreSQLDialect
from replicator.targets.sql.postgresql.failures import judged

_BY_VALUE = re.compile(
    r"smallint|integer|bigint|oid|numeric(\(.*\))?|real|double precision|money|boolean|date|"
    r"timestamp(\(\d\))? with(out)? time zone|uuid|bytea"
)
"""Types whose equality is that of values; other ones have none, or one that passes over parts."""


def _same(column: TargetColumn, one: str, other: str) -> str:
    if not _BY_VALUE.fullmatch(column.type):
        one, other = f'{one}::text COLLATE "C"', f'{other}::text COLLATE "C"'
    return f"({one} IS NOT DISTINCT FROM {other})"


_SPELLING = Spelling(
    quote=PostgreSQLDefinition().quote,
    text=canonical.text,
    digest=canonical.digest,
    same=_same,
    read_digest=Digest.of,
    temporary="pg_temp.",
)


class PostgreSQLExaminer(Asking, PostgreSQLDialect):
    """See `Examiner`."""

    spelling = _SPELLING

    def differences(self, shape: Shape, rows: Sequence[Values]) -> list[Difference]:
        """See `Examiner.differences`."""
        queries = self._queries_for(shape)
        with self._transaction():
            self._execute(
                f"CREATE TEMPORARY TABLE IF NOT EXISTS {_bare(queries.stage)} AS"
                f" SELECT {queries.staged} FROM {queries.table.quoted} WITH NO DATA"
            )
            self._execute(f"TRUNCATE {queries.stage}")
            numbered = [(place, *row) for place, row in enumerate(rows)]
            self._copy(f"COPY {queries.stage} FROM STDIN", numbered)
            return [queries.read(row) for row in self._execute(queries.differences()).fetchall()]

    def remember(self, shape: Shape) -> None:
        """See `Examiner.remember`."""
        queries = self._queries_for(shape)
        with self._transaction():
            self._execute(
                f"CREATE TEMPORARY TABLE IF NOT EXISTS {_bare(queries.seen)} AS"
                f" SELECT {queries.key} FROM {queries.table.quoted} WITH NO DATA"
            )
            self._execute(queries.remember())

    def unknown(self, shape: Shape, forms: Sequence[Form], most: int) -> list[Key]:
        """See `Examiner.unknown`."""
        with self._transaction():
            self._execute("SET LOCAL enable_hashjoin = on")  # all rows are looked at
            return self._execute(self._queries_for(shape).unknown(forms, most)).fetchall()

    def _ask(self, query: str) -> list[Any]:
        with self._transaction():
            found = self._execute(query)
            return found.fetchall() if found.description else []

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            with judged():
                yield
                self.connection.commit()
        except Refused:
            self.rollback()
            raise


def _bare(name: str) -> str:
    return name.removeprefix(_SPELLING.temporary)
