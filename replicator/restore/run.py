"""Writing what a plan reads into a database, so that an interrupted restore goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice

import sqlalchemy as sa
from sqlalchemy import Engine, NullPool
from sqlalchemy.engine import URL

from replicator.errors import ReplicatorError
from replicator.pipeline.contract import (
    DeliveryName,
    Parked,
    Progress,
    ProgressConflict,
    Round,
)
from replicator.restore.plan import RestorePlan
from replicator.targets.sql import SqlTarget, create_statements, missing_tables
from replicator.targets.sql.engines import definition_for
from replicator.targets.sql.matching import target_name
from replicator.targets.sql.policy import Policy
from triggers.engine import make_engine

ROUND_BLOCKS = 100
"""Blocks of about a thousand changes that are written in one transaction."""

ORIGIN = "restore"
"""What marks the transactions of a restore, so that triggers in the target do not capture them."""

_PROGRESS = sa.table("replicator_progress", sa.column("delivery", sa.String))


@dataclass
class Result:
    """What a restore has written."""

    tables: list[str] = field(default_factory=list)  # as the target has them
    changes: int = 0
    coerced: int = 0
    resumed_at: int = 0  # changes that an interrupted run had written before
    refused: list[Parked] = field(default_factory=list)


def restore(
    plan: RestorePlan,
    url: URL,
    into: Mapping[str, str],
    *,
    create: bool = False,
    unfit: Policy = "error",
    done: Callable[[int], None] = lambda _changes: None,
) -> Result:
    """Restore a plan's tables.

    `into` names the target table of a source table; `create` makes those that are missing. `done`
    is told the number of changes that are durable so far. Each transaction holds data and progress:
    the same restore, run again, goes on where it was interrupted. Raises `ReplicatorError` before
    anything is written when a table is missing, or holds rows and is not to be replaced.
    """
    _check_names(plan, into)
    engine = make_engine(url, poolclass=NullPool, hide_parameters=True)
    name = DeliveryName(ORIGIN, plan.archive.folder.name)
    if create:
        _create(plan, into, url, engine)
    else:
        _refuse_missing(plan, into, url)
    target = SqlTarget(url, name, ORIGIN, into, unfit)
    result = Result([target_name(table, into) for table in plan.tables])
    try:
        before = target.open(plan.tables)
        before = _resumable(plan, before, engine, name)
        if before is None and not plan.wish.replace:
            _refuse_rows(plan, into, url, engine)
        result.resumed_at = before.batch_no if before else 0
        _write(plan, target, before, result, done)
    except ProgressConflict:
        raise ReplicatorError(
            "another restore of this backup writes to the same database"
        ) from None
    finally:
        target.close()
    _forget(engine, name)
    return result


def _write(
    plan: RestorePlan,
    target: SqlTarget,
    before: Progress | None,
    result: Result,
    done: Callable[[int], None],
) -> None:
    position = before.batch_no if before else 0
    blocks = plan.blocks(position)
    done(position)
    while some := list(islice(blocks, ROUND_BLOCKS)):
        rows = sum(block.count for block in some)
        reached = Progress(plan.archive.epoch or "", position + rows, plan.mark)
        work = Round(before, reached, position + 1, rows)
        outcome = target.deliver(work, iter(some), lambda refused: result.refused.extend(refused))
        before, position = reached, reached.batch_no
        result.changes += outcome.changes
        result.coerced += outcome.coerced
        done(position)


def _resumable(
    plan: RestorePlan, found: Progress | None, engine: Engine, name: DeliveryName
) -> Progress | None:
    """The progress of an interrupted restore of the same plan."""
    if found is None or (found.epoch, found.mark) == (plan.archive.epoch, plan.mark):
        return found
    if not plan.wish.replace:
        raise ReplicatorError(
            "the database holds part of another restore of this backup, which was interrupted",
            "Run that one again with the same options, or begin anew with --replace.",
        )
    _forget(engine, name)
    return None


def _check_names(plan: RestorePlan, into: Mapping[str, str]) -> None:
    names: dict[str, str] = {}
    for table in plan.tables:
        name = target_name(table, into)
        if name in names:
            raise ReplicatorError(
                f"{names[name]} and {table} would both be restored into table {name}",
                f"Name another table for one of them: --into {table}=NAME",
            )
        names[name] = table


def _create(plan: RestorePlan, into: Mapping[str, str], url: URL, engine: Engine) -> None:
    statements = create_statements(list(plan.tables.values()), into, url)
    with engine.begin() as connection:
        formatted = connection.dialect.paramstyle in ("format", "pyformat")
        for statement in statements:
            text = statement.replace("%", "%%") if formatted else statement
            connection.exec_driver_sql(text)


def _refuse_missing(plan: RestorePlan, into: Mapping[str, str], url: URL) -> None:
    missing = missing_tables(list(plan.tables.values()), into, url)
    if missing:
        names = ", ".join(target_name(table.name, into) for table in missing)
        raise ReplicatorError(
            f"missing in the target: {names}", "Add --create, or create the tables yourself."
        )


def _refuse_rows(plan: RestorePlan, into: Mapping[str, str], url: URL, engine: Engine) -> None:
    definition = definition_for(url)
    with engine.connect() as connection:
        for table in plan.tables:
            name = target_name(table, into)
            quoted = definition.quote_table(name)
            if connection.exec_driver_sql(f"SELECT 1 FROM {quoted} LIMIT 1").first() is not None:
                raise ReplicatorError(
                    f"table {name} is not empty",
                    "Restore into empty tables, or empty them first with --replace.",
                )


def _forget(engine: Engine, name: DeliveryName) -> None:
    """Remove the progress of a restore; its table too when nothing else is in it."""
    with engine.begin() as connection:
        connection.execute(sa.delete(_PROGRESS).where(_PROGRESS.c.delivery == str(name)))
        left = sa.select(sa.func.count()).select_from(_PROGRESS)
        if connection.execute(left).scalar_one() == 0:
            connection.execute(sa.text("DROP TABLE replicator_progress"))
