"""Trying triggers on SQLite: on a scratch table inside a savepoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from sqlalchemy import Connection

from triggers import naming
from triggers.dialects import sqlite_catalog as catalog
from triggers.dialects.base import Scratch, Subject
from triggers.model import Column
from triggers.outbox import Outbox
from triggers.statements import execute

EXTREMES = (
    "0",
    "NULL",
    "''",
    "9223372036854775807",
    "-9223372036854775808",
    "0.1",
    "-0.0",
    "1.7976931348623157e308",
    "4.9e-324",
    "9e999",
    "-9e999",
    "x''",
    "x'00ff'",
    "'\"\\' || char(0, 1, 31, 127, 8232, 128512, 1114111)",
    "CAST(x'61ff80' AS TEXT)",
    "'9223372036854775808'",
    "'Infinity'",
)
"""Any value may be in any column."""


class SqliteCanary:
    """Every trace of it is rolled back, also the ids that it took in the outbox."""

    rounds: Sequence[Sequence[str]] = ((),)

    @contextmanager
    def scratch(
        self, connection: Connection, subject: Subject, outbox: Outbox
    ) -> Iterator[Scratch]:
        """Make a table of the same columns."""
        name = naming.generated_name(subject.table.name, "canary")
        relation = catalog.quote(name)
        columns = ", ".join(catalog.quote(column.name) for column in subject.table.columns)
        create = f"CREATE TABLE {relation} AS SELECT {columns} FROM {subject.relation} LIMIT 0"
        with connection.begin_nested() as savepoint:
            execute(connection, [create])
            table = replace(subject.table, name=name)
            yield Scratch(replace(subject, table=table, relation=relation), outbox)
            savepoint.rollback()

    def drop_leftovers(self, connection: Connection) -> None:
        """Nothing is ever left."""
        del connection

    def extremes(self, column: Column) -> Sequence[str]:
        """Return a value of every storage class at its limits."""
        del column
        return EXTREMES

    def is_needed(self, column: Column) -> bool:
        """Tell that no column is: the scratch table has no constraints."""
        del column
        return False
