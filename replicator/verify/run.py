"""What `replicator verify` does with one delivery."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from replicator import config
from replicator.change import encode
from replicator.compose import OpenSource
from replicator.errors import DeliveryStopped
from replicator.pace import Pace, Tell
from replicator.pipeline.contract import DeliveryName
from replicator.verify.confirmation import confirm
from replicator.verify.finding import MOST_FINDINGS, Finding, Kind, TableReport
from replicator.verify.flight import NoProgress
from replicator.verify.forms import all_forms, key_forms, sorts_alike
from replicator.verify.letters import parked_keys
from replicator.verify.opening import Comparison, open_comparison
from replicator.verify.pair import TablePair
from replicator.verify.ranges import RangeComparison
from replicator.verify.repair import is_copying, mend
from replicator.verify.rows import RowComparison

FIRST_CONFIRMED = 2_000
"""So many candidates are looked at again before more are collected."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for. `rate` is in rows per second at most."""

    tables: Collection[str]
    repair: bool
    rate: int | None


def verify(
    settings: config.Config,
    source: OpenSource,
    name: DeliveryName,
    wish: Wish,
    stop: threading.Event,
    tell: Tell,
) -> list[TableReport]:
    """Compare the tables of one delivery, and mend them.

    Something must carry the delivery on meanwhile. Raises `TargetUnavailable`, `SourceUnavailable`,
    `DeliveryStopped` when they cannot be compared, and `Interrupted`.
    """
    if is_copying(source, name):
        raise DeliveryStopped(
            f"{name}: tables are being copied, so that rows are still missing",
            f"replicator snapshot {name.route} shows how far that is; verify when it is done",
        )
    with open_comparison(settings, source, name, wish.tables, stop) as comparison:
        pairs = comparison.pairs
        reports = [_compare(comparison, pair, wish.rate, stop, tell) for pair in pairs]
        if wish.repair:
            _mend(source, comparison, reports, stop)
        for pair, report in zip(pairs, reports, strict=True):
            parked = parked_keys(source.engine, source.capture.outbox, name, pair.seen)
            report.findings = [
                replace(found, is_parked=encode(found.key) in parked) for found in report.findings
            ]
        return reports


def _compare(
    comparison: Comparison,
    pair: TablePair,
    rate: int | None,
    stop: threading.Event,
    tell: Tell,
) -> TableReport:
    began = time.monotonic()
    name, table = comparison.name, pair.table.name
    pace = Pace(f"{name} {table}", pair.reader.estimate(pair.table), rate, stop, tell)
    walk, method, notes = _way(comparison, pair, pace)
    report = TableReport(name, table, comparison.into[table], method, notes)
    candidates: list[Finding] = []

    def settle() -> bool:
        """Look at the candidates again; return whether it makes sense to go on."""
        confirmed = confirm(pair, candidates, comparison.flight, stop)
        report.findings += confirmed.findings
        candidates.clear()
        if confirmed.why_undecided:
            report.notes.append(f"undecided: {confirmed.why_undecided}")
        return not confirmed.is_stuck and len(report.findings) < MOST_FINDINGS

    for found in walk.findings():
        candidates += found
        if len(candidates) >= FIRST_CONFIRMED and not settle():
            report.notes.append(
                f"given up after {len(report.findings):,} rows, the rest is not compared; many"
                f" rows are mended faster by replicator snapshot {name.route} --table {table}"
            )
            break
    else:
        settle()
    report.rows = pace.rows
    report.seconds = time.monotonic() - began
    return report


def _way(
    comparison: Comparison, pair: TablePair, pace: Pace
) -> tuple[RangeComparison | RowComparison, str, list[str]]:
    """How a table is compared, in words too, and what is not looked for."""
    engine = comparison.engine
    notes = list(comparison.notes.get(pair.table.name, ()))
    forms, of_key = all_forms(pair.plan, engine), key_forms(pair.plan, engine)
    keeps_key = pair.result is None or pair.result.keeps_key
    if forms and of_key and keeps_key and pair.finds_extra and sorts_alike(pair.plan, engine):
        return RangeComparison(pair, forms, of_key, pace), "checksums", notes
    if pair.finds_extra and of_key is None:
        notes.append("extra rows not looked for: the key has a type that is spelled differently")
    return RowComparison(pair, of_key, pace), "rows", notes


def _mend(
    source: OpenSource,
    comparison: Comparison,
    reports: Sequence[TableReport],
    stop: threading.Event,
) -> None:
    """Mend what can be, and look again at exactly that."""
    wrong = [[f for f in report.findings if _is_mendable(f)] for report in reports]
    try:
        mend(source, comparison.name, list(chain.from_iterable(wrong)), stop)
    except NoProgress as error:
        for report in reports:
            report.notes.append(f"maybe not mended: {error}")
    for pair, report, findings in zip(comparison.pairs, reports, wrong, strict=True):
        confirmed = confirm(pair, findings, comparison.flight, stop)
        report.mended = len(findings) - len(confirmed.findings)
        if confirmed.why_undecided:
            report.notes.append(f"undecided: {confirmed.why_undecided}")
        kept = [finding for finding in report.findings if not _is_mendable(finding)]
        report.findings = [*kept, *confirmed.findings]


def _is_mendable(finding: Finding) -> bool:
    return finding.kind is not Kind.UNDECIDED and not finding.refused
