"""`replicator demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from replicator.cli.exits import ExitCode
from replicator.cli.options import VerboseOption


def demo(
    folder: Annotated[
        Path | None,
        typer.Argument(help="A new folder for everything it makes, to look at afterwards."),
    ] = None,
    verbose: VerboseOption = False,
) -> None:
    """Show the whole product on embedded SQLite databases, in under a minute, without a server.

    Example: replicator demo /tmp/shop
    """
    del verbose
    from replicator.demo import run_demo  # of no use to any other command

    if not run_demo(Console(), folder):
        raise typer.Exit(ExitCode.PROBLEM)
