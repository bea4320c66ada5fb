"""`replicator tables ...`."""

from __future__ import annotations

from typing import Annotated

import typer

from replicator.cli.options import ConfigOption, VerboseOption, load
from replicator.cli.script import script
from replicator.cli.terminal import make_table, say, show
from replicator.compose import sources_in_use
from replicator.reach import reach_sources
from replicator.target_tables import create, plan

app = typer.Typer(no_args_is_help=True, help="Make the tables that SQL targets need.")


@app.callback()
def tables() -> None:
    """Make the tables that SQL targets need."""


@app.command("create")
def create_tables(
    config: ConfigOption = None,
    sql: Annotated[
        bool, typer.Option("--sql", help="Print the statements and change nothing.")
    ] = False,
    verbose: VerboseOption = False,
) -> None:
    """Create the tables that are missing in SQL targets, like those of the source.

    Example: replicator tables create --sql
    """
    del verbose
    settings = load(config)
    with reach_sources(settings, sources_in_use(settings)) as sources:
        plans = plan(settings, sources)
    if sql:
        for made in plans:
            typer.echo(f"-- target {made.target} ({made.address})")
            typer.echo(script(made.statements, made.url.get_backend_name()))
        return
    shown = make_table("Target", "!Table", "Done")
    for made in plans:
        create(made)
        for name in made.tables:
            shown.add_row(made.target, name, "created")
    if shown.row_count:
        show(shown)
    else:
        say("nothing to do: every table is there")
