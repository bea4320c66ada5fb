"""SQL templates: one `.sql` file per engine, cut into named sections.

A section begins with `-- name: <name>`; `${word}` marks what the dialect fills in. Fixed text
stays in the files, where a DBA can read it; code fills in only quoted identifiers, literals and
lists of expressions.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from string import Template


@cache
def _sections(engine: str) -> dict[str, Template]:
    text = files("triggers").joinpath("sql", f"{engine}.sql").read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)[1:]
    return {
        name: Template(body.strip()) for name, body in zip(parts[::2], parts[1::2], strict=True)
    }


def render(engine: str, section: str, **values: str) -> str:
    """Fill in one section; `KeyError` when a value or the section is missing."""
    return _sections(engine)[section].substitute(values)
