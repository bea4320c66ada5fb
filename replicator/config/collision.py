"""Files of several tables, routes or targets in one folder: none may overwrite another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from replicator.config.address import FolderUrl, parse_drop_url
from replicator.config.drop_files import DEFAULT_FILE_NAME, snapshot_patterns
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
    snapshots: tuple[NamePattern, NamePattern]  # of files, and of manifests
    folders: list[str]

    def names(self) -> list[str]:
        """The names of one round's files; those of another round differ."""
        return [self._name(self.pattern, table) for table in self.tables]

    def all_names(self) -> list[str]:
        """Those, and the manifest's."""
        manifest = [self._name(self.manifest, "")] if self.manifest is not None else []
        return self.names() + manifest

    def snapshot_names(self) -> list[str]:
        """The names of one snapshot's files; those of another snapshot differ."""
        return [self._name(self.snapshots[0], table) for table in self.tables]

    def all_snapshot_names(self) -> set[str]:
        """Those, and the manifest's, also of a snapshot that begins with a window."""
        files, manifest = self.snapshots
        return {
            self._name(pattern, table, time)
            for time in (_ANY_TIME, _ANY_WINDOW.start.replace(tzinfo=None).isoformat())
            for pattern, tables in ((files, self.tables), (manifest, [""]))
            for table in tables
        }

    def _name(self, pattern: NamePattern, table: str, time: str = _ANY_TIME) -> str:
        return pattern.name(
            table=table,
            route=self.route,
            batch=1,
            first_batch=1,
            captured_at=time,
            window=_ANY_WINDOW,
            op="I",
        )


def colliding_files(data: Mapping[str, object], folder: Path) -> Iterator[Finding]:
    """Yield at most one problem for each files target."""
    deliveries = list(_deliveries(data, folder))
    told: set[str] = set()
    for delivery in deliveries:
        key, found = "name", _collision(delivery, deliveries)
        if found is None:
            key, found = "snapshot_name", _snapshot_collision(delivery, deliveries)
        if found is not None and delivery.target not in told:
            told.add(delivery.target)
            yield Finding(("targets", delivery.target, key), *found)


def _snapshot_collision(delivery: _Delivery, deliveries: list[_Delivery]) -> tuple[str, str] | None:
    found = _same_names(delivery.snapshot_names(), delivery.snapshots[0])
    if found is not None:
        return found
    for other in deliveries:
        if not set(other.folders) & set(delivery.folders):
            continue
        names = delivery.all_snapshot_names()
        if names & set(other.all_names()):
            return "files of snapshots get the names of other files", "choose other names"
        if other is not delivery and names & other.all_snapshot_names():
            hint = "give each a `snapshot_name` and a `snapshot_manifest` of its own"
            return "snapshots of two deliveries get one name", hint
    return None


def _same_names(names: list[str], pattern: NamePattern) -> tuple[str, str] | None:
    if len(set(names)) == len(names):
        return None
    by_table = "table" in pattern.fields
    hint = "give them other names with `into`" if by_table else "put {table} into it"
    return "files of two tables get one name", hint


def _collision(delivery: _Delivery, deliveries: list[_Delivery]) -> tuple[str, str] | None:
    found = _same_names(delivery.names(), delivery.pattern)
    if found is not None:
        return found
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
            snapshots = snapshot_patterns(
                str(pattern),
                settings.get("snapshot_name"),
                settings.get("snapshot_manifest"),
                str(settings.get("manifest_format", "json")),
            )
        except (InvalidValue, ValueError, TypeError):
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
                    snapshots=snapshots,
                    folders=folders,
                )
