"""Closing windows: from then on no batch is sealed in them, whatever the clocks say."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Engine

from replicator.pipeline.lock import lock_state
from triggers.engine import for_writing
from triggers.outbox import Outbox


def close_windows(engine: Engine, outbox: Outbox, end: datetime) -> None:
    """Let every later batch count as sealed at `end` at the earliest.

    A sealing that is under way is waited for: its batch is visible afterwards. Sealers on hosts
    whose clocks are late, or go back, seal nothing into what was closed.
    """
    state = outbox.state
    closed = sa.select(state.c.id).where(state.c.sealed_to >= end)
    with engine.connect() as connection:
        if connection.execute(closed).first() is not None:
            return
    with for_writing(engine).begin() as connection:
        lock_state(connection, outbox)
        earlier = sa.or_(state.c.sealed_to.is_(None), state.c.sealed_to < end)
        connection.execute(sa.update(state).where(earlier).values(sealed_to=end))
