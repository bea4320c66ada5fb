"""Executing SQL text exactly as it stands, whatever signs it holds."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy import Connection


def execute(connection: Connection, statements: Iterable[str]) -> None:
    """Execute statements in order."""
    for statement in statements:
        escaped = statement.replace("%", "%%") if _formats(connection) else statement
        connection.exec_driver_sql(escaped)


def as_text(connection: Connection, statement: sa.Delete | sa.Insert) -> str:
    """Write a statement with its values in it."""
    options = {"literal_binds": True}
    text = str(statement.compile(dialect=connection.dialect, compile_kwargs=options))
    return text.replace("%%", "%") if _formats(connection) else text


def _formats(connection: Connection) -> bool:
    """Tell whether the driver takes per cent signs for placeholders, unless they are doubled."""
    return connection.dialect.paramstyle in ("format", "pyformat")
