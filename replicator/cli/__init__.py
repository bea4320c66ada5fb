"""The command line: one module per command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command that the arguments name, and exit with its code (see `ExitCode`)."""
    try:
        # Imported here, so that Ctrl-C while the program loads is no traceback either.
        from replicator.cli.app import app
        from replicator.cli.exits import report

        try:
            app(prog_name="replicator")
        except Exception as error:  # noqa: BLE001 - each becomes a message and an exit code
            sys.exit(report(error))
    except KeyboardInterrupt:
        sys.exit(130)
