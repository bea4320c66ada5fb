"""What `status` looks like for people."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from replicator.cli.terminal import duration, make_table, styled
from replicator.status import DeliveryStatus, SourceStatus


class Rates:
    """Remembers what was delivered, and so tells how fast it goes."""

    def __init__(self) -> None:
        self._before: dict[tuple[str, str], tuple[float, int]] = {}

    def per_second(self, delivery: DeliveryStatus) -> float | None:
        """Return the changes per second since the last call for this delivery."""
        key = (delivery.route, delivery.target)
        now = time.monotonic()
        before = self._before.get(key)
        self._before[key] = (now, delivery.delivered)
        if before is None or now <= before[0]:
            return None
        return max(0, delivery.delivered - before[1]) / (now - before[0])


def view(found: list[SourceStatus], rates: Rates | None) -> RenderableType:
    """Lay out the sources, the deliveries, and below them what needs attention."""
    notes = [note for source in found for note in _notes(source)]
    shown: list[RenderableType] = [_sources(found), "", _deliveries(found, rates)]
    copies = _copies(found)
    if copies.row_count:
        shown += ["", copies]
    return Group(*shown, *([""] if notes else []), *notes)


def _sources(found: list[SourceStatus]) -> Table:
    table = make_table("Source", "Where", ">Last batch", ">Waiting", ">Unsealed", ">Open gaps")
    for source in found:
        table.add_row(
            source.name,
            source.address,
            *(
                f"{number:,}" if source.installed else "-"
                for number in (
                    source.last_batch,
                    source.waiting,
                    source.unsealed,
                    source.open_gaps,
                )
            ),
        )
    return table


def _deliveries(found: list[SourceStatus], rates: Rates | None) -> Table:
    deliveries = [delivery for source in found for delivery in source.deliveries]
    coerced = any(delivery.coerced for delivery in deliveries)
    scheduled = any(delivery.next_run for delivery in deliveries)
    table = make_table(
        "!Delivery",
        "!State",
        ">Batch",
        ">Behind",
        ">For",
        ">Delivered",
        *([">/s"] if rates else []),
        *([">Coerced"] if coerced else []),
        ">Dead",
        *(["!Next run"] if scheduled else []),
    )
    for delivery in deliveries:
        rate = rates.per_second(delivery) if rates else None
        table.add_row(
            f"{delivery.route}/{delivery.target}",
            styled(delivery.state),
            f"{delivery.batch}/{delivery.last_batch}",
            f"{delivery.lag_changes:,}",
            duration(delivery.lag_seconds),
            f"{delivery.delivered:,}",
            *([f"{rate:,.0f}" if rate is not None else ""] if rates else []),
            *([f"{delivery.coerced:,}"] if coerced else []),
            Text(f"{delivery.dead_letters:,}", style="red" if delivery.dead_letters else ""),
            *([_moment(delivery.next_run)] if scheduled else []),
        )
    return table


def _copies(found: list[SourceStatus]) -> Table:
    table = make_table("!Delivery", "!Copy of", "!State", ">Rows", ">Of about")
    for source in found:
        for delivery in source.deliveries:
            for copy in delivery.copies:
                table.add_row(
                    f"{delivery.route}/{delivery.target}",
                    copy.table,
                    styled(copy.state),
                    f"{copy.rows:,}",
                    f"{copy.estimate:,}" if copy.estimate else "",
                )
    return table


def _notes(source: SourceStatus) -> Iterator[Text]:
    if source.error is not None:
        yield Text(source.error, style="red")
    elif not source.installed:
        yield Text.assemble(
            (f"source {source.name}: ", "bold"),
            "no outbox tables; install them: replicator triggers install",
        )
    if source.alarm is not None:
        yield Text.assemble((f"source {source.name}: ", "bold"), (source.alarm, "red"))
    for delivery in source.deliveries:
        if delivery.last_error is not None:
            when = _ago(delivery.last_error_at)
            yield Text.assemble(
                (f"{delivery.route}/{delivery.target}, {when}: ", "bold"), delivery.last_error
            )
        for note in delivery.notes:
            yield Text.assemble((f"{delivery.route}/{delivery.target}: ", "bold"), note)
        if delivery.state == "stopped":
            yield Text(f"  mend that, then: replicator resume {delivery.route} {delivery.target}")
    if any(delivery.dead_letters for delivery in source.deliveries):
        yield Text.assemble(
            (f"source {source.name}: ", "bold"),
            "dead letters are rows that a target refused; its table outbox_dead_letter tells why",
        )
    for unknown in source.unknown_deliveries:
        yield Text.assemble(
            (f"source {source.name}: ", "bold"),
            f"delivery {unknown.route}/{unknown.target} is not in the configuration, and nothing"
            f" after its batch {unknown.batch:,} is purged; to forget it:\n  {unknown.remedy}",
        )


def _ago(moment: datetime | None) -> str:
    if moment is None:
        return "at an unknown time"
    return f"{duration(max(0.0, (datetime.now(UTC) - moment).total_seconds()))} ago"


def _moment(moment: datetime | None) -> str:
    if moment is None:
        return ""
    local = moment.astimezone()
    today = local.date() == datetime.now().astimezone().date()
    return local.strftime("%H:%M" if today else "%Y-%m-%d %H:%M")
