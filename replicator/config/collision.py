"""Files of several tables, routes or targets in one folder: none may overwrite another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from replicator.config.address import FolderUrl, parse_drop_url
from replicator.config.drop_files import DEFAULT_FILE_NAME
from replicator.config.errors import InvalidValue
from replicator.config.raw import Finding, read_routes, read_strings, read_table
from replicator.pipeline.contract import Window
from replicator.targets.files.names import NamePattern

_ANY_TIME = "2026-01-31T13:14:15"
_ANY_WINDOW = Window(datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class _Delivery:
    """A route to a files target."""

    target: str
    route: str
    tables: list[str]  # as the route's `into` has them
    pattern: NamePattern
    manifest: NamePattern | None
    folders: list[str]

    def names(self) -> list[str]:
        """The names of one round's files; those of another round differ."""
        return [self._name(self.pattern, table) for table in self.tables]

    def all_names(self) -> list[str]:
        """Those, and the manifest's."""
        manifest = [self._name(self.manifest, "")] if self.manifest is not None else []
        return self.names() + manifest

    def _name(self, pattern: NamePattern, table: str) -> str:
        return pattern.name(
            table=table,
            route=self.route,
            batch=1,
            first_batch=1,
            captured_at=_ANY_TIME,
            window=_ANY_WINDOW,
            op="I",
        )


def colliding_files(data: Mapping[str, object], folder: Path) -> Iterator[Finding]:
    """Yield at most one problem for each files target."""
    deliveries = list(_deliveries(data, folder))
    told: set[str] = set()
    for delivery in deliveries:
        found = _collision(delivery, deliveries)
        if found is not None and delivery.target not in told:
            told.add(delivery.target)
            yield Finding(("targets", delivery.target, "name"), *found)


def _collision(delivery: _Delivery, deliveries: list[_Delivery]) -> tuple[str, str] | None:
    names = delivery.names()
    if len(set(names)) < len(names):
        by_table = "table" in delivery.pattern.fields
        hint = "give them other names with `into`" if by_table else "put {table} into it"
        return "files of two tables get one name", hint
    for other in deliveries:
        if other is delivery or not set(other.folders) & set(delivery.folders):
            continue
        if other.route != delivery.route and "route" not in delivery.pattern.fields:
            return "files of two routes go to one folder", "put {route} into it"
        manifest = delivery.manifest
        if other.route != delivery.route and manifest and "route" not in manifest.fields:
            return "manifests of two routes go to one folder", "put {route} into `manifest`"
        if set(other.all_names()) & set(delivery.all_names()):
            return "files of two deliveries get one name", "give each a folder of its own"
    return None


def _deliveries(data: Mapping[str, object], folder: Path) -> Iterator[_Delivery]:
    routes = read_routes(data)
    for target in read_table(data, "targets"):
        settings = read_table(data, "targets", target)
        pattern = settings.get("name", DEFAULT_FILE_NAME)
        url, local_copy = settings.get("url"), settings.get("local_copy")
        if settings.get("type") != "files" or not isinstance(url, str):
            continue
        try:
            place = parse_drop_url(url, folder)
            made = NamePattern(str(pattern))
            listed = settings.get("manifest")
            manifest = NamePattern(str(listed)) if listed is not None else None
        except (InvalidValue, ValueError):
            continue
        folders = [str(place.path.resolve() if isinstance(place, FolderUrl) else place)]
        if isinstance(local_copy, str):
            folders.append(str((folder / local_copy).resolve()))
        for index, route in routes.items():
            if target in (name for _, name in read_strings(route, "targets")):
                into = read_table(route, "into")
                yield _Delivery(
                    target=target,
                    route=str(route.get("name", index)),
                    tables=[str(into.get(t, t)) for _, t in read_strings(route, "tables")],
                    pattern=made,
                    manifest=manifest,
                    folders=folders,
                )
