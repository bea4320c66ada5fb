"""Progress bars of commands that go through tables."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class _Speed(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f} rows/s" if task.speed else "")


class Bars:
    """Progress bars, one for each label; only a terminal shows them."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def set(self, label: str, done: int, estimate: int) -> None:
        """Show how many rows are done, of about how many."""
        total = max(done, estimate) or None
        if label not in self._tasks:
            self._tasks[label] = self._progress.add_task(label, total=total)
        self._progress.update(self._tasks[label], completed=done, total=total)


@contextmanager
def bars(*, on_stderr: bool = False) -> Iterator[Bars]:
    """Show bars until the block ends: on stderr where stdout is for a program."""
    stream = sys.stderr if on_stderr else sys.stdout
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Speed(),
        TimeRemainingColumn(),
        console=Console(file=stream),
        disable=not stream.isatty(),
    )
    with progress:
        yield Bars(progress)
