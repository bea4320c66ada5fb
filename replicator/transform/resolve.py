"""Finding out what a transform makes of a table, and what keeps it from running."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from replicator.errors import describe
from replicator.transform.model import Problem, Result, Transform, choose_key, passed_on_key
from replicator.transform.source_sql import SourceSql
from triggers.model import Table


def resolve(
    connection: Connection,
    sql: SourceSql,
    table: Table,
    transform: Transform,
    target_keys: Sequence[Sequence[str]] = (),
    *,
    keeps_before: bool,
    remedy: str = "",
) -> tuple[Result | None, list[Problem]]:
    """Try a transform on the source, which is not changed.

    `target_keys` are the keys of the target's table, its primary key first; empty where there is
    none. `keeps_before`: changes hold the old row; `remedy` tells how to make them.
    Must run inside a transaction.
    """
    problems = list(sql.find_problems(connection, table, transform))
    if problems:
        return None, problems
    try:
        columns = sql.describe(connection, table, transform)
    except DBAPIError as error:
        part = "where" if transform.columns is None else "columns"
        return None, [Problem(table.name, (part,), describe(error), sql.needs)]
    key = choose_key(table, transform, target_keys)
    keeps_key = set(key) == set(passed_on_key(table, transform))
    expressions = transform.columns or {}
    changing = (
        []
        if keeps_key
        else [name for name in key if not sql.depends_on_key(connection, table, expressions[name])]
    )
    if changing and not keeps_before:
        problems = [
            Problem(
                table.name,
                ("columns", name),
                f"the target's key {name} is computed from columns that may change, and changes"
                " do not hold the old row from which the old key could be computed",
                remedy,
            )
            for name in changing
        ]
        return None, problems
    return Result(table, transform, columns, key, not changing, keeps_key), []
