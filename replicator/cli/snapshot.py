"""`replicator snapshot`."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import RenderableType

from replicator import config, service
from replicator.cli.exits import ExitCode, WrongUsage
from replicator.cli.options import (
    ConfigOption,
    RateOption,
    TablesOption,
    TargetsOption,
    VerboseOption,
    chosen,
    chosen_route,
    load,
)
from replicator.cli.progress import Bars, bars
from replicator.cli.signals import run_until_stopped
from replicator.cli.terminal import duration, make_table, say, show, styled
from replicator.cli.whole_copies import WholeCopy
from replicator.compose import OpenSource, takes_pages
from replicator.errors import DeliveryStopped
from replicator.pipeline.contract import DeliveryName
from replicator.pipeline.deliveries import DeliveryState
from replicator.reach import describe_tables, reach_source
from replicator.snapshot.record import CopyState, TableCopy
from replicator.snapshot.run import Situation, Watched, watch
from triggers.model import Table
from triggers.order import parents_first


def snapshot(
    route: Annotated[str, typer.Argument(help="The route whose tables are copied.")],
    config: ConfigOption = None,
    table: TablesOption = None,
    target: TargetsOption = None,
    rate: RateOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Copy what the tables hold now, then deliver what has changed since.

    The application goes on meanwhile; nothing is locked. What was interrupted goes on where it was
    when the command is given again, or in a running replicator. Files targets get the tables in
    files of their own, backups a base copy: both begin anew when reading them was interrupted.

    Example: replicator snapshot orders --table public.orders
    """
    del verbose
    settings = load(config)
    code = run_until_stopped(lambda stop: _snapshot(settings, route, table, target, rate, stop))
    raise typer.Exit(code)


def _snapshot(
    settings: config.Config,
    route_name: str,
    tables: Sequence[str] | None,
    targets: Sequence[str] | None,
    rate: int | None,
    stop: threading.Event,
) -> ExitCode:
    route = chosen_route(settings, route_name)
    name = route.name
    chosen_tables = chosen(f"table of route {name}", tables, route.tables)
    names = [
        DeliveryName(name, target)
        for target in chosen(f"target of route {name}", targets, route.targets)
    ]
    paged = [n for n in names if takes_pages(settings, n)]
    whole = [n for n in names if n not in paged]
    _refuse_handlers(settings, route, chosen_tables, whole)
    source = reach_source(settings, route.source)
    try:
        describe_tables(settings, source)
        service.require_capture(settings, source)
        captured = source.capture.tables()
        copied = parents_first(
            [captured[source.capture.dialect.canonical(t)] for t in chosen_tables]
        )
        code = ExitCode.DONE
        for one in whole:
            if not stop.is_set():
                code = max(code, WholeCopy(settings, source, one, copied, rate, stop).take())
        if paged and not stop.is_set():
            code = max(code, _copy(settings, source, paged, copied, rate, stop))
        return code
    finally:
        source.close()


def _refuse_handlers(
    settings: config.Config,
    route: config.Route,
    tables: Sequence[str],
    names: Sequence[DeliveryName],
) -> None:
    targets = {name.target: settings.targets[name.target] for name in names}
    unknown = [n for n, one in targets.items() if isinstance(one, config.HandlerTarget)]
    if unknown:
        raise WrongUsage(
            f"targets without a first copy: {', '.join(unknown)}",
            "name the ones to copy to with --target: databases, files and backups",
        )
    files = [n for n, one in targets.items() if isinstance(one, config.FilesTarget)]
    handled = [table for table in tables if route.handler_of(table) is not None]
    if files and handled:
        raise WrongUsage(
            f"{', '.join(files)}: no snapshot of tables that a handler delivers:"
            f" {', '.join(handled)}",
            "handlers get changes only; name other tables with --table, or targets with --target",
        )


def _copy(
    settings: config.Config,
    source: OpenSource,
    names: Sequence[DeliveryName],
    tables: Sequence[Table],
    rate: int | None,
    stop: threading.Event,
) -> ExitCode:
    watched = [Watched(source.capture, name, [table.name for table in tables]) for name in names]
    for one in watched:
        if one.request(rate):
            say(f"{one.name}: goes on where it was")
    with bars() as shown, service.delivering(settings, source, names):
        situations = watch(watched, stop, lambda found: _show(shown, found))
    table = make_table("!Delivery", "!Table", "!State", ">Rows", ">Rows/s", ">Time")
    for situation in situations:
        for copy in situation.tables:
            table.add_row(str(situation.name), *_cells(copy))
    show(table)
    if stop.is_set():
        say("interrupted: give the command again, or run, and it goes on from here")
        return ExitCode.INTERRUPTED
    for situation in situations:
        if situation.state is DeliveryState.PAUSED:
            say(f"{situation.name} is paused; replicator resume lets it go on")
        elif situation.state is DeliveryState.STOPPED:
            raise DeliveryStopped(f"{situation.name}: {situation.error}")
    return ExitCode.DONE if all(one.is_done for one in situations) else ExitCode.PROBLEM


def _show(shown: Bars, situations: Sequence[Situation]) -> None:
    for situation in situations:
        for copy in situation.tables:
            done = copy.state in (CopyState.COPIED, CopyState.DONE)
            estimate = copy.copied if done else copy.estimate
            shown.set(f"{situation.name} {copy.table}", copy.copied, estimate)


def _cells(copy: TableCopy) -> tuple[RenderableType, ...]:
    seconds = None
    if copy.started_at is not None:
        seconds = ((copy.finished_at or datetime.now(UTC)) - copy.started_at).total_seconds()
    speed = f"{copy.copied / seconds:,.0f}" if seconds else ""
    return (copy.table, styled(copy.state.value), f"{copy.copied:,}", speed, duration(seconds))
