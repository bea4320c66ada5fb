"""The commented configuration that `replicator init` writes."""

from __future__ import annotations

from pathlib import Path


def starter_text() -> str:
    """Return the starter file's text: the installed copy, or the one in this source tree."""
    here = Path(__file__).parent
    installed = here / "starter.toml"
    in_tree = here.parents[1] / "config" / "replicator.starter.toml"
    return (installed if installed.exists() else in_tree).read_text(encoding="utf-8")
