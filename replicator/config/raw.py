"""The file's data as it is: what can be read of it while other parts are malformed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from replicator.config.keypath import Location


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem at a location of the file's data."""

    location: Location
    message: str
    hint: str = ""


def read_routes(data: Mapping[str, object]) -> dict[int, dict[str, Any]]:
    """Return the routes that are tables, by position."""
    routes = data.get("routes")
    if not isinstance(routes, list):
        return {}
    return {index: route for index, route in enumerate(routes) if isinstance(route, dict)}


def read_table(data: object, *keys: str) -> dict[str, Any]:
    """Return the table at a path of keys; an empty one when there is none."""
    for key in keys:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data if isinstance(data, dict) else {}


def read_strings(table: dict[str, Any], key: str) -> list[tuple[int, str]]:
    """Return the strings of an array, with their positions."""
    values = table.get(key)
    if not isinstance(values, list):
        return []
    return [(index, value) for index, value in enumerate(values) if isinstance(value, str)]
