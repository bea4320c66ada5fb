"""Key paths: where in the file something is, written as TOML would write it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

Location = tuple[str | int, ...]


def key_path(location: Location, data: Mapping[str, object] | None = None) -> str:
    """Write a location in the file's `data` as a key path.

    A route is named where its name is known and unique, as in `routes."orders".schedule`, else
    (and where the name itself is meant) counted, as in `routes[0].schedule`.
    """
    names = {} if location[2:] == ("name",) else _route_names(data or {})
    parts: list[str] = []
    for position, key in enumerate(location):
        if isinstance(key, str):
            bare = re.fullmatch(r"[A-Za-z0-9_-]+", key)
            parts.append(f".{key if bare else _quoted(key)}")
        elif position == 1 and location[0] == "routes" and key in names:
            parts.append(f".{_quoted(names[key])}")
        else:
            parts.append(f"[{key}]")
    return "".join(parts).removeprefix(".")


def _route_names(data: Mapping[str, object]) -> dict[int, str]:
    routes = data.get("routes")
    if not isinstance(routes, list):
        return {}
    names = [route.get("name") if isinstance(route, dict) else None for route in routes]
    return {
        index: name
        for index, name in enumerate(names)
        if isinstance(name, str) and name and names.count(name) == 1
    }


def _quoted(key: str) -> str:
    return json.dumps(key, ensure_ascii=False)
