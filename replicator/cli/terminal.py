"""What commands print, and how: for people in a terminal, plain and unbroken for a pipe."""

from __future__ import annotations

import logging
import sys
from datetime import timedelta

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

_PIPED_WIDTH = 10_000
_STYLES = {
    "installed": "green",
    "running": "green",
    "delivered": "green",
    "ok": "green",
    "missing": "red",
    "refused": "red",
    "stopped": "red",
    "problem": "red",
    "failing": "yellow",
    "drifted": "yellow",
    "left over": "yellow",
    "warning": "yellow",
    "could not check": "yellow",
    "paused": "cyan",
    "not running": "dim",
    "not started": "dim",
}


def console() -> Console:
    """Return the console for stdout. Nothing printed to it is read as markup."""
    width = None if sys.stdout.isatty() else _PIPED_WIDTH
    return Console(width=width, markup=False, highlight=False, emoji=False)


def show(what: RenderableType) -> None:
    """Print a table or the like to stdout; for a pipe without blanks at the ends of lines."""
    out = console()
    if out.is_terminal:
        out.print(what)
        return
    with out.capture() as capture:
        out.print(what)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))
    sys.stdout.flush()


def say(text: str | Text) -> None:
    """Print a line or more to stdout."""
    console().print(text, soft_wrap=True)


def make_table(*columns: str) -> Table:
    """Return a table; `>` before a column's name is for numbers, `!` for what must not break."""
    box, gap = (SIMPLE_HEAD, 1) if sys.stdout.isatty() else (None, 2)
    table = Table(
        box=box, pad_edge=False, show_edge=False, header_style="bold", padding=(0, gap, 0, 0)
    )
    for column in columns:
        numbers = column.startswith(">")
        table.add_column(
            column.lstrip(">!"),
            justify="right" if numbers else "left",
            overflow="fold",
            no_wrap=numbers or column.startswith("!"),
        )
    return table


def styled(word: str) -> Text:
    """Colour one of the words that tell a state."""
    return Text(word, style=_STYLES.get(word, ""))


def duration(seconds: float | None) -> str:
    """Write a span of time in two units at most; a blank for none."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.1f}s" if seconds < 10 else f"{seconds:.0f}s"
    span = timedelta(seconds=round(seconds))
    hours, rest = divmod(span.seconds, 3600)
    if span.days:
        return f"{span.days}d {hours}h"
    return f"{hours}h {rest // 60}m" if hours else f"{rest // 60}m {rest % 60}s"


def configure_logging(*, verbose: bool) -> None:
    """Send log lines to stderr, through one handler."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for package in ("replicator", "triggers"):
        logging.getLogger(package).setLevel(logging.DEBUG if verbose else logging.INFO)
