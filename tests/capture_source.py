"""A source database as the capture tests use it: statements in, logged changes out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, NullPool

from tests.servers import Database
from triggers.capture import Capture, State, TableStatus
from triggers.dialects import dialect_of
from triggers.engine import make_engine
from triggers.model import TableSpec

Image = dict[str, Any]


class Change(NamedTuple):
    """One row of outbox_change."""

    op: str
    before: Image | None
    after: Image | None


def inserted(after: Image) -> Change:
    """Build what an INSERT logs."""
    return Change("I", None, after)


def updated(after: Image, before: Image | None = None) -> Change:
    """Build what an UPDATE logs."""
    return Change("U", before, after)


def deleted(before: Image) -> Change:
    """Build what a DELETE logs."""
    return Change("D", before, None)


class CaptureSource:
    """A database with the product's capture on it, and an application that writes to it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.kind = database.kind
        self.engine: Engine = make_engine(database.url, poolclass=NullPool)
        self.capture = Capture(self.engine)
        self._dialect = dialect_of(self.engine)
        self._seen = 0

    def quote(self, name: str) -> str:
        """Quote an identifier."""
        return self._dialect.quote(name)

    def name(self, table: str) -> str:
        """Return the canonical name of a table in the default schema."""
        return self._dialect.canonical(table)

    def execute(self, *statements: str) -> None:
        """Run statements in one transaction of the application."""
        with self.engine.begin() as connection:
            run(connection, *statements)

    def install(self, *specs: TableSpec | str, prove: bool = False) -> list[TableStatus]:
        """Install capture for tables, given as specifications or names."""
        return self.capture.install(as_specs(specs), prove=prove)

    def states(self, *specs: TableSpec | str) -> list[State]:
        """Return the state of each table."""
        return [status.state for status in self.capture.status(as_specs(specs))]

    def status(self, spec: TableSpec | str) -> TableStatus:
        """Return the status of one table."""
        return self.capture.status(as_specs([spec]))[0]

    def changes(self, table: str | None = None) -> list[Change]:
        """Return what was logged since the last call (for one table), in order."""
        change = self.capture.outbox.change
        # As text: a driver that decodes JSON by itself would round numbers.
        images = [sa.cast(change.c[name], sa.Text).label(name) for name in ("before", "after")]
        query = (
            sa.select(change.c.id, change.c.table_name, change.c.op, *images)
            .where(change.c.id > self._seen)
            .order_by(change.c.id)
        )
        with self.engine.connect() as connection:
            rows = connection.execute(query).all()
        self._seen = max((row.id for row in rows), default=self._seen)
        wanted = None if table is None else self.name(table)
        return [
            Change(row.op, decode(row.before), decode(row.after))
            for row in rows
            if wanted in (None, row.table_name)
        ]


def as_specs(specs: Any) -> list[TableSpec]:
    """Turn bare names into specifications."""
    return [TableSpec(spec) if isinstance(spec, str) else spec for spec in specs]


def run(connection: Connection, *statements: str) -> None:
    """Execute statements as they stand, whatever signs they hold."""
    formatted = connection.dialect.paramstyle in ("format", "pyformat")
    for statement in statements:
        connection.exec_driver_sql(statement.replace("%", "%%") if formatted else statement)


def decode(image: str | None) -> Image | None:
    """Decode an image, keeping every digit."""
    return None if image is None else json.loads(image, parse_float=Decimal)


@contextmanager
def capture_source(database: Database) -> Iterator[CaptureSource]:
    """Wrap a database of `make_database`; its connections are closed at the end."""
    source = CaptureSource(database)
    try:
        yield source
    finally:
        source.engine.dispose()
