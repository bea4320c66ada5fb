"""Measuring one piece of work in a process of its own, and comparing several."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from tests.memory import peak_memory


@dataclass(slots=True)
class Measured:
    """What a piece of work took. All times in seconds."""

    seconds: float
    cpu: float
    peak_mb: float
    with_start: float = 0.0  # from before Python started until the process had ended


@contextmanager
def reporting() -> Iterator[None]:
    """Measure the work inside, in the process that does it, and print the result for `run`."""
    began, cpu = time.perf_counter(), time.process_time()
    yield
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    print(json.dumps(asdict(Measured(seconds, cpu, _peak_mb()))))


def run(module: str, *arguments: str) -> Measured:
    """Run a module that uses `reporting`, in a process of its own."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], check=True, stdout=subprocess.PIPE, text=True
    )
    measured = Measured(**json.loads(done.stdout.splitlines()[-1]))
    measured.with_start = time.perf_counter() - began
    return measured


def medians(several: Sequence[Measured]) -> Measured:
    """Return the median of each figure."""
    return Measured(
        seconds=median(m.seconds for m in several),
        cpu=median(m.cpu for m in several),
        peak_mb=median(m.peak_mb for m in several),
        with_start=median(m.with_start for m in several),
    )


def machine() -> str:
    """Describe where all this runs."""
    cores = len(os.sched_getaffinity(0))
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    name = model[1] if model else platform.machine()
    load = os.getloadavg()[0]
    return f"{cores} cores ({name}), Python {platform.python_version()}, load before {load:.1f}"


def _peak_mb() -> float:
    peak = peak_memory()
    assert peak is not None
    return peak / (1 << 20)
