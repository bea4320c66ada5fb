"""Options that several commands share. Each may stand before or after the command's name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from replicator import config
from replicator.cli.exits import WrongUsage
from replicator.cli.terminal import configure_logging
from replicator.compose import sources_in_use
from replicator.config.errors import did_you_mean


def _file(context: typer.Context, value: Path | None) -> Path | None:
    before: Path | None = _of_root(context, "config")
    return value if value is not None else before


def _verbosity(context: typer.Context, value: bool) -> bool:
    verbose = value or bool(_of_root(context, "verbose"))
    configure_logging(verbose=verbose)
    return verbose


def _of_root(context: typer.Context, name: str) -> Any:
    root = context.find_root()
    return None if root is context else root.params.get(name)


ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="The configuration file (default: what REPLICATOR_CONFIG names, or replicator.toml).",
        callback=_file,
        show_default=False,
    ),
]
VerboseOption = Annotated[
    bool,
    typer.Option(
        "--verbose", "-v", help="Log more, and show where errors come from.", callback=_verbosity
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
SourceOption = Annotated[
    str | None, typer.Option("--source", "-s", help="Only this source.", show_default=False)
]

TablesOption = Annotated[
    list[str] | None,
    typer.Option("--table", "-t", help="Only this table (may be repeated).", show_default=False),
]
TargetsOption = Annotated[
    list[str] | None,
    typer.Option("--target", help="Only this target (may be repeated).", show_default=False),
]
RateOption = Annotated[
    int | None,
    typer.Option("--rate", min=1, help="Rows per second at most.", show_default=False),
]


def load(path: Path | None) -> config.Config:
    """Find and read the configuration. Raises `ConfigError`."""
    return config.load(config.find(path))


def chosen(what: str, names: Sequence[str] | None, known: Sequence[str]) -> list[str]:
    """Return the names that were given, or all where none was. `WrongUsage` for unknown ones."""
    for name in names or ():
        if name not in known:
            raise WrongUsage(
                f"unknown {what}: {name!r}",
                did_you_mean(name, known) or f"known: {', '.join(known)}",
            )
    return list(names or known)


def chosen_route(settings: config.Config, name: str) -> config.Route:
    """Return the named route. `WrongUsage` for an unknown one."""
    chosen("route", [name], [route.name for route in settings.routes])
    return settings.route(name)


def chosen_sources(settings: config.Config, name: str | None) -> list[str]:
    """Return the named source, or every source that a route uses."""
    used = sources_in_use(settings)
    if name is None:
        return used
    if name not in used:
        raise WrongUsage(
            f"no route uses a source {name!r}",
            did_you_mean(name, used) or f"sources in use: {', '.join(used)}",
        )
    return [name]
