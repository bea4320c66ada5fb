"""Names of generated triggers and functions: stable, readable, and within the engine's limit."""

from __future__ import annotations

import hashlib
import re

PREFIX = "outbox"


def generated_name(table: str, purpose: str, *, limit: int = 60) -> str:
    """Name an object that is generated for a table.

    Two tables never share a name, however long or alike theirs are: the name carries a hash of
    the whole table name. `limit` counts bytes; the result is plain ASCII.
    """
    digest = hashlib.sha256(table.encode()).hexdigest()[:10]
    readable = re.sub(r"[^a-z0-9]+", "_", table.lower()).strip("_")
    room = limit - len(PREFIX) - len(purpose) - len(digest) - 3
    return "_".join(part for part in (PREFIX, purpose, readable[:room].strip("_"), digest) if part)


def is_generated(name: str) -> bool:
    """Tell whether a name was generated, for whatever table: a renamed one keeps its triggers."""
    return re.fullmatch(rf"{PREFIX}_[a-z0-9_]+_[0-9a-f]{{10}}", name) is not None
