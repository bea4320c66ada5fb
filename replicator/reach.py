"""Reaching databases for a command, and saying which one could not be reached."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import assert_never

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from replicator import config
from replicator.compose import OpenSource, open_source, table_specs
from replicator.config.errors import ConfigError, Problem, did_you_mean
from replicator.config.keypath import key_path
from replicator.errors import SourceUnavailable, TargetUnavailable, describe
from triggers.errors import TableMissing
from triggers.model import Table


def address(url: URL) -> str:
    """Write where a database is, without user and password."""
    if url.host is None:
        return f"{url.get_backend_name()} {url.database}"
    port = f":{url.port}" if url.port else ""
    return f"{url.get_backend_name()} {url.host}{port}/{url.database}"


def target_address(target: config.Target) -> str:
    """Write where a target is."""
    match target:
        case config.SqlTarget():
            return address(target.url)
        case config.FilesTarget():
            return f"files {target.url}"
        case config.BackupTarget():
            return f"backup {target.path}"
        case config.HandlerTarget():
            return "handlers"
        case _:
            assert_never(target)


def reach_source(settings: config.Config, name: str) -> OpenSource:
    """Connect to a source. `SourceUnavailable` names it, its host, and what failed."""
    source = settings.sources[name]
    place = f"source {name} ({address(source.url)})"
    try:
        return open_source(name, source)
    except SourceUnavailable as error:
        raise SourceUnavailable(f"{place}: {error.message}", error.hint) from error
    except DBAPIError as error:
        raise SourceUnavailable(
            f"{place} cannot be reached: {describe(error)}",
            "look at host, user and password of its URL, and whether the server runs",
        ) from error


@contextmanager
def reach_sources(settings: config.Config, names: list[str]) -> Iterator[list[OpenSource]]:
    """Connect to several sources, all or none, until the block ends."""
    with ExitStack() as stack:
        opened = []
        for name in names:
            source = reach_source(settings, name)
            stack.callback(source.close)
            opened.append(source)
        yield opened


@contextmanager
def named_target(settings: config.Config, name: str) -> Iterator[None]:
    """Make the error of a target that is away say which one it is."""
    try:
        yield
    except TargetUnavailable as error:
        place = f"target {name} ({target_address(settings.targets[name])})"
        raise TargetUnavailable(f"{place}: {error.message}", error.hint) from error


def describe_tables(settings: config.Config, source: OpenSource) -> dict[str, Table]:
    """Read the definitions of a source's tables, by canonical name.

    Raises `ConfigError` that names every table which does not exist, and its key; `TableRefused`
    for the first that cannot be captured.
    """
    tables: dict[str, Table] = {}
    problems: list[Problem] = []
    with source.engine.connect() as connection:
        for spec in table_specs(settings, source.name):
            try:
                table = source.capture.dialect.describe(connection, spec).table
            except TableMissing as missing:
                problems.append(missing_table(settings, source, connection, spec.name, missing))
            else:
                tables[table.name] = table
    if problems:
        raise ConfigError(problems)
    return tables


def missing_table(
    settings: config.Config,
    source: OpenSource,
    connection: Connection,
    name: str,
    missing: TableMissing,
) -> Problem:
    """Say which key of the file names a table that the source does not have."""
    message = f"source {source.name} has no table {name!r}"
    hint = did_you_mean(name, _table_names(source, connection)) or missing.hint
    routes: list[dict[str, object]] = [{"name": route.name} for route in settings.routes]
    for number, route in enumerate(settings.routes):
        if route.source == source.name and name in route.tables:
            place = ("routes", number, "tables", route.tables.index(name))
            return Problem(settings.path, key_path(place, {"routes": routes}), message, hint)
    place_of_options = key_path(("sources", source.name, "tables", name))
    return Problem(settings.path, place_of_options, message, hint)


def _table_names(source: OpenSource, connection: Connection) -> list[str]:
    inspector = sa.inspect(connection)
    if source.capture.dialect.default_schema is None:
        return inspector.get_table_names()
    own = {source.capture.outbox.schema, "information_schema"}
    return [
        f"{schema}.{table}"
        for schema in inspector.get_schema_names()
        if schema not in own
        for table in inspector.get_table_names(schema)
    ]
