"""What `pause` and `resume` have in common."""

from __future__ import annotations

from replicator import config
from replicator.cli.options import chosen, chosen_route
from replicator.cli.terminal import say
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
    route = chosen_route(settings, route_name)
    targets = chosen(
        f"target of route {route_name}", None if target is None else [target], route.targets
    )
    with reach_sources(settings, [route.source]) as [source]:
        source.capture.tables()  # says so when there are no outbox tables
        for name in targets:
            delivery = DeliveryName(route_name, name)
            record = Deliveries(source.engine, source.capture.outbox, delivery)
            record.register()
            before = record.read().state
            record.set_state(state)
            held = before in (DeliveryState.PAUSED, DeliveryState.STOPPED)
            same = before is state or (state is DeliveryState.RUNNING and not held)
            say(f"{delivery}: {f'was {before.value} already' if same else _DONE[state]}")
