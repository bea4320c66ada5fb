"""Waiting for something that happens by itself, instead of sleeping and hoping."""

from __future__ import annotations

import time
from collections.abc import Callable

_LOOK_EVERY = 0.02


def wait_until(condition: Callable[[], object], seconds: float, what: str = "") -> None:
    """Return as soon as `condition()` is true; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what or condition}")
        time.sleep(_LOOK_EVERY)
