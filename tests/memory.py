"""What a process has in memory."""

from __future__ import annotations

import re
from pathlib import Path


def peak_memory(pid: int | str = "self") -> int | None:
    """The largest resident size of a process so far, in bytes; None when it has ended.

    `ru_maxrss` would count the parent's at the fork.
    """
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    return None if peak is None else int(peak[1]) * 1024
