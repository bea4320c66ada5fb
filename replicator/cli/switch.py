"""What `pause` and `resume` have in common."""

from __future__ import annotations

from replicator import config
from replicator.cli.exits import WrongUsage
from replicator.cli.terminal import say
from replicator.config.errors import did_you_mean
from replicator.pipeline.contract import DeliveryName
from replicator.pipeline.deliveries import Deliveries, DeliveryState
from replicator.reach import reach_sources

_DONE = {
    DeliveryState.PAUSED: "paused; a running replicator ends what it is writing within seconds",
    DeliveryState.RUNNING: "resumed",
}


def switch(
    settings: config.Config, route_name: str, target: str | None, state: DeliveryState
) -> None:
    """Record a state for one delivery, or for all of a route. A running replicator sees it soon."""
    routes = {route.name: route for route in settings.routes}
    if route_name not in routes:
        raise _unknown("route", route_name, list(routes))
    route = routes[route_name]
    if target is not None and target not in route.targets:
        raise _unknown(f"target of route {route_name}", target, route.targets)
    with reach_sources(settings, [route.source]) as [source]:
        source.capture.tables()  # says so when there are no outbox tables
        for name in route.targets if target is None else [target]:
            delivery = DeliveryName(route_name, name)
            record = Deliveries(source.engine, source.capture.outbox, delivery)
            record.register()
            before = record.read().state
            record.set_state(state)
            held = before in (DeliveryState.PAUSED, DeliveryState.STOPPED)
            same = before is state or (state is DeliveryState.RUNNING and not held)
            say(f"{delivery}: {f'was {before.value} already' if same else _DONE[state]}")


def _unknown(what: str, name: str, known: list[str]) -> WrongUsage:
    hint = did_you_mean(name, known) or f"known: {', '.join(known)}"
    return WrongUsage(f"unknown {what}: {name!r}", hint)
