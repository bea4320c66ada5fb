"""The one lock of a source: the row of its state, which sealers, purges and registrations share."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from triggers.outbox import Outbox


def lock_state(connection: Connection, outbox: Outbox) -> None:
    """Hold the state's row until the transaction ends; what is read after that is current.

    By an update that changes nothing, which every engine understands. Call it first.
    """
    state = outbox.state
    connection.execute(sa.update(state).values(purged_to=state.c.purged_to))
