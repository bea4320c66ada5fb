"""`replicator check`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import typer
from rich.text import Text

from replicator.check import Finding, find
from replicator.cli.exits import ExitCode
from replicator.cli.options import ConfigOption, JsonOption, VerboseOption, load
from replicator.cli.terminal import say, styled
from replicator.compose import delivery_names, sources_in_use


def check(
    config: ConfigOption = None, as_json: JsonOption = False, verbose: VerboseOption = False
) -> None:
    """Look at everything that deliveries need, and print the statement that mends each finding.

    Changes nothing. Example: replicator check --json
    """
    del verbose
    settings = load(config)
    findings = []
    for finding in find(settings):
        findings.append(finding)
        if not as_json:
            _show(finding)
    counts = {
        "problems": sum(finding.level == "problem" for finding in findings),
        "warnings": sum(finding.level == "warning" for finding in findings),
        "could_not_check": sum(finding.level == "could not check" for finding in findings),
    }
    if as_json:
        document = {"findings": [asdict(finding) for finding in findings], **counts}
        sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
    else:
        sources = sources_in_use(settings)
        deliveries = sum(len(delivery_names(settings, name)) for name in sources)
        say(
            f"{settings.path}: {_count(len(sources), 'source')}, "
            f"{_count(deliveries, 'delivery', 'deliveries')}: "
            f"{_count(counts['problems'], 'problem')}, {_count(counts['warnings'], 'warning')}, "
            f"{counts['could_not_check']} could not be checked"
        )
    raise typer.Exit(_code(findings))


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
