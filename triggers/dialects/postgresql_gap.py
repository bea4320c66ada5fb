"""PostgreSQL's proof that an id which is not visible never will be.

An outbox id is taken by a transaction that already has a transaction id, for its own write came
before the trigger's. So every transaction that could fill a gap seen by the sealer has a
transaction id below one that is assigned after the sealer has read: its own. The gap is dead when
a later snapshot, under which the id is still not visible, has an xmin at or above that horizon.

`pg_snapshot_xmax` of the reading snapshot would not do: it is one above the latest *completed*
transaction, and transactions above it may be running already (docs/decisions/0002).
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

OLDEST_RUNNING = sa.text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
OWN_ID = sa.text("SELECT pg_current_xact_id()::text::bigint")


class PostgresqlGapProof:
    """See the module."""

    reason = "every transaction that was running when the gap was seen has ended"
    dead_when_seen = False

    def __init__(self) -> None:
        self._oldest: int | None = None

    def before_reading(self, connection: Connection, *, open_gaps: bool) -> None:
        """Nothing to look at yet: the snapshot itself carries the proof."""
        del connection, open_gaps
        self._oldest = None

    def horizon_before(self) -> int | None:
        """Every gap was given its horizon when it was found."""
        return None

    def horizon_now(self, connection: Connection) -> int | None:
        """Return this transaction's own id, assigned now, after it has read."""
        return int(connection.execute(OWN_ID).scalar_one())

    def is_dead(self, connection: Connection, horizon: int | None) -> bool:
        """Compare with the oldest transaction that this transaction's snapshot holds running."""
        if self._oldest is None:
            self._oldest = int(connection.execute(OLDEST_RUNNING).scalar_one())
        return horizon is not None and self._oldest >= horizon
