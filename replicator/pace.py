"""How fast tables may be read, how far that is, and whether it is to end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

Tell = Callable[[str, int, int], None]
"""Is told what is read, how many of its rows are done, and about how many it has."""


class Interrupted(Exception):
    """The work was told to stop."""


class Pace:
    """Of one table. Raises `Interrupted` when told to stop."""

    def __init__(
        self, label: str, estimate: int, rate: int | None, stop: threading.Event, tell: Tell
    ) -> None:
        """Prepare; `rate` is in rows per second at most."""
        self.rows = 0
        self._label = label
        self._estimate = estimate
        self._rate = rate
        self._stop = stop
        self._tell = tell
        self._paced_to = time.monotonic()
        tell(label, 0, estimate)

    def most(self, rows: int) -> int:
        """How many rows may be read at once, out of so many."""
        return min(rows, self._rate) if self._rate else rows

    def passed(self, rows: int) -> None:
        """Note that rows are done, and wait as long as the rate asks for."""
        self.rows += rows
        self._tell(self._label, self.rows, self._estimate)
        self.read(rows)

    def read(self, rows: int) -> None:
        """Wait as long as the rate asks for after rows were read, for the first time or again."""
        now = time.monotonic()
        if self._rate:
            self._paced_to = max(self._paced_to, now) + rows / self._rate
        if self._stop.wait(max(0.0, self._paced_to - now)):
            raise Interrupted
