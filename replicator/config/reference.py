"""Checks across the file: names that must be known, unique, or kept apart.

They read the file's data as it is, so that they find what is wrong even while other keys are
malformed; those are the models' to report and passed over here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from replicator.config.collision import colliding_files
from replicator.config.errors import did_you_mean
from replicator.config.handler import DEFAULT
from replicator.config.raw import Finding, read_routes, read_strings, read_table


def find_problems(data: Mapping[str, object], folder: Path) -> Iterator[Finding]:
    """Yield what is wrong between sources, targets and routes; relative paths are in `folder`."""
    routes = read_routes(data)
    yield from _repeated_names(routes)
    for index, route in routes.items():
        yield from _unknown_names(data, index, route)
        yield from _foreign_tables(index, route, "into")
        yield from _foreign_tables(index, route, "handlers")
        yield from _foreign_tables(index, route, "columns")
        yield from _foreign_tables(index, route, "where")
        yield from _missing_handlers(data, index, route)
    yield from _unrouted_tables(data, routes)
    yield from _file_columns(data, routes)
    yield from colliding_files(data, folder)


def _repeated_names(routes: dict[int, dict[str, Any]]) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for index, route in routes.items():
        name = route.get("name")
        if isinstance(name, str) and first.setdefault(name, index) != index:
            location = ("routes", index, "name")
            yield Finding(location, f"{name!r} is already the name of routes[{first[name]}]")


def _unknown_names(
    data: Mapping[str, object], index: int, route: dict[str, Any]
) -> Iterator[Finding]:
    source, sources = route.get("source"), read_table(data, "sources")
    if isinstance(source, str) and source not in sources:
        location = ("routes", index, "source")
        yield Finding(location, f"unknown source {source!r}", _offer(source, sources))
    targets = read_table(data, "targets")
    for position, target in read_strings(route, "targets"):
        if target not in targets:
            yield Finding(
                ("routes", index, "targets", position),
                f"unknown target {target!r}",
                _offer(target, targets),
            )


def _foreign_tables(index: int, route: dict[str, Any], key: str) -> Iterator[Finding]:
    tables = [table for _, table in read_strings(route, "tables")]
    for table in read_table(route, key):
        if table not in tables:
            hint = _offer(table, tables)
            yield Finding(("routes", index, key, table), "not one of the route's tables", hint)


def _missing_handlers(
    data: Mapping[str, object], index: int, route: dict[str, Any]
) -> Iterator[Finding]:
    """A target of type handler writes nothing by itself."""
    handlers = read_table(route, "handlers")
    for position, target in read_strings(route, "targets"):
        if read_table(data, "targets", target).get("type") != "handler":
            continue
        for _, table in read_strings(route, "tables"):
            if handlers.get(table, route.get("handler", DEFAULT)) == DEFAULT:
                yield Finding(
                    ("routes", index, "targets", position),
                    f"table {table!r} has no handler, which target {target!r} needs",
                    'set `handler` to "python:..." or "exec:..."',
                )


def _unrouted_tables(
    data: Mapping[str, object], routes: dict[int, dict[str, Any]]
) -> Iterator[Finding]:
    """Options of a table that no route takes are a misspelt name: they would have no effect."""
    sources = read_table(data, "sources")
    if any(str(route.get("source")) not in sources for route in routes.values()):
        return  # the route that takes it may be the one whose source is misspelt
    for name, source in sources.items():
        taken = {
            table
            for route in routes.values()
            if route.get("source") == name
            for _, table in read_strings(route, "tables")
        }
        for table in read_table(source, "tables"):
            if taken and table not in taken:
                location = ("sources", name, "tables", table)
                yield Finding(location, "no route takes this table", _offer(table, taken))


def _file_columns(
    data: Mapping[str, object], routes: dict[int, dict[str, Any]]
) -> Iterator[Finding]:
    """Columns of a table that no route sends there have no effect; fixed width needs them all."""
    for name in read_table(data, "targets"):
        target = read_table(data, "targets", name)
        taken = {
            table
            for route in routes.values()
            if name in (target for _, target in read_strings(route, "targets"))
            for _, table in read_strings(route, "tables")
        }
        columns = read_table(target, "columns")
        for table in columns:
            if taken and table not in taken:
                location = ("targets", name, "columns", table)
                yield Finding(location, "no route sends this table here", _offer(table, taken))
        if read_table(target, "format").get("type") == "fixed":
            for table in sorted(taken - columns.keys()):
                hint = f'[targets.{name}.columns."{table}"], with a width for each'
                yield Finding(("targets", name), f"table {table!r} needs columns", hint)


def _offer(word: str, known: Collection[str]) -> str:
    return did_you_mean(word, known) or f"known: {', '.join(sorted(known)) or 'none'}"
