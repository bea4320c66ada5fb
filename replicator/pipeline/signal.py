"""Telling deliveries of one source, inside one process, that a batch was sealed."""

from __future__ import annotations

import threading


class BatchSignal:
    """Counts sealed batches; a reader waits until the count moves."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = threading.Condition()

    def count(self) -> int:
        """Return the count, to be handed to `wait` after having looked for batches."""
        with self._changed:
            return self._count

    def wake(self) -> None:
        """Make every waiting reader look."""
        with self._changed:
            self._count += 1
            self._changed.notify_all()

    def wait(self, seen: int, timeout: float) -> None:
        """Wait until the count is no longer `seen`, for at most `timeout` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._count != seen, timeout)
