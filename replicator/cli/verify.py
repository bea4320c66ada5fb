"""`replicator verify`."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any

import typer

from replicator import config, service
from replicator.cli.exits import ExitCode, WrongUsage
from replicator.cli.options import (
    ConfigOption,
    JsonOption,
    RateOption,
    TablesOption,
    TargetsOption,
    VerboseOption,
    chosen,
    chosen_route,
    load,
)
from replicator.cli.progress import bars
from replicator.cli.signals import run_until_stopped
from replicator.cli.terminal import duration, make_table, say, show
from replicator.compose import OpenSource
from replicator.pace import Interrupted
from replicator.pipeline.contract import DeliveryName
from replicator.reach import describe_tables, named_target, reach_source
from replicator.verify.finding import Finding, Kind, TableReport
from replicator.verify.run import Wish
from replicator.verify.run import verify as compare

SHOWN = 100
"""Rows that are listed for people; JSON has them all."""


def verify(
    route: Annotated[str, typer.Argument(help="The route whose targets are compared.")],
    config: ConfigOption = None,
    table: TablesOption = None,
    target: TargetsOption = None,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair", help="Write rows that are missing or different, delete extra ones."
        ),
    ] = False,
    rate: RateOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Compare what SQL targets hold with what they should hold; tell, and mend, what differs.

    The application goes on meanwhile; changes that are still under way are waited for. Without
    --repair nothing is changed. Exit code 1: rows differ, or it could not be decided.

    Example: replicator verify orders --table public.orders
    """
    del verbose
    settings = load(config)
    code = run_until_stopped(
        lambda stop: _verify(settings, route, table, target, repair, rate, as_json, stop)
    )
    raise typer.Exit(code)


def _verify(
    settings: config.Config,
    route_name: str,
    tables: Sequence[str] | None,
    targets: Sequence[str] | None,
    repair: bool,
    rate: int | None,
    as_json: bool,
    stop: threading.Event,
) -> ExitCode:
    route = chosen_route(settings, route_name)
    name = route.name
    names = _deliveries(settings, route, targets)
    wanted = chosen(f"table of route {name}", tables, route.tables)
    handled = [table for table in wanted if route.handler_of(table)]
    own = [table for table in wanted if table not in handled]
    if not own:
        raise WrongUsage(
            f"written by a handler: {', '.join(handled)}",
            "what a handler writes is known to the handler alone",
        )
    source = reach_source(settings, route.source)
    try:
        describe_tables(settings, source)
        service.require_capture(settings, source)
        wish = Wish([source.capture.dialect.canonical(t) for t in own], repair, rate)
        try:
            reports = _compare(settings, source, names, wish, stop, as_json=as_json)
        except Interrupted:
            print("interrupted: nothing is told of what was not finished", file=sys.stderr)
            return ExitCode.INTERRUPTED
    finally:
        source.close()
    if as_json:
        document = {
            "route": name,
            "not_compared": handled,
            "tables": [_document(r) for r in reports],
        }
        sys.stdout.write(json.dumps(document, default=_number, ensure_ascii=False) + "\n")
        sys.stdout.flush()
    else:
        _show(reports, handled)
    return ExitCode.PROBLEM if any(report.findings for report in reports) else ExitCode.DONE


def _deliveries(
    settings: config.Config, route: config.Route, targets: Sequence[str] | None
) -> list[DeliveryName]:
    """The deliveries to compare: those to databases."""
    databases = [t for t in route.targets if isinstance(settings.targets[t], config.SqlTarget)]
    named = chosen(f"target of route {route.name}", targets, route.targets)
    others = [target for target in named if target not in databases]
    if not databases or (targets and others):
        raise WrongUsage(
            f"not databases, whose rows could be compared: {', '.join(others)}",
            "what files and backups hold, replicator drops verify and restore prove",
        )
    return [DeliveryName(route.name, target) for target in named if target in databases]


def _compare(
    settings: config.Config,
    source: OpenSource,
    names: Sequence[DeliveryName],
    wish: Wish,
    stop: threading.Event,
    *,
    as_json: bool,
) -> list[TableReport]:
    """Compare one delivery after the other, while somebody delivers: if need be, this process."""
    reports: list[TableReport] = []
    with bars(on_stderr=as_json) as shown, service.delivering(settings, source, names):
        for name in names:
            with named_target(settings, name.target):
                reports += compare(settings, source, name, wish, stop, shown.set)
    return reports


def _show(reports: Sequence[TableReport], handled: Sequence[str]) -> None:
    found = [(report, finding) for report in reports for finding in report.findings]
    if found:
        rows = make_table("!Delivery", "!Table", "!Row is", "Key", "Columns", "Why")
        for report, finding in found[:SHOWN]:
            rows.add_row(
                str(report.delivery),
                finding.table,
                finding.kind.value,
                ", ".join(f"{name}={value}" for name, value in finding.key.items()),
                ", ".join(finding.columns),
                _why(finding),
            )
        show(rows)
        if len(found) > SHOWN:
            say(f"... and {len(found) - SHOWN:,} more, which --json lists")
        say("")
    kinds = list(Kind)
    headers = [f">{kind.value.capitalize()}" for kind in kinds]
    table = make_table(
        "!Delivery", "!Table", "!Compared by", ">Rows", ">Rows/s", ">Time", *headers, ">Mended"
    )
    for report in reports:
        speed = f"{report.rows / report.seconds:,.0f}" if report.seconds else ""
        counts = [f"{report.count(kind):,}" for kind in kinds]
        table.add_row(
            str(report.delivery),
            report.table,
            report.method,
            f"{report.rows:,}",
            speed,
            duration(report.seconds),
            *counts,
            f"{report.mended:,}",
        )
    show(table)
    for report in reports:
        for note in report.notes:
            say(f"{report.delivery} {report.table}: {note}")
    if handled:
        say(f"not compared, since handlers write them: {', '.join(handled)}")


def _why(finding: Finding) -> str:
    parked = "parked" if finding.is_parked else ""
    return ": ".join(filter(None, (parked, finding.refused)))


def _document(report: TableReport) -> dict[str, Any]:
    """The JSON form: its keys are documented in docs/guide/verify.md."""
    return {
        "delivery": str(report.delivery),
        "table": report.table,
        "target_table": report.target_table,
        "compared_by": report.method,
        "rows": report.rows,
        "seconds": round(report.seconds, 3),
        **{kind.value: report.count(kind) for kind in Kind},
        "mended": report.mended,
        "notes": report.notes,
        "findings": [
            {
                "row_is": finding.kind.value,
                "key": finding.key,
                "columns": list(finding.columns),
                "parked": finding.is_parked,
                "refused": finding.refused,
            }
            for finding in report.findings
        ],
    }


def _number(value: object) -> object:
    """Keys may be decimals: as text they keep all digits."""
    assert isinstance(value, Decimal)
    return str(value)
