"""Dead letters of a delivery, as far as a comparison wants to know of them."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Engine

from replicator.change import decode_changes
from replicator.pipeline.contract import DeliveryName
from replicator.pipeline.deliveries import LetterState
from replicator.snapshot.letters import key_of
from triggers.model import Table
from triggers.outbox import Outbox


def parked_keys(
    engine: Engine, outbox: Outbox, name: DeliveryName, table: Table
) -> frozenset[bytes]:
    """The keys of a table's rows that are parked; `table` as the target is to see it."""
    letter = outbox.dead_letter
    query = sa.select(letter.c.change).where(
        letter.c.route == name.route,
        letter.c.target == name.target,
        letter.c.table_name == table.name,
        letter.c.state == LetterState.PARKED.value,
    )
    with engine.connect() as connection:
        lines = [text.encode() for text in connection.execute(query).scalars()]
    rows = [change.row for change in decode_changes(lines)]
    return frozenset(key_of(table, row) for row in rows if all(key in row for key in table.key))
