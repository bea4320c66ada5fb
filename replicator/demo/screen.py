"""What the demo shows: a live table on a terminal, plain lines anywhere else."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from replicator.demo.compare import Compared
from replicator.demo.watching import Delivered

_LINE_EVERY = 2.0
_TOLD = {
    "live/crm": "another database",
    "drops/partner": "CSV files, every 2 s",
    "drops/backup": "compressed, every 2 s",
}


class Screen:
    """Shows progress while the block runs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._began = time.monotonic()
        self._line_at = 0.0

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def tell(self, text: str) -> None:
        """Say what happens now; the line stays."""
        elapsed = time.monotonic() - self._began
        self._console.print(f"[dim]{elapsed:5.1f} s[/dim]  {text}")

    def show(self, title: str, captured: int, deliveries: Sequence[Delivered]) -> None:
        """Show how far everything is."""
        if self._live is not None:
            self._live.update(_picture(title, captured, deliveries), refresh=True)
            return
        if time.monotonic() - self._line_at >= _LINE_EVERY:
            self._line_at = time.monotonic()
            parts = [f"{delivery.name} {delivery.changes:,}" for delivery in deliveries]
            self.tell(f"captured {captured:,}, delivered: {', '.join(parts) or 'nothing yet'}")


def _picture(title: str, captured: int, deliveries: Sequence[Delivered]) -> RenderableType:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("delivery", style="bold")
    table.add_column("to")
    table.add_column("state")
    table.add_column("", width=24)
    for heading in ("delivered", "waiting", "batch"):
        table.add_column(heading, justify="right", min_width=8)
    for delivery in deliveries:
        total = max(delivery.changes + delivery.waiting, 1)
        table.add_row(
            delivery.name,
            _TOLD.get(delivery.name, ""),
            Text(delivery.state, "green" if delivery.state == "running" else "yellow"),
            ProgressBar(total, delivery.changes, width=24),
            f"{delivery.changes:,}",
            Text(f"{delivery.waiting:,}", "yellow" if delivery.waiting > 200 else ""),
            f"{delivery.batch:,}",
        )
    source = Text.assemble("captured in the shop: ", (f"{captured:,} changes", "bold"), "\n")
    return Panel(Group(source, table), title=title, title_align="left", expand=False)


def verdict(compared: Sequence[Compared]) -> Table:
    """Return the table that compares the source with every target."""
    table = Table(
        title="Is everything there? Contents compared with the shop's",
        caption="crm: its rows. partner, backup: what their changes come to when replayed.",
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("table", style="bold")
    table.add_column("rows", justify="right")
    table.add_column("checksum", style="dim")
    for heading in ("crm", "partner", "backup"):
        table.add_column(heading)
    for row in compared:
        cells = [
            Text(f"{count:,} rows differ", "bold red") if count else Text("equal", "green")
            for count in row.differences.values()
        ]
        table.add_row(row.table, f"{row.rows:,}", row.checksum, *cells)
    return table
