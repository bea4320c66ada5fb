"""Everything that can be found out before, or while, changes are delivered."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from sqlalchemy.exc import DBAPIError

from replicator import config
from replicator.compose import (
    OpenSource,
    delivery_names,
    route_transforms,
    sources_in_use,
    table_specs,
)
from replicator.config.address import FolderUrl
from replicator.config.keypath import key_path
from replicator.errors import DeliveryStopped, SourceUnavailable, TargetUnavailable, describe
from replicator.handlers.assigned import find_handler
from replicator.reach import missing_table, reach_source, target_address
from replicator.status import read_source
from replicator.targets.files.store import open_store
from replicator.targets.sql import Pair, type_pairs
from replicator.targets.sql import problems as target_problems
from triggers.capture import State
from triggers.errors import CaptureError, TableMissing, TableRefused
from triggers.model import Table

Level = Literal["problem", "warning", "could not check"]

_LEVELS: dict[str, Level] = {
    "problem": "problem",
    "warning": "warning",
    "unknown": "could not check",
}


Seen = dict[tuple[str, str], Mapping[str, Table | None]]
"""A delivery's (route, target) tables as its target is to see them; None where that is not known.
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that `check` tells."""

    level: Level
    place: str
    """The part of the configuration that it is about: `source shop`, `target crm`, a key."""
    subject: str
    message: str
    remedy: str = ""
    """The exact statement that mends it, or what to do."""
    cause: Literal["configuration", "unreachable"] | None = None


@dataclass(frozen=True, slots=True)
class TypePair:
    """What becomes of the values of one column on its way to one target."""

    route: str
    target: str
    table: str
    column: str
    source_type: str
    target_type: str
    fit: Literal["exact", "converted", "refused"]
    note: str
    """How values are converted, or why they are refused."""
    limits: str
    """Values of the source's type that the target cannot hold."""

    @property
    def plain(self) -> bool:
        """Whether every value arrives as it is; NUL, which text hardly ever holds, left aside."""
        return self.fit == "exact" and self.limits in ("", "NUL")


def find(settings: config.Config, types: list[TypePair] | None = None) -> Iterator[Finding]:
    """Yield what is wrong, or could be, with sources first; changes nothing.

    Drops on servers are tried with a small hidden file.

    `types` is filled with all pairs of columns that are found.
    """
    types = [] if types is None else types
    tables: dict[str, dict[str, Table]] = {}
    seen: Seen = {}
    used = sources_in_use(settings)
    for name in settings.sources:
        if name not in used:
            yield Finding("warning", f"source {name}", "", "no route uses it")
            continue
        tables[name] = {}
        try:
            source = reach_source(settings, name)
        except SourceUnavailable as error:
            yield _unreachable(f"source {name}", error)
            continue
        try:
            yield from _source(settings, source, tables[name])
            yield from _transforms(settings, source, tables[name], seen)
        except CaptureError as error:
            yield Finding("problem", f"source {name}", "", error.message, error.hint)
        except DBAPIError as error:
            yield Finding("could not check", f"source {name}", "", describe(error))
        finally:
            source.close()
    for name, target in settings.targets.items():
        yield from _target(settings, name, target, tables, seen, types)
    for route in settings.routes:
        yield from _handlers(route)


def _source(
    settings: config.Config, source: OpenSource, tables: dict[str, Table]
) -> Iterator[Finding]:
    place = f"source {source.name}"
    specs = table_specs(settings, source.name)
    usable = []
    with source.engine.connect() as connection:
        for spec in specs:
            try:
                table = source.capture.dialect.describe(connection, spec).table
            except TableMissing as missing:
                problem = missing_table(settings, source, connection, spec.name, missing)
                where = f"{problem.path}: {problem.key}"
                yield Finding("problem", where, "", problem.message, problem.hint, "configuration")
            except TableRefused as refused:
                yield Finding("problem", place, spec.name, refused.message, refused.hint)
            else:
                tables[table.name] = table
                usable.append(spec)
    for found in source.capture.coverage(usable):
        level = _LEVELS[found.level]
        yield Finding(level, place, found.subject, found.message, found.remedy)
    for status in source.capture.status(usable):
        if status.state is State.LEFT_OVER:
            if any(status.table == source.capture.dialect.canonical(spec.name) for spec in specs):
                continue  # told already: the table itself is missing or refused
            remedy = f"replicator triggers uninstall --table {status.table}"
            yield Finding("warning", place, status.table, "; ".join(status.reasons), remedy)
        elif status.state is not State.INSTALLED:
            message = f"capture is {status.state}: {'; '.join(status.reasons)}"
            yield Finding("problem", place, status.table, message, "replicator triggers install")
    for unknown in read_source(settings, source).unknown_deliveries:
        yield Finding(
            "warning",
            place,
            f"{unknown.route}/{unknown.target}",
            "this delivery is not in the configuration, and holds purge back",
            unknown.remedy,
        )


def _transforms(
    settings: config.Config, source: OpenSource, tables: dict[str, Table], seen: Seen
) -> Iterator[Finding]:
    """Try every route's transforms on the source; `seen` is filled with what comes out."""
    told: set[tuple[str, str]] = set()
    names = [{"name": route.name} for route in settings.routes]
    for name in delivery_names(settings, source.name):
        transforms = route_transforms(settings, source.capture, name)
        number, route = next(
            both for both in enumerate(settings.routes) if both[1].name == name.route
        )
        configured = {source.capture.dialect.canonical(table): table for table in route.tables}
        wanted = {table: tables[table] for table in configured if table in tables}
        try:
            problems = transforms.resolve(wanted)
        except (TargetUnavailable, DeliveryStopped):  # which the target's own check tells
            problems = replace(transforms, target_keys=lambda _tables: {}).resolve(wanted)
        failed = {problem.table for problem in problems}
        seen[name.route, name.target] = {
            table: None if table in failed else found
            for table, found in transforms.seen(wanted).items()
        }
        for problem in problems:
            key = key_path(
                ("routes", number, *problem.place(configured[problem.table])), {"routes": names}
            )
            if (key, problem.message) not in told:
                told.add((key, problem.message))
                place = f"{settings.path}: {key}"
                yield Finding("problem", place, "", problem.message, problem.remedy)


def _target(
    settings: config.Config,
    name: str,
    target: config.Target,
    tables: dict[str, dict[str, Table]],
    seen: Seen,
    types: list[TypePair],
) -> Iterator[Finding]:
    place = f"target {name}"
    routes = [route for route in settings.routes if name in route.targets]
    if not routes:
        yield Finding("warning", place, "", "no route uses it")
        return
    match target:
        case config.SqlTarget():
            yield from _database(name, target, routes, tables, seen, types)
        case config.FilesTarget():
            yield from _drop(place, target)
            if target.local_copy is not None:
                yield from _folder(place, target.local_copy)
        case config.BackupTarget():
            yield from _folder(place, target.path)
        case config.HandlerTarget():
            pass


def _database(
    name: str,
    target: config.SqlTarget,
    routes: list[config.Route],
    tables: dict[str, dict[str, Table]],
    seen: Seen,
    types: list[TypePair],
) -> Iterator[Finding]:
    place = f"target {name}"
    url = target.connection_url()
    file = Path(url.database or "")
    if url.get_backend_name() == "sqlite" and not file.exists():
        yield Finding(
            "problem", place, "", f"there is no file {file}", "replicator tables create makes it"
        )
        return
    told: set[tuple[str, str]] = set()
    for route in routes:
        known = tables.get(route.source, {})
        # The tables' canonical names differ from the route's on PostgreSQL, where `public` may be
        # left out.
        wanted = {table: _named(table, known) for table in route.own_tables()}
        into = {
            found.name: route.into[t] for t, found in wanted.items() if found and t in route.into
        }
        transformed = seen.get((route.name, name), {})
        present = [
            table
            for found in wanted.values()
            if found is not None and (table := transformed.get(found.name, found)) is not None
        ]
        try:
            found = target_problems(present, into, url)
            types += [_type_pair(route.name, name, pair) for pair in type_pairs(present, into, url)]
        except TargetUnavailable as error:
            where = f"{place} ({target_address(target)})"
            yield _unreachable(place, TargetUnavailable(f"{where}: {error.message}", error.hint))
            return
        except DeliveryStopped as error:
            yield Finding("problem", place, "", error.message, error.hint)
            return
        for problem in found:
            if (problem.message, problem.mend) not in told:
                told.add((problem.message, problem.mend))
                allowed = problem.is_new_column and route.schema_changes != "stop"
                level: Level = "warning" if allowed else "problem"
                yield Finding(level, place, problem.table, problem.message, problem.mend)


def _type_pair(route: str, target: str, pair: Pair) -> TypePair:
    conversion = pair.conversion
    return TypePair(
        route=route,
        target=target,
        table=pair.table,
        column=pair.column.name,
        source_type=pair.column.native,
        target_type=pair.target.type,
        fit=conversion.fit.value,
        note=conversion.note,
        limits=conversion.limits,
    )


def _named(name: str, tables: dict[str, Table]) -> Table | None:
    return tables.get(name) or tables.get(f"public.{name}")


def _handlers(route: config.Route) -> Iterator[Finding]:
    """Look for the handlers' programs; Python modules are imported."""
    for program in dict.fromkeys(map(route.handler_of, route.tables)):
        if program is None:
            continue
        try:
            find_handler(program)
        except DeliveryStopped as error:
            yield Finding("problem", f"route {route.name}", "", error.message, error.hint)


def _drop(place: str, target: config.FilesTarget) -> Iterator[Finding]:
    """A file is put on a server, renamed and deleted: less would not show what it permits."""
    if isinstance(target.url, FolderUrl):
        yield from _folder(place, target.url.path)
        return
    if target.url.scheme == "ftp":
        message = "plain FTP: password and files can be read, and changed, on their way"
        yield Finding("warning", place, "", message, "write ftps:// or sftp://")
    store = open_store(target.store_settings())
    try:
        store.probe()
    except TargetUnavailable as error:
        yield _unreachable(place, error)
    except DeliveryStopped as error:
        yield Finding("problem", place, "", error.message, error.hint)
    finally:
        store.close()


def _folder(place: str, path: Path) -> Iterator[Finding]:
    existing = path
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir():
        message, remedy = f"{existing} is a file, not a folder", f"mv {existing} {existing}.old"
    elif not os.access(existing, os.W_OK | os.X_OK):
        message = f"the folder {existing} cannot be written by the user who runs this program"
        remedy = f"chmod u+wx '{existing}', or run it as the owner"
    else:
        return
    yield Finding("problem", place, str(path), message, remedy)


def _unreachable(place: str, error: SourceUnavailable | TargetUnavailable) -> Finding:
    return Finding("could not check", place, "", error.message, error.hint, "unreachable")
