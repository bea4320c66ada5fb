"""All commands, in the order in which a user meets them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from replicator import __version__
from replicator.cli.check import check
from replicator.cli.demo import demo
from replicator.cli.drops import app as drops
from replicator.cli.init import init
from replicator.cli.options import ConfigOption, VerboseOption
from replicator.cli.pause import pause
from replicator.cli.restore import restore
from replicator.cli.resume import resume
from replicator.cli.run import run
from replicator.cli.schema import schema
from replicator.cli.secret import app as secret
from replicator.cli.snapshot import snapshot
from replicator.cli.status import status
from replicator.cli.tables import app as tables
from replicator.cli.triggers import app as triggers
from replicator.cli.verify import verify


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"replicator {__version__}")
        raise typer.Exit


_COMMANDS: dict[str, Callable[..., None] | typer.Typer] = {
    "init": init,
    "demo": demo,
    "check": check,
    "triggers": triggers,
    "tables": tables,
    "snapshot": snapshot,
    "run": run,
    "status": status,
    "pause": pause,
    "resume": resume,
    "verify": verify,
    "drops": drops,
    "restore": restore,
    "secret": secret,
    "schema": schema,
}


class InOrder(TyperGroup):
    """Lists groups of commands among the others."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names in the order in which a user meets the commands."""
        del ctx
        return list(_COMMANDS)


app = typer.Typer(
    cls=InOrder,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


@app.callback()
def replicator(
    config: ConfigOption = None,
    verbose: VerboseOption = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Copy every committed change of a database, exactly once, to other databases and files.

    The usual order: init, check, triggers install, tables create, snapshot, run, status.

    Exit codes: 0 done, 1 a problem was found, 2 wrong usage or configuration, 3 a system that is
    needed cannot be reached.
    """


for name, command in _COMMANDS.items():
    if isinstance(command, typer.Typer):
        app.add_typer(command, name=name)
    else:
        app.command(name)(command)
