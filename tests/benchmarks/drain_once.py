"""One `replicator run --once` with a given configuration, measured from the start of sealing."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from replicator import config, service
from tests.benchmarks.measuring import reporting


def main() -> None:
    """Deliver everything, or fail."""
    settings = config.load(Path(sys.argv[1]))
    with reporting():
        results = service.run_once(settings, threading.Event())
    for result in results:
        if result.error is not None:
            raise result.error


if __name__ == "__main__":
    main()
