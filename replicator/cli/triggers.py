"""`replicator triggers ...`."""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa
import typer
from sqlalchemy import Connection

from replicator import config
from replicator.cli.exits import ExitCode, WrongUsage
from replicator.cli.options import (
    ConfigOption,
    SourceOption,
    TablesOption,
    VerboseOption,
    chosen_sources,
    load,
)
from replicator.cli.script import script
from replicator.cli.terminal import make_table, say, show, styled
from replicator.compose import OpenSource, delivery_names, table_specs
from replicator.errors import ReplicatorError
from replicator.pipeline.deliveries import Deliveries, registration
from replicator.reach import describe_tables, reach_sources
from replicator.status import read_source
from triggers import migrations
from triggers.capture import State, TableStatus

app = typer.Typer(
    no_args_is_help=True, help="Install, inspect and remove the triggers that capture changes."
)

SqlOption = Annotated[
    bool, typer.Option("--sql", help="Print the statements and change nothing (one source).")
]

CanaryOption = Annotated[
    bool,
    typer.Option(
        "--canary/--no-canary", help="Try new triggers on scratch tables before they go live."
    ),
]


@app.command("install")
def install(
    config: ConfigOption = None,
    source: SourceOption = None,
    sql: SqlOption = False,
    canary: CanaryOption = True,
    verbose: VerboseOption = False,
) -> None:
    """Create or upgrade the outbox tables and the triggers; safe to repeat.

    Example for a DBA who runs the statements by hand: replicator triggers install --sql | psql shop
    """
    del verbose
    settings = load(config)
    names = (
        _one_for_sql(chosen_sources(settings, source)) if sql else chosen_sources(settings, source)
    )
    with reach_sources(settings, names) as sources:
        for opened in sources:  # all of them, before the first is changed
            describe_tables(settings, opened)
            opened.capture.status(table_specs(settings, opened.name))
        if sql:
            [opened] = sources
            statements = opened.capture.install_statements(table_specs(settings, opened.name))
            statements += _registrations(settings, opened)
            typer.echo(f"-- source {opened.name} ({opened.capture.dialect.name})")
            typer.echo(script(statements, opened.capture.dialect.name))
            return
        table = make_table("Source", "!Table", "!Was", "Done")
        drifted = False
        for opened in sources:
            for before in opened.capture.install(table_specs(settings, opened.name), prove=canary):
                drifted = drifted or before.state is State.DRIFTED
                table.add_row(opened.name, before.table, styled(before.state), _done(before))
            for name in delivery_names(settings, opened.name):
                Deliveries(opened.engine, opened.capture.outbox, name).register()
    show(table)
    if drifted:
        say(
            "what was written while triggers were missing or a new column was not captured yet may"
            " be missing in targets: replicator verify ROUTE --repair"
        )


@app.command("status")
def show_status(
    config: ConfigOption = None, source: SourceOption = None, verbose: VerboseOption = False
) -> None:
    """Show for each table whether its triggers are installed, and if not, why; exit code 1 then.

    Example: replicator triggers status --source shop
    """
    del verbose
    settings = load(config)
    table = make_table("Source", "!Table", "!State", "Why")
    states: set[State] = set()
    with reach_sources(settings, chosen_sources(settings, source)) as sources:
        for opened in sources:
            for found in opened.capture.status(table_specs(settings, opened.name)):
                states.add(found.state)
                table.add_row(opened.name, found.table, styled(found.state), _why(found))
    show(table)
    if states & {State.MISSING, State.DRIFTED}:
        say("to mend this: replicator triggers install")
    if State.LEFT_OVER in states:
        say("to remove what is left over: replicator triggers uninstall --table TABLE")
    if states - {State.INSTALLED}:
        raise typer.Exit(ExitCode.PROBLEM)


@app.command("uninstall")
def uninstall(
    config: ConfigOption = None,
    source: SourceOption = None,
    table: TablesOption = None,
    purge: Annotated[
        bool, typer.Option("--purge", help="Remove the outbox tables and all they hold, too.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Purge even changes that are not delivered yet.")
    ] = False,
    verbose: VerboseOption = False,
) -> None:
    """Remove the triggers: changes made from then on are not captured.

    Example: replicator triggers uninstall --purge
    """
    del verbose
    settings = load(config)
    if purge and table:
        raise WrongUsage("--purge removes the outbox of all tables", "leave out --table")
    with reach_sources(settings, chosen_sources(settings, source)) as sources:
        if purge and not yes:
            for opened in sources:
                _confirm_purge(settings, opened)
        for opened in sources:
            removed = opened.capture.uninstall(table, purge=purge)
            for name in removed:
                say(f"source {opened.name}: removed the triggers of {name}")
            if not removed:
                say(f"source {opened.name}: there were no such triggers")
            if purge:
                say(f"source {opened.name}: no outbox tables are left")


def _one_for_sql(names: list[str]) -> list[str]:
    if len(names) > 1:
        raise WrongUsage(
            "--sql prints the statements of one source",
            f"choose it with --source: {', '.join(names)}",
        )
    return names


def _done(before: TableStatus) -> str:
    match before.state:
        case State.INSTALLED:
            return "nothing, already installed"
        case State.MISSING:
            return f"installed{_unproven(before)}"
        case State.LEFT_OVER:
            return (
                "left as it is: no route asks for it; to remove it: replicator triggers"
                f" uninstall --table {before.table}"
            )
        case _:
            return f"renewed: {_why(before)}{_unproven(before)}"


def _unproven(before: TableStatus) -> str:
    return before.unproven and f"; warning: not tried before, because {before.unproven}"


def _why(found: TableStatus) -> str:
    """Write the reasons in one line."""
    return "; ".join(": ".join(map(str.strip, reason.splitlines())) for reason in found.reasons)


def _registrations(settings: config.Config, source: OpenSource) -> list[str]:
    outbox = source.capture.outbox
    with source.engine.connect() as connection:
        known = _known_deliveries(connection, source)
        return [
            str(
                registration(outbox, name).compile(
                    dialect=connection.dialect, compile_kwargs={"literal_binds": True}
                )
            )
            for name in delivery_names(settings, source.name)
            if (name.route, name.target) not in known
        ]


def _known_deliveries(connection: Connection, source: OpenSource) -> set[tuple[str, str]]:
    outbox = source.capture.outbox
    if migrations.installed_version(connection, outbox.schema) is None:
        return set()
    rows = connection.execute(sa.select(outbox.delivery.c.route, outbox.delivery.c.target))
    return {(route, target) for route, target in rows}


def _confirm_purge(settings: config.Config, source: OpenSource) -> None:
    waiting = read_source(settings, source).waiting
    if waiting:
        raise ReplicatorError(
            f"source {source.name}: {waiting} captured changes are not delivered yet",
            "deliver them with `replicator run --once`, or give them up with --yes",
        )
