"""`replicator status`."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from sqlalchemy.exc import DBAPIError

from replicator import config
from replicator.cli.exits import ExitCode
from replicator.cli.options import ConfigOption, JsonOption, VerboseOption, load
from replicator.cli.status_view import Rates, view
from replicator.cli.terminal import console, show
from replicator.compose import OpenSource, sources_in_use
from replicator.errors import SourceUnavailable, describe
from replicator.reach import reach_source
from replicator.status import SourceStatus, read_source, unread

WATCH_SECONDS = 1.0


def status(
    config: ConfigOption = None,
    as_json: JsonOption = False,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Show it again every second, until Ctrl-C.")
    ] = False,
    verbose: VerboseOption = False,
) -> None:
    """Show how far every delivery is, and what holds it up; works while targets are down.

    Example: replicator status --watch
    """
    del verbose
    look = _Look(load(config))
    try:
        if watch:
            _watch(look, as_json=as_json)
            return
        found = look()
        _show(found, None, as_json=as_json)
    finally:
        look.close()
    if any(source.error for source in found):
        raise typer.Exit(ExitCode.UNREACHABLE)


class _Look:
    """Reads every source in use, through connections that stay open."""

    def __init__(self, settings: config.Config) -> None:
        self._settings = settings
        self._open: dict[str, OpenSource] = {}

    def __call__(self) -> list[SourceStatus]:
        return [self._read(name) for name in sources_in_use(self._settings)]

    def close(self) -> None:
        for source in self._open.values():
            source.close()
        self._open.clear()

    def _read(self, name: str) -> SourceStatus:
        try:
            if name not in self._open:
                self._open[name] = reach_source(self._settings, name)
            return read_source(self._settings, self._open[name])
        except SourceUnavailable as error:
            return unread(self._settings, name, error.message)
        except DBAPIError as error:
            if name in self._open:
                self._open.pop(name).close()
            return unread(self._settings, name, f"source {name}: {describe(error)}")


def _watch(look: _Look, *, as_json: bool) -> None:
    rates = Rates()
    try:
        if as_json or not sys.stdout.isatty():
            while True:
                _show(look(), rates, as_json=as_json)
                time.sleep(WATCH_SECONDS)
        with Live(console=console(), auto_refresh=False, screen=True) as live:
            while True:
                live.update(_screen(look(), rates), refresh=True)
                time.sleep(WATCH_SECONDS)
    except KeyboardInterrupt:
        return


def _screen(found: list[SourceStatus], rates: Rates) -> RenderableType:
    now = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return Group(f"replicator status   {now}   Ctrl-C ends it", "", view(found, rates))


def _show(found: list[SourceStatus], rates: Rates | None, *, as_json: bool) -> None:
    if as_json:
        line = json.dumps(_document(found), default=_text, ensure_ascii=False)
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    else:
        show(view(found, rates))


def _document(found: list[SourceStatus]) -> dict[str, Any]:
    """The JSON form: its keys are documented in docs/guide/operations.md."""
    sources = []
    deliveries: list[dict[str, Any]] = []
    for source in found:
        fields = asdict(source)
        deliveries += fields.pop("deliveries")
        sources.append(fields)
    return {"at": datetime.now(UTC), "sources": sources, "deliveries": deliveries}


def _text(value: object) -> str:
    assert isinstance(value, datetime)
    return value.isoformat()
