"""Tables that are missing in SQL targets, and the statements that make them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import NullPool
from sqlalchemy.engine import URL

from replicator import config
from replicator.compose import OpenSource, route_transforms
from replicator.errors import DeliveryStopped
from replicator.pipeline.contract import DeliveryName
from replicator.reach import address, describe_tables, named_target
from replicator.targets.sql import create_statements, missing_tables
from replicator.targets.sql.matching import target_name
from triggers.engine import make_engine
from triggers.model import Table


@dataclass
class TargetTables:
    """What one target lacks."""

    target: str
    url: URL = field(repr=False)
    tables: list[str] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Where the target is."""
        return address(self.url)


def plan(settings: config.Config, sources: list[OpenSource]) -> list[TargetTables]:
    """Find what is missing in every SQL target that a route of these sources uses.

    Raises `TargetUnavailable` or `DeliveryStopped` when a target cannot be used, and what
    `describe_tables` raises.
    """
    plans: dict[str, TargetTables] = {}
    for source in sources:
        tables = describe_tables(settings, source)
        for name, target in settings.targets.items():
            if not isinstance(target, config.SqlTarget):
                continue
            for into in _renamings(settings, source, name):
                made = plans.setdefault(name, TargetTables(name, target.connection_url()))
                wanted = [tables[table] for table in into]
                with named_target(settings, name):
                    _add(made, wanted, into)
            for route in settings.routes:
                if route.source == source.name and name in route.targets and route.columns:
                    made = plans.setdefault(name, TargetTables(name, target.connection_url()))
                    with named_target(settings, name):
                        _add_computed(settings, source, tables, route, made)
    return [made for made in plans.values() if made.statements]


def create(made: TargetTables) -> None:
    """Execute a plan's statements, in one transaction where the engine can do that."""
    engine = make_engine(made.url, poolclass=NullPool, hide_parameters=True)
    with engine.begin() as connection:
        formatted = connection.dialect.paramstyle in ("format", "pyformat")
        for statement in made.statements:
            text = statement.replace("%", "%%") if formatted else statement
            connection.exec_driver_sql(text)


def _renamings(settings: config.Config, source: OpenSource, target: str) -> list[dict[str, str]]:
    """Source table (canonical) to target table, in groups in which each comes once."""
    canonical = source.capture.dialect.canonical
    groups: list[dict[str, str]] = []
    for route in settings.routes:
        if route.source != source.name or target not in route.targets:
            continue
        into = route.target_names(canonical)
        own = [table for table in route.own_tables() if table not in route.columns]
        for table in map(canonical, own):
            name = target_name(table, into)
            group = next((g for g in groups if g.get(table, name) == name), None)
            if group is None:
                group = {}
                groups.append(group)
            group[table] = name
    return groups


def _add_computed(
    settings: config.Config,
    source: OpenSource,
    tables: dict[str, Table],
    route: config.Route,
    made: TargetTables,
) -> None:
    """Add tables whose columns the route computes."""
    canonical = source.capture.dialect.canonical
    into = route.target_names(canonical)
    wanted = {canonical(t): tables[canonical(t)] for t in route.own_tables() if t in route.columns}
    transforms = route_transforms(settings, source.capture, DeliveryName(route.name, made.target))
    computed = list(transforms.tables(wanted).values())
    names = {table.name: target_name(table.name, into) for table in computed}
    for table in computed:
        if not table.key:
            raise DeliveryStopped(
                f"table {names[table.name]} of target {made.target}: nothing says which of its"
                " computed columns are the key",
                "create it by hand, with a primary key of some of the columns that the route gives",
            )
    _add(made, computed, names)


def _add(made: TargetTables, wanted: list[Table], into: dict[str, str]) -> None:
    url = made.url
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        if not Path(url.database or "").parent.is_dir():
            raise DeliveryStopped(
                f"target {made.target}: there is no folder {Path(url.database or '').parent}",
                "make it, or correct the target's url",
            )
        url = url.set(database=":memory:")  # looking must not make the file
    missing = [
        table for table in missing_tables(wanted, into, url) if into[table.name] not in made.tables
    ]
    made.statements += create_statements(missing, into, url)
    made.tables += [into[table.name] for table in missing]
