"""The command line: one module per command."""

from __future__ import annotations

import sys

from replicator.cli.app import app
from replicator.cli.exits import report


def main() -> None:
    """Run the command that the arguments name, and exit with its code (see `ExitCode`)."""
    try:
        app(prog_name="replicator")
    except Exception as error:  # noqa: BLE001 - every error becomes a message and an exit code
        sys.exit(report(error))
