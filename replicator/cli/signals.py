"""Stopping in good order: the first signal asks, the second one does not wait."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

from replicator.cli.exits import ExitCode

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.2


def run_until_stopped(action: Callable[[threading.Event], Any]) -> Any:
    """Call `action(stop)` and return what it returns; SIGTERM and Ctrl-C set `stop`.

    A second signal ends the process at once. The action runs in a thread of its own, because a
    signal's handler may not set an event that the interrupted code itself is just using.
    """
    stop = threading.Event()
    results: list[Any] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(action(stop))
        except BaseException as error:  # noqa: BLE001 - raised again below, by the main thread
            errors.append(error)

    def ask(_number: int, _frame: object) -> None:
        if stop.is_set():
            os._exit(ExitCode.INTERRUPTED)
        stop.set()

    previous = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    worker = threading.Thread(target=work, name="service", daemon=True)
    try:
        worker.start()
        told = False
        while worker.is_alive():
            worker.join(_LOOK_SECONDS)
            if stop.is_set() and not told and worker.is_alive():
                told = True
                log.info("stopping")
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    if errors:
        raise errors[0]
    return results[0]
