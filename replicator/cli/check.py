"""`replicator check`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer
from rich.text import Text

from replicator.check import Finding, TypePair, find
from replicator.cli.exits import ExitCode
from replicator.cli.options import ConfigOption, JsonOption, VerboseOption, load
from replicator.cli.terminal import make_table, say, show, styled
from replicator.compose import delivery_names, sources_in_use

TypesOption = Annotated[
    bool,
    typer.Option("--types", help="List the types of all columns, those that simply fit too."),
]


def check(
    config: ConfigOption = None,
    types: TypesOption = False,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Look at everything that deliveries need, and print the statement that mends each finding.

    Lists the columns whose values are converted, or may be too large for the target. Changes
    nothing. Example: replicator check --types
    """
    del verbose
    settings = load(config)
    findings = []
    pairs: list[TypePair] = []
    for finding in find(settings, pairs):
        findings.append(finding)
        if not as_json:
            _show(finding)
    counts = {
        "problems": sum(finding.level == "problem" for finding in findings),
        "warnings": sum(finding.level == "warning" for finding in findings),
        "could_not_check": sum(finding.level == "could not check" for finding in findings),
    }
    if as_json:
        document = {
            "findings": [asdict(finding) for finding in findings],
            "types": [asdict(pair) for pair in pairs],
            **counts,
        }
        sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
    else:
        _show_types([pair for pair in pairs if types or not pair.plain])
        sources = sources_in_use(settings)
        deliveries = sum(len(delivery_names(settings, name)) for name in sources)
        say(
            f"{settings.path}: {_count(len(sources), 'source')}, "
            f"{_count(deliveries, 'delivery', 'deliveries')}: "
            f"{_count(counts['problems'], 'problem')}, {_count(counts['warnings'], 'warning')}, "
            f"{counts['could_not_check']} could not be checked"
        )
    raise typer.Exit(_code(findings))


def _show_types(pairs: list[TypePair]) -> None:
    if not pairs:
        return
    table = make_table("Route", "Target", "Column", "From", "To", "Values", "Cannot hold")
    for pair in pairs:
        how = f"{pair.fit}: {pair.note}" if pair.note else pair.fit
        column = f"{pair.table}.{pair.column}"
        table.add_row(
            pair.route, pair.target, column, pair.source_type, pair.target_type, how, pair.limits
        )
    show(table)


def _show(finding: Finding) -> None:
    parts = [part for part in (finding.place, finding.subject, finding.message) if part]
    if finding.message.startswith(finding.place):
        parts = [finding.message]
    line = Text.assemble(styled(finding.level), f"  {': '.join(parts)}")
    if finding.remedy:
        line.append(f"\n  {finding.remedy}", style="bold")
    say(line)


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _code(findings: list[Finding]) -> ExitCode:
    causes = {finding.cause for finding in findings}
    if "configuration" in causes:
        return ExitCode.USAGE
    if any(finding.level == "problem" for finding in findings):
        return ExitCode.PROBLEM
    return ExitCode.UNREACHABLE if "unreachable" in causes else ExitCode.DONE
