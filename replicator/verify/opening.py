"""Everything that a comparison of one delivery needs, out of the configuration."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import NullPool
from sqlalchemy.engine import URL

from replicator import config
from replicator.compose import OpenSource, route_transforms
from replicator.pipeline.batches import Batches
from replicator.pipeline.contract import DeliveryName
from replicator.pipeline.deliveries import Deliveries
from replicator.sources import open_pages, open_reader
from replicator.targets.sql.engines import definition_for, examiner_for
from replicator.targets.sql.matching import plan_tables, target_name
from replicator.verify.flight import Flight
from replicator.verify.pair import TablePair
from triggers.engine import make_engine


@dataclass(frozen=True)
class Comparison:
    """One delivery, connected. `engine` is the target's, by the name of its types."""

    name: DeliveryName
    engine: str
    pairs: Sequence[TablePair]
    flight: Flight
    notes: dict[str, list[str]] = field(default_factory=dict)
    """By the source's table."""
    into: dict[str, str] = field(default_factory=dict)
    """The target's table, by the source's."""


@contextmanager
def open_comparison(
    settings: config.Config,
    source: OpenSource,
    name: DeliveryName,
    tables: Collection[str],
    stop: threading.Event,
) -> Iterator[Comparison]:
    """Connect to both sides of a delivery, for these source tables (canonical names).

    Raises `TargetUnavailable`, `SourceUnavailable`, `DeliveryStopped`.
    """
    route = settings.route(name.route)
    target = settings.targets[name.target]
    assert isinstance(target, config.SqlTarget)
    capture = source.capture
    canonical = capture.dialect.canonical
    captured = {table: t for table, t in capture.tables().items() if table in tables}
    transforms = route_transforms(settings, capture, name)
    seen = transforms.tables(captured)
    into = route.target_names(canonical)
    url = target.connection_url()
    examiner = examiner_for(url)
    reader, finder = open_pages(capture), open_pages(capture)
    sealer = source.sealer()
    try:
        examiner.connect(make_engine(url, poolclass=NullPool, hide_parameters=True), None)
        plans = plan_tables(examiner, definition_for(url), list(seen.values()), into, target.unfit)
        names = {table: target_name(table, into) for table in seen}
        shared = {table for table in names if _writers(settings, url, names[table]) > 1}
        yield Comparison(
            name,
            "mysql" if url.get_backend_name() == "mariadb" else url.get_backend_name(),
            [
                TablePair(
                    captured[plan.source.name],
                    transforms.results.get(plan.source.name),
                    plan,
                    reader,
                    finder,
                    examiner,
                    finds_extra=plan.source.name not in shared,
                )
                for plan in plans
            ],
            Flight(
                sealer,
                Deliveries(source.engine, capture.outbox, name),
                lambda: Batches(source.engine, capture.outbox),
                lambda: transforms.reader(open_reader(source.engine, capture.outbox)),
                stop,
            ),
            {table: [SHARED] for table in shared},
            names,
        )
    finally:
        sealer.close()
        reader.close()
        finder.close()
        examiner.close()


SHARED = "extra rows not looked for: other routes or tables are written to the same target table"


def _writers(settings: config.Config, url: URL, table: str) -> int:
    """How many of the configuration's tables are written to a table of a database."""
    place = (url.host, url.port, url.database, _plain(table))
    count = 0
    for route in settings.routes:
        for target in map(settings.targets.__getitem__, route.targets):
            if not isinstance(target, config.SqlTarget):
                continue
            other = target.connection_url()
            count += sum(
                (other.host, other.port, other.database, _plain(target_name(t, route.into)))
                == place
                for t in route.own_tables()
            )
    return count


def _plain(table: str) -> str:
    return table.removeprefix("public.").casefold()
