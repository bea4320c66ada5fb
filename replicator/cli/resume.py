"""`replicator resume`."""

from __future__ import annotations

from replicator.cli.options import ConfigOption, VerboseOption, load
from replicator.cli.pause import RouteArgument, TargetArgument
from replicator.cli.switch import switch
from replicator.pipeline.deliveries import DeliveryState


def resume(
    route: RouteArgument,
    target: TargetArgument = None,
    config: ConfigOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Let paused deliveries go on, and try those again that an error has stopped.

    Example: replicator resume orders
    """
    del verbose
    switch(load(config), route, target, DeliveryState.RUNNING)
