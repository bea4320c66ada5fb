"""One `replicator snapshot` of the only route of a configuration, measured in its process."""

from __future__ import annotations

import sys

from replicator.cli.app import app
from tests.benchmarks.measuring import reporting


def main() -> None:
    """Copy everything, or fail."""
    with reporting():
        code = app(["snapshot", "all", "--config", sys.argv[1]], standalone_mode=False)
    if code:
        raise SystemExit(code)


if __name__ == "__main__":
    main()
