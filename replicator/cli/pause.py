"""`replicator pause`."""

from __future__ import annotations

from typing import Annotated

import typer

from replicator.cli.options import ConfigOption, VerboseOption, load
from replicator.cli.switch import switch
from replicator.pipeline.deliveries import DeliveryState

RouteArgument = Annotated[str, typer.Argument(help="The route's name.", show_default=False)]
TargetArgument = Annotated[
    str | None,
    typer.Argument(help="One of the route's targets; all of them if left out.", show_default=False),
]


def pause(
    route: RouteArgument,
    target: TargetArgument = None,
    config: ConfigOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Hold a route's deliveries until `replicator resume`; changes are still captured and kept.

    Example: replicator pause orders crm
    """
    del verbose
    switch(load(config), route, target, DeliveryState.PAUSED)
