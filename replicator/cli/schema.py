"""`replicator schema`."""

from __future__ import annotations

import sys

from replicator.config.schema import schema_text


def schema() -> None:
    """Print the JSON Schema of the configuration file, for editors that complete and check.

    Example: replicator schema > replicator.schema.json
    """
    sys.stdout.write(schema_text())
