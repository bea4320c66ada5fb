"""Noticing that columns of a source's tables, or the capture of them, have changed."""

from __future__ import annotations

import threading

from triggers.capture import Capture


class SchemaWatch:
    """Counts the changes of the captured tables of one source; safe to share between threads."""

    def __init__(self, capture: Capture) -> None:
        self._capture = capture
        self._lock = threading.Lock()
        self._stamp: object = None
        self.version = 0
        """How often a look has found something changed."""

    def look(self) -> int:
        """Look at the catalogue and at the records of capture; return the version now."""
        with self._lock:
            stamp = self._capture.stamp()
            if stamp != self._stamp:
                self._stamp = stamp
                self.version += 1
            return self.version
