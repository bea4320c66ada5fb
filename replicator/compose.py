"""The one place that knows every part: builds targets and sources out of a configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import assert_never

from sqlalchemy import Connection, Engine, NullPool

from replicator import config
from replicator.config.keypath import key_path
from replicator.config.schedule import Realtime
from replicator.errors import SourceUnavailable
from replicator.handlers.assigned import Handlers
from replicator.handlers.target import HandledTarget, HandlersOnly
from replicator.pipeline.batches import Batches
from replicator.pipeline.contract import DeliveryName, Target
from replicator.pipeline.deliveries import Deliveries
from replicator.pipeline.delivery import Delivery
from replicator.pipeline.schema import Schema
from replicator.pipeline.sealing import Sealer
from replicator.pipeline.signal import BatchSignal
from replicator.pipeline.source import SealLoop, Watch
from replicator.schema.captured import CapturedSchema
from replicator.schema.followed import FollowedSchema
from replicator.schema.watch import SchemaWatch
from replicator.snapshot.copying import TableCopies
from replicator.snapshot.letters import Letters
from replicator.snapshot.record import Copies
from replicator.sources import open_pages, open_reader
from replicator.sources.lookup import open_lookup
from replicator.targets.backup import BackupTarget
from replicator.targets.files import FilesTarget
from replicator.targets.files.layout import DropLayout
from replicator.targets.files.names import safe_name
from replicator.targets.files.snapshot import Snapshots
from replicator.targets.files.store import open_store
from replicator.targets.files.window import TimeWindows
from replicator.targets.sql import SqlTarget, target_keys
from replicator.transform import RouteTransforms, Transform
from triggers.capture import Capture
from triggers.engine import make_engine
from triggers.model import Table, TableSpec

Keys = Mapping[str, Sequence[Sequence[str]]]


@dataclass
class OpenSource:
    """A source that was reached: its engine, its capture, and the signal of new batches."""

    name: str
    settings: config.Source
    engine: Engine
    capture: Capture
    watch: SchemaWatch
    new_batch: BatchSignal = field(default_factory=BatchSignal)

    def sealer(self) -> Sealer:
        """Return a sealer for this source."""
        capture = self.capture
        return Sealer(self.engine, capture.outbox, capture.dialect, self.settings.batch_rows)

    def seal_all(self) -> int:
        """Seal everything that is visible now; return the last batch."""
        sealer = self.sealer()
        try:
            last = sealer.seal_all()
        finally:
            sealer.close()
        self.new_batch.wake()
        return last

    def seal_loop(self, stop: Event) -> SealLoop:
        """Return the loop that seals this source's changes."""
        watch = Watch(self.engine, self.capture.outbox)
        return SealLoop(self.name, watch, self.sealer(), self.new_batch, stop)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def source_engine(settings: config.Source) -> Engine:
    """Return an engine for a source; it connects when it is first used."""
    return make_engine(
        settings.connection_url(), hide_parameters=True, pool_size=4, max_overflow=-1
    )


def open_source(name: str, settings: config.Source) -> OpenSource:
    """Connect to a source. Raises SQLAlchemy's errors when it cannot be reached.

    A SQLite file that does not exist is not created: `SourceUnavailable`.
    """
    engine = source_engine(settings)
    if engine.dialect.name == "sqlite" and not Path(engine.url.database or "").exists():
        raise SourceUnavailable(f"there is no file {engine.url.database}")
    try:
        with engine.connect():
            pass
        capture = Capture(engine, settings.schema_name)
        return OpenSource(name, settings, engine, capture, SchemaWatch(capture))
    except BaseException:
        engine.dispose()
        raise


def table_specs(settings: config.Config, source: str) -> list[TableSpec]:
    """Return the tables of a source that routes ask for, each once, with their capture options."""
    options = settings.sources[source].tables
    names = [name for route in settings.routes if route.source == source for name in route.tables]
    names += options
    specs = []
    for name in dict.fromkeys(names):
        chosen = options.get(name, config.TableOptions())
        key = chosen.key
        specs.append(
            TableSpec(
                name=name,
                before=chosen.before,
                exclude=tuple(chosen.exclude),
                key=key if key is None or isinstance(key, str) else tuple(key),
                origin=chosen.origin,
                always=chosen.always,
            )
        )
    return specs


def sources_in_use(settings: config.Config) -> list[str]:
    """Return the sources that routes take changes from, in the order of the routes."""
    return list(dict.fromkeys(route.source for route in settings.routes))


def delivery_names(settings: config.Config, source: str) -> list[DeliveryName]:
    """Return the deliveries of a source, in the order of the configuration."""
    return [
        DeliveryName(route.name, target)
        for route in settings.routes
        if route.source == source
        for target in route.targets
    ]


def build_target(
    settings: config.Config,
    name: DeliveryName,
    canonical: Callable[[str], str],
    stop: Event | None = None,
) -> Target:
    """Make a delivery's target. `canonical` gives the source's name for a table."""
    handlers = _handlers(settings, name, canonical, stop)
    target = _own_target(settings, name, canonical, handlers)
    if handlers is None or target.keeps_progress:
        return target
    return HandledTarget(target, handlers)


def _handlers(
    settings: config.Config,
    name: DeliveryName,
    canonical: Callable[[str], str],
    stop: Event | None,
) -> Handlers | None:
    route = settings.route(name.route)
    programs = {table: route.handler_of(table) for table in route.tables}
    if not any(programs.values()):
        return None
    source = settings.sources[route.source]

    def look_up() -> Connection:
        url = source.connection_url()
        return open_lookup(make_engine(url, poolclass=NullPool, hide_parameters=True))

    return Handlers(
        name,
        {canonical(table): program for table, program in programs.items() if program is not None},
        look_up=look_up,
        seconds=route.handler_timeout,
        stop=stop,
    )


def _own_target(
    settings: config.Config,
    name: DeliveryName,
    canonical: Callable[[str], str],
    handlers: Handlers | None,
) -> Target:
    route = settings.route(name.route)
    target = settings.targets[name.target]
    into = route.target_names(canonical)
    match target:
        case config.SqlTarget():
            return SqlTarget(
                target.connection_url(),
                name,
                route.source,
                into,
                unfit=target.unfit,
                handlers=handlers,
            )
        case config.FilesTarget():
            layout = drop_layout(settings, name.target, canonical)
            return FilesTarget(layout, open_store(target.store_settings()), name, into)
        case config.BackupTarget():
            return BackupTarget(target.path, name, target.rotation(), target.retention())
        case config.HandlerTarget():
            return HandlersOnly()
        case _:
            assert_never(target)


def route_transforms(
    settings: config.Config, capture: Capture, name: DeliveryName
) -> RouteTransforms:
    """Return what a delivery's route makes of its tables."""
    route = settings.route(name.route)
    target = settings.targets[name.target]
    canonical = capture.dialect.canonical
    configured = {canonical(table): table for table in route.tables}
    options = settings.sources[route.source].tables
    into = route.target_names(canonical)

    def keys(tables: Sequence[Table]) -> Keys:
        if not isinstance(target, config.SqlTarget):
            return {}
        url = target.connection_url()
        if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
            return {}  # looking must not make the file
        own = [t for t in tables if route.handler_of(configured[t.name]) is None]
        return target_keys(own, into, url)

    return RouteTransforms(
        capture,
        {
            canonical(table): Transform(route.columns.get(table), route.where.get(table))
            for table in route.tables
            if table in route.columns or table in route.where
        },
        before_full={
            canonical(table) for table, chosen in options.items() if chosen.before == "full"
        },
        remedy=lambda table: (
            f'[{key_path(("sources", route.source, "tables", configured[table]))}]\nbefore = "full"'
        ),
        target_keys=keys,
    )


def target_windows(settings: config.Config, target_name: str) -> TimeWindows | None:
    """Return the windows in which a target gets its changes; None: at any time."""
    target = settings.targets[target_name]
    return target.windows() if isinstance(target, config.FilesTarget) else None


def drop_layout(
    settings: config.Config, target_name: str, canonical: Callable[[str], str]
) -> DropLayout:
    """Return how a files target's drops are made, and where their local copy is."""
    target = settings.targets[target_name]
    assert isinstance(target, config.FilesTarget)
    copy = drop_copy(settings, target_name)
    return target.layout(copy, target.encoding, target.contents(canonical))


def snapshots(
    settings: config.Config, name: DeliveryName, canonical: Callable[[str], str]
) -> Snapshots:
    """Return the snapshots of a delivery to a files target."""
    target = settings.targets[name.target]
    assert isinstance(target, config.FilesTarget)
    layout = target.snapshot_layout(drop_layout(settings, name.target, canonical))
    into = settings.route(name.route).target_names(canonical)
    return Snapshots(layout, open_store(target.store_settings()), name, into)


def drop_copy(settings: config.Config, target_name: str) -> Path:
    """Return the folder of a files target's local copy."""
    target = settings.targets[target_name]
    assert isinstance(target, config.FilesTarget)
    beside = settings.path.parent if settings.path is not None else Path()
    return target.local_copy or beside / "drops" / safe_name(target_name)


def build_delivery(
    settings: config.Config,
    source: OpenSource,
    name: DeliveryName,
    stop: Event,
    until: int | None = None,
) -> Delivery:
    """Make a delivery of an open source; see `Delivery` for `stop` and `until`."""
    route = settings.route(name.route)
    capture = source.capture
    names = [capture.dialect.canonical(table) for table in route.tables]
    transforms = route_transforms(settings, capture, name)

    def captured() -> Mapping[str, Table]:
        found = capture.tables()
        return {name: found[name] for name in names if name in found}

    def now() -> Mapping[str, Table]:
        specs = table_specs(settings, route.source)
        return capture.tables_now([s for s in specs if capture.dialect.canonical(s.name) in names])

    target = settings.targets[name.target]
    built = build_target(settings, name, capture.dialect.canonical, stop)
    schema: Schema = CapturedSchema(source.watch, captured, transforms)
    copying = None
    if isinstance(target, config.SqlTarget):
        assert isinstance(built, SqlTarget)
        copying = TableCopies(
            built,
            Copies(source.engine, capture.outbox, name),
            Letters(source.engine, capture.outbox, name),
            lambda: open_pages(capture),
            captured,
            lambda: transforms.results,
        )
        schema = FollowedSchema(
            name,
            route.schema_changes,
            watch=source.watch,
            captured=captured,
            now=now,
            transforms=transforms,
            own=[capture.dialect.canonical(table) for table in route.own_tables()],
            into=route.target_names(capture.dialect.canonical),
            url=target.connection_url(),
            copying=copying,
            seal=source.seal_all,
        )
    scheduled = until is None and not isinstance(route.schedule, Realtime)
    return Delivery(
        name,
        target=built,
        schema=schema,
        record=Deliveries(source.engine, capture.outbox, name),
        open_batches=lambda: Batches(source.engine, capture.outbox),
        open_reader=lambda: open_reader(source.engine, capture.outbox),
        new_batch=source.new_batch,
        stop=stop,
        next_run=route.next_run if scheduled else None,
        until=until,
        windows=target_windows(settings, name.target),
        copying=copying,
    )


def takes_pages(settings: config.Config, name: DeliveryName) -> bool:
    """Tell whether a delivery can copy tables in turns with its rounds."""
    return isinstance(settings.targets[name.target], config.SqlTarget)
