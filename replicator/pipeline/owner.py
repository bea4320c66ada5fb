"""Who holds a delivery's lease: a process, named so that others can tell whether it still runs."""

from __future__ import annotations

import os
import secrets
import socket


def this_process() -> str:
    """Name this process: host, process number, and a word of its own."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def is_gone(owner: str) -> bool:
    """Tell whether the process is known to have ended: it was on this host, and is there no more.

    A process on another host counts as running; its lease runs out by itself.
    """
    host, number, _word = owner.rsplit(":", 2)
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return int(number) == os.getpid()
