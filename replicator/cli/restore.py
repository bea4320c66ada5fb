"""`replicator restore`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from sqlalchemy.engine import URL

from replicator import config
from replicator.cli.exits import ExitCode, WrongUsage
from replicator.cli.options import ConfigOption, JsonOption, VerboseOption, load
from replicator.cli.terminal import make_table, say, show
from replicator.config.address import parse_database_url
from replicator.config.errors import did_you_mean
from replicator.restore import RestorePlan, Result, Wish, make_plan
from replicator.restore import restore as run_restore
from replicator.targets.backup import Archive

_SHOWN_REFUSALS = 20


def restore(
    folder: Annotated[Path, typer.Argument(help="The folder of one route's backup.")],
    to: Annotated[
        str | None,
        typer.Option(
            "--to", help="A database's URL, or a sql target of the configuration.", metavar="URL"
        ),
    ] = None,
    password_env: Annotated[
        str | None,
        typer.Option(
            "--password-env", help="The environment variable with the password.", metavar="NAME"
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            "--until",
            help="Leave out what was captured after this time, as in 2026-11-21T13:30:00 (UTC) or "
            "with an offset.",
            metavar="TIME",
        ),
    ] = None,
    table: Annotated[
        list[str] | None,
        typer.Option("--table", "-t", help="Only this table, as the source names it; repeatable."),
    ] = None,
    into: Annotated[
        list[str] | None,
        typer.Option(
            "--into", help="Another name for a table in the target.", metavar="TABLE=NAME"
        ),
    ] = None,
    create: Annotated[
        bool, typer.Option("--create", help="Create tables that are missing.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Delete what is in the tables first.")
    ] = False,
    incomplete: Annotated[
        bool,
        typer.Option(
            "--incomplete", help="Restore what there is of a backup whose beginning was removed."
        ),
    ] = False,
    unfit: Annotated[
        str,
        typer.Option("--unfit", help="For values that a column cannot hold: error, null or clamp."),
    ] = "error",
    verify_only: Annotated[
        bool, typer.Option("--verify-only", help="Verify the backup and write nothing.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Rebuild tables from a backup: its newest base copy, and the changes since.

    Every checksum is verified first. A restore that was interrupted goes on when it is run again.
    Example: replicator restore var/backup/orders --to postgresql://me@localhost/new --create
    """
    del verbose
    if to is None and not verify_only:
        raise WrongUsage("where to restore is missing", "add --to URL, or --verify-only")
    wish = Wish(_moment(until), tuple(table or ()), replace, incomplete)
    names = _names(into or [])
    if unfit not in ("error", "null", "clamp"):
        raise WrongUsage(f"--unfit {unfit} is not known", "error, null or clamp")
    url = None if to is None or verify_only else _url(to, password_env, config)
    archive = Archive.open(folder)
    with _bar("Verifying", archive.size) as advance:
        archive.verify(advance)
    if archive.problems:
        _tell_problems(archive, as_json=as_json)
        raise typer.Exit(ExitCode.PROBLEM)
    plan = make_plan(archive, wish)
    result = Result()
    if url is not None:
        with _bar("Restoring", plan.total) as advance:
            done = _steps(advance)
            result = run_restore(
                plan,
                url,
                names,
                create=create,
                unfit=unfit,  # type: ignore[arg-type]  # checked above
                done=done,
            )
    if as_json:
        _print(_document(plan, result if url is not None else None))
    else:
        _tell(plan, result if url is not None else None)
    raise typer.Exit(ExitCode.PROBLEM if result.refused else ExitCode.DONE)


def _moment(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise WrongUsage(
            f"cannot read the time {text!r}", "write 2026-11-21T13:30:00, or with +02:00 at its end"
        ) from None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")


def _names(into: list[str]) -> dict[str, str]:
    names = {}
    for pair in into:
        table, separator, name = pair.partition("=")
        if not (table and separator and name):
            raise WrongUsage(
                f"cannot read --into {pair!r}", "write --into public.orders=old_orders"
            )
        names[table] = name
    return names


def _url(to: str, password_env: str | None, path: Path | None) -> URL:
    if "://" in to:
        url = parse_database_url(to, Path())
        if password_env is None:
            return url
        if password_env not in os.environ:
            raise WrongUsage(f"the environment variable {password_env} is not set")
        return url.set(password=os.environ[password_env])
    settings = load(path)
    target = settings.targets.get(to)
    if not isinstance(target, config.SqlTarget):
        known = [n for n, t in settings.targets.items() if isinstance(t, config.SqlTarget)]
        raise WrongUsage(
            f"{to!r} is neither a database's URL nor a sql target of {settings.path}",
            did_you_mean(to, known) or "write scheme://user@host/database",
        )
    return target.connection_url()


@contextmanager
def _bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on stderr, for a terminal."""
    columns = (TextColumn(what), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(what, total=total)
        yield lambda step: bar.advance(task, step)


def _steps(advance: Callable[[int], None]) -> Callable[[int], None]:
    """Turn positions into steps."""
    at = 0

    def done(position: int) -> None:
        nonlocal at
        advance(position - at)
        at = position

    return done


def _tell_problems(archive: Archive, *, as_json: bool) -> None:
    if as_json:
        problems = [{"message": p.message, "hint": p.hint} for p in archive.problems]
        _print({"folder": str(archive.folder), "problems": problems})
        return
    for problem in archive.problems:
        print(f"error: {problem}", file=sys.stderr)


def _document(plan: RestorePlan, result: Result | None) -> dict[str, Any]:
    document: dict[str, Any] = {
        "folder": str(plan.archive.folder),
        "problems": [],
        "base": plan.base.path.name if plan.base else None,
        "tables": sorted(plan.tables),
        "rows_of_base": plan.rows,
        "changes": plan.changes,
        "first_captured_at": plan.first_captured_at,
        "last_captured_at": plan.last_captured_at,
        "warnings": plan.warnings,
    }
    if result is not None:
        document["restored"] = {
            "applied": result.changes,
            "resumed_at": result.resumed_at,
            "coerced": result.coerced,
            "refused": [
                {"change": p.change.id, "table": p.change.table, "error": p.error}
                for p in result.refused
            ],
        }
    return document


def _print(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")


def _tell(plan: RestorePlan, result: Result | None) -> None:
    for warning in plan.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    span = f", captured from {plan.first_captured_at}Z to {plan.last_captured_at}Z"
    base = f"base copy {plan.base.content.taken_at}Z ({plan.rows} rows)" if plan.base else "no base"
    held = f"{base}, {plan.changes} changes{span if plan.first_captured_at else ''}"
    if result is None:
        say(f"{plan.archive.folder}: every checksum is right; {held}")
        return
    if result.refused:
        shown = make_table("!Table", ">Change", "Refused")
        for parked in result.refused[:_SHOWN_REFUSALS]:
            shown.add_row(parked.change.table, str(parked.change.id), parked.error)
        show(shown)
        say(f"{len(result.refused)} rows could not be written")
    resumed = f", after {result.resumed_at} of an earlier run" if result.resumed_at else ""
    say(f"restored {', '.join(result.tables)}: {result.changes} changes{resumed}; {held}")
    if result.coerced:
        say(f"{result.coerced} values were changed to fit their columns")
