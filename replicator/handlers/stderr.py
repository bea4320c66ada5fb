"""What a handler program writes to its standard error: into the log, within bounds."""

from __future__ import annotations

import logging
import os
import selectors
import threading
import time
from typing import IO

LONGEST_TEXT = 500
"""Characters of a line that are kept."""

LINES = 50
SECONDS = 10.0
"""So many lines of a program are logged in so much time; the others are counted."""

LOOK_SECONDS = 0.5


def log_lines(pipe: IO[bytes], log: logging.Logger, closed: threading.Event) -> None:
    """Log what comes through a pipe until it ends, or `closed` is set and nothing more is there.

    Reads on whatever comes, so that the program never waits for its messages to be read.
    """
    lines = _Lines(log)
    with pipe, selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            last = closed.is_set()
            if selector.select(0 if last else LOOK_SECONDS):
                data = os.read(pipe.fileno(), 1 << 16)
                lines.add(data)
                last = last or not data
            if last:
                break
    lines.end()


def clean(text: bytes | str) -> str:
    """Return a program's text fit for a log: one line, nothing but printable characters."""
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    cut = text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}..."
    return "".join(letter if letter.isprintable() else " " for letter in cut).strip()


class _Lines:
    """Collects lines, and logs them within bounds."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._begun = b""
        self._since = time.monotonic()
        self._logged = self._left_out = 0

    def add(self, data: bytes) -> None:
        *lines, self._begun = (self._begun + data).split(b"\n")
        self._begun = self._begun[: 4 * LONGEST_TEXT]  # a line without end
        for line in lines:
            self._tell(line)

    def end(self) -> None:
        if self._begun:
            self._tell(self._begun)
        self._tell_left_out()

    def _tell(self, line: bytes) -> None:
        if time.monotonic() - self._since > SECONDS:
            self._tell_left_out()
            self._since, self._logged = time.monotonic(), 0
        if self._logged < LINES:
            self._logged += 1
            self._log.info("%s", clean(line))
        else:
            self._left_out += 1

    def _tell_left_out(self) -> None:
        if self._left_out:
            self._log.warning("%d more lines of the handler program left out", self._left_out)
        self._left_out = 0
