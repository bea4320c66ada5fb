"""What the outbox says about its deliveries while the demo runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from triggers.capture import Capture
from triggers.engine import make_engine


@dataclass(frozen=True, slots=True)
class Delivered:
    """How far one delivery is."""

    name: str  # route/target
    state: str
    batch: int  # the last one that it has finished
    changes: int
    waiting: int  # changes that are captured and not delivered yet


class Watch:
    """Looks at the shop's outbox, on a connection of its own."""

    def __init__(self, database: Path) -> None:
        self._engine = make_engine(f"sqlite:///{database}")
        self._outbox = Capture(self._engine).outbox

    def look(self) -> tuple[int, list[Delivered]]:
        """Return how many changes were captured, and how far each delivery is."""
        outbox = self._outbox
        delivery, batch, change = outbox.delivery, outbox.batch, outbox.change
        later = sa.select(sa.func.coalesce(sa.func.sum(batch.c.row_count), 0)).where(
            batch.c.batch_no > delivery.c.progress
        )
        with self._engine.connect() as connection:
            highest = connection.execute(sa.select(sa.func.max(change.c.id))).scalar() or 0
            sealed = connection.execute(sa.select(outbox.state.c.highest_id)).scalar() or 0
            rows = connection.execute(
                sa.select(
                    delivery.c.route,
                    delivery.c.target,
                    delivery.c.state,
                    delivery.c.progress,
                    later.scalar_subquery().label("sealed"),
                ).order_by(delivery.c.route.desc(), delivery.c.target.desc())
            ).all()
        captured = int(highest)
        found = []
        for row in rows:
            waiting = int(row.sealed) + captured - int(sealed)
            name = f"{row.route}/{row.target}"
            found.append(Delivered(name, row.state, row.progress, captured - waiting, waiting))
        return captured, found

    def close(self) -> None:
        """Close the connection."""
        self._engine.dispose()
