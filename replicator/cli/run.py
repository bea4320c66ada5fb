"""`replicator run`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import RenderableType

from replicator import __version__, config, service
from replicator.cli.exits import ExitCode, exit_code, message
from replicator.cli.options import ConfigOption, VerboseOption, load
from replicator.cli.signals import run_until_stopped
from replicator.cli.terminal import make_table, say, show, styled
from replicator.compose import OpenSource, delivery_names, sources_in_use
from replicator.errors import SourceUnavailable
from replicator.pipeline.contract import DeliveryName
from replicator.reach import describe_tables, reach_source
from replicator.service import Result
from replicator.status import DeliveryStatus, read_source
from triggers.errors import CaptureError

log = logging.getLogger(__name__)


def run(
    config: ConfigOption = None,
    once: Annotated[
        bool, typer.Option("--once", help="Deliver what there is now, report, and end.")
    ] = False,
    verbose: VerboseOption = False,
) -> None:
    """Deliver changes until stopped; an edited configuration file is applied while running.

    Ctrl-C or SIGTERM stops in good order within seconds, a second one at once; neither loses
    anything.

    Example: replicator run --once
    """
    del verbose
    settings = load(config)
    if once:
        raise typer.Exit(run_until_stopped(lambda stop: _run_once(settings, stop)))
    _run(settings)


def _run(settings: config.Config) -> None:
    path = settings.path
    assert path is not None
    sources = sources_in_use(settings)
    deliveries = [str(name) for source in sources for name in delivery_names(settings, source)]
    log.info("replicator %s starts with %s", __version__, path)
    log.info("sources: %s; deliveries: %s", ", ".join(sources), ", ".join(deliveries))
    try:
        run_until_stopped(lambda stop: service.run(path, settings, stop))
    except CaptureError:
        for name in sources:
            _require_tables(settings, name)
        raise
    log.info("stopped; nothing is lost, the next start goes on from here")


def _require_tables(settings: config.Config, name: str) -> None:
    """Raise `ConfigError` when what is missing is not the triggers but the table itself."""
    try:
        source = reach_source(settings, name)
    except SourceUnavailable:
        return
    try:
        describe_tables(settings, source)
    finally:
        source.close()


def _run_once(settings: config.Config, stop: threading.Event) -> ExitCode:
    table = make_table("!Delivery", "!Outcome", ">Changes", ">Dead letters")
    notes: list[str] = []
    codes: set[ExitCode] = set()
    for name in sources_in_use(settings):
        try:
            source = reach_source(settings, name)
        except SourceUnavailable as error:
            codes.add(exit_code(error))
            notes.append(message(error))
            for delivery in delivery_names(settings, name):
                table.add_row(str(delivery), styled("failing"), "0", "")
            continue
        try:
            for row in _deliver(settings, source, stop):
                codes.add(row.code)
                table.add_row(*row.cells())
                notes += row.notes()
        finally:
            source.close()
    show(table)
    for note in notes:
        say(note)
    if stop.is_set():
        say("interrupted: run it again for the rest")
        return ExitCode.INTERRUPTED
    return next(
        (code for code in (ExitCode.PROBLEM, ExitCode.UNREACHABLE) if code in codes), ExitCode.DONE
    )


def _deliver(settings: config.Config, source: OpenSource, stop: threading.Event) -> Iterator[_Row]:
    describe_tables(settings, source)
    service.require_capture(settings, source)
    before = _delivered(settings, source)
    results = service.run_source_once(settings, source, stop)
    after = _delivered(settings, source)
    for result in results:
        yield _Row(result, before[result.name], after[result.name])


def _delivered(settings: config.Config, source: OpenSource) -> dict[DeliveryName, DeliveryStatus]:
    found = read_source(settings, source).deliveries
    return {DeliveryName(one.route, one.target): one for one in found}


class _Row:
    """One delivery's line in the report of `run --once`."""

    def __init__(self, result: Result, before: DeliveryStatus, after: DeliveryStatus) -> None:
        self._result = result
        self._changes = after.delivered - before.delivered
        self._after = after

    @property
    def code(self) -> ExitCode:
        if self._result.error is not None:
            return exit_code(self._result.error)
        return ExitCode.PROBLEM if self._after.dead_letters else ExitCode.DONE

    def cells(self) -> tuple[RenderableType, ...]:
        held = self._after.state in ("paused", "stopped", "failing")
        outcome = self._after.state if held else "delivered"
        return (
            str(self._result.name),
            styled(outcome),
            f"{self._changes:,}",
            f"{self._after.dead_letters:,}",
        )

    def notes(self) -> list[str]:
        error = self._result.error
        return [] if error is None else [f"{self._result.name}: {message(error)}"]
