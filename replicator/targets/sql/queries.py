"""Fixed SQL: one `queries.sql` per engine, cut into named sections (`-- name: <name>`)."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files


@cache
def _sections(engine: str) -> dict[str, str]:
    path = files("replicator.targets.sql").joinpath(engine, "queries.sql")
    text = path.read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)[1:]
    return {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}


def query(engine: str, name: str) -> str:
    """One statement, with the placeholders of the engine's driver."""
    return _sections(engine)[name]
