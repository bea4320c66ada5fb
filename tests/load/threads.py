"""Threads that write until the block ends."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import Self


class Threads(ABC):
    """So many threads, of which each has a number."""

    def __init__(self, number: int) -> None:
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._write, args=(n,), daemon=True) for n in range(number)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        """Let every thread finish its transaction."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    @abstractmethod
    def _write(self, number: int) -> None:
        """Write until `_stopping` is set."""
