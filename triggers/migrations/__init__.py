"""Create and upgrade the outbox tables, through Alembic run from code.

Each file in `versions` is one step; its `upgrade(schema)` is given PostgreSQL's schema, or None.
"""

from __future__ import annotations

from typing import Any, TextIO, cast

import sqlalchemy as sa
from sqlalchemy import Connection

from triggers.errors import OutboxTooNew
from triggers.outbox import SCHEMA_VERSION

VERSION_TABLE = "outbox_version"


class _Statements:
    """A text sink that Alembic writes one statement at a time to."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def write(self, text: str) -> None:
        statement = text.strip().rstrip(";")
        if statement and not statement.startswith("--"):
            self.written.append(statement)

    def flush(self) -> None:
        pass


def installed_version(connection: Connection, schema: str | None) -> str | None:
    """Return the version of the outbox tables; None when there are none.

    Raises `OutboxTooNew` when a newer program made them.
    """
    if not sa.inspect(connection).has_table(VERSION_TABLE, schema=schema):
        return None
    table = sa.Table(VERSION_TABLE, sa.MetaData(schema=schema), sa.Column("version_num"))
    version = connection.execute(sa.select(table.c.version_num)).scalar()
    if version is not None and version > SCHEMA_VERSION:
        raise OutboxTooNew(
            f"the outbox tables have version {version}, this program knows {SCHEMA_VERSION}",
            "upgrade this program on this machine; nothing was changed",
        )
    return cast("str | None", version)


def upgrade(connection: Connection, schema: str | None) -> None:
    """Bring the outbox tables to `SCHEMA_VERSION`."""
    if installed_version(connection, schema) == SCHEMA_VERSION:
        return
    if schema is not None:
        connection.execute(sa.schema.CreateSchema(schema, if_not_exists=True))
    _migrate(connection, schema, {})


def upgrade_statements(connection: Connection, schema: str | None) -> list[str]:
    """Return the statements that `upgrade` would execute now, in order; execute none."""
    version = installed_version(connection, schema)
    if version == SCHEMA_VERSION:
        return []
    sink = _Statements()
    if schema is not None:
        create = sa.schema.CreateSchema(schema, if_not_exists=True)
        sink.write(str(create.compile(dialect=connection.dialect)))
    _migrate(
        connection,
        schema,
        {
            "as_sql": True,
            "literal_binds": True,
            "output_buffer": cast(TextIO, sink),
            "starting_rev": version,
        },
    )
    return sink.written


def remove(connection: Connection, schema: str | None) -> None:
    """Drop the outbox tables with everything in them (the schema too, where it is empty then)."""
    metadata = sa.MetaData(schema=schema)
    metadata.reflect(
        connection, schema=schema, only=lambda name, _metadata: name.startswith("outbox_")
    )
    metadata.drop_all(connection)
    if schema is not None and not sa.inspect(connection).get_table_names(schema=schema):
        connection.execute(sa.schema.DropSchema(schema))


def _migrate(connection: Connection, schema: str | None, options: dict[str, Any]) -> None:
    # Alembic takes a sixth of a command's start, and only installations need it.
    from triggers.migrations.steps import migrate

    migrate(connection, schema, {"version_table": VERSION_TABLE, **options})
