"""Running the steps in `versions` through Alembic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from triggers.outbox import SCHEMA_VERSION


def migrate(connection: Connection, schema: str | None, options: dict[str, Any]) -> None:
    """Run the steps from the version that is installed up to `SCHEMA_VERSION`.

    `options` are those of Alembic's `MigrationContext.configure`.
    """
    script = ScriptDirectory(str(Path(__file__).parent))

    def steps(revision: Any, _context: MigrationContext) -> Any:
        return script._upgrade_revs(SCHEMA_VERSION, revision)

    context = MigrationContext.configure(
        connection,
        opts={"fn": steps, "script": script, "version_table_schema": schema, **options},
    )
    with Operations.context(context):
        context.run_migrations(schema=schema)
