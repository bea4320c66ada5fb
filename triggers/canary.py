"""Prove that triggers fail for no value that their table accepts, before they are put in place.

The triggers are made for a scratch table with the same columns, and rows are written to that: as
many of the table's own as `ROWS`, and values at the limits of every column's type. The table itself
is only read, and nothing is left in the database afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from triggers.dialects.base import Dialect, Subject
from triggers.errors import CanaryFailed
from triggers.model import TableSpec
from triggers.outbox import Outbox
from triggers.statements import execute

ROWS = 100

Row = Mapping[str, str]
"""Column name -> SQL expression."""


def prove(connection: Connection, dialect: Dialect, spec: TableSpec, outbox: Outbox) -> str:
    """Try a table's triggers, inside a transaction; return why that was not possible, or "".

    Raises `CanaryFailed`, which names the column where one alone is enough to fail.
    """
    subject = dialect.describe(connection, spec)
    with ExitStack() as stack:
        try:
            made = stack.enter_context(dialect.canary.scratch(connection, subject, outbox))
        except DBAPIError as error:
            if dialect.is_busy(error):
                raise
            return f"no scratch table could be made: {_message(error)}"
        trial = _Trial(connection, dialect, subject, made.subject)
        rows = trial.acceptable_rows()
        refused = trial.error(trial.copy(trial.names))
        if refused is not None and not rows:
            return f"the scratch table takes no rows: {_message(refused)}"
        execute(connection, [f"DELETE FROM {trial.relation}"])
        planned = dialect.triggers(made.subject, spec, made.outbox)
        execute(connection, [*planned.replace, *planned.finish])
        for preparation in dialect.canary.rounds:
            execute(connection, preparation)
            trial.write(rows)
            if refused is None:
                trial.write_copies()
    return ""


class _Trial:
    """Writes to one scratch table."""

    def __init__(
        self, connection: Connection, dialect: Dialect, subject: Subject, scratch: Subject
    ) -> None:
        self.names = [column.name for column in subject.table.columns]
        self.relation = scratch.relation
        self._connection = connection
        self._dialect = dialect
        self._source = subject
        self._extremes = {
            column.name: dialect.canary.extremes(column) for column in subject.table.columns
        }
        self._needed = [c.name for c in subject.table.columns if dialect.canary.is_needed(c)]

    def acceptable_rows(self) -> list[Row]:
        """Return rows that together hold every extreme value which the table takes."""
        taken: dict[str, list[str]] = {}  # by type
        for column in self._source.table.columns:
            if column.native not in taken:
                taken[column.native] = [
                    value
                    for value in self._extremes[column.name]
                    if self.error(self._insert({column.name: value}, [column.name])) is None
                ]
        rows = [
            {
                column.name: values[number % len(values)]
                for column in self._source.table.columns
                if (values := taken[column.native])
            }
            for number in range(max(map(len, taken.values())))
        ]
        return [row for row in rows if self.error(self._insert(row, list(row))) is None]

    def write(self, rows: Sequence[Row]) -> None:
        """Insert these rows, update them, change their keys and delete them."""
        for row in rows:
            self._check(partial(self._insert, row), list(row))
        if rows:
            self._change(dict(rows[0]))

    def write_copies(self) -> None:
        """Do the same with rows of the table itself, except for changing keys."""
        self._check(self.copy, self.names)
        self._change({})

    def copy(self, names: Sequence[str]) -> str:
        """Return the statement that copies rows of the table, in some columns."""
        columns = self._list([*names, *(name for name in self._needed if name not in names)])
        return (
            f"INSERT INTO {self.relation} ({columns})"
            f" SELECT {columns} FROM {self._source.relation} LIMIT {ROWS}"
        )

    def error(self, statement: str) -> DBAPIError | None:
        """Execute a statement; return the error that it ends with, after which all can go on."""
        try:
            with self._connection.begin_nested():
                execute(self._connection, [statement])
        except DBAPIError as error:
            if error.connection_invalidated or self._dialect.is_busy(error):
                raise
            return error
        return None

    def _change(self, row: Row) -> None:
        same = {name: self._dialect.quote(name) for name in self.names}
        for values in (same, row):
            if values:
                changes = ", ".join(f"{self._dialect.quote(n)} = {v}" for n, v in values.items())
                self._check_whole(f"UPDATE {self.relation} SET {changes}")
        self._check_whole(f"DELETE FROM {self.relation}")

    def _insert(self, row: Row, names: Sequence[str]) -> str:
        values = {name: row[name] for name in names}
        for name in self._needed:
            values.setdefault(name, self._extremes[name][0])
        listed = ", ".join(values.values())
        return f"INSERT INTO {self.relation} ({self._list(list(values))}) VALUES ({listed})"

    def _list(self, names: Sequence[str]) -> str:
        return ", ".join(map(self._dialect.quote, names))

    def _check(self, statement: Callable[[Sequence[str]], str], names: Sequence[str]) -> None:
        error = self.error(statement(names))
        if error is not None:
            raise self._failure(error, self._culprits(names, statement)) from error

    def _check_whole(self, statement: str) -> None:
        error = self.error(statement)
        if error is not None:
            raise self._failure(error, []) from error

    def _culprits(
        self, names: Sequence[str], statement: Callable[[Sequence[str]], str]
    ) -> list[str]:
        """Return the columns each of which makes a statement fail, by halving them."""
        if self.error(statement(names)) is None:
            return []
        if len(names) == 1:
            return list(names)
        middle = len(names) // 2
        return [
            *self._culprits(names[:middle], statement),
            *self._culprits(names[middle:], statement),
        ]

    def _failure(self, error: DBAPIError, culprits: Sequence[str]) -> CanaryFailed:
        table = self._source.table
        where = ", ".join(f"{name} ({table.column(name).native})" for name in culprits)
        column = f", by column {where}" if where else ""
        return CanaryFailed(
            f"table {table.name}: its triggers would fail writes that it accepts{column}:"
            f" {_message(error)}",
            "no trigger was changed; leave the column out with `exclude`, and report this",
        )


def _message(error: DBAPIError) -> str:
    return str(error.orig).strip().partition("\n")[0]
