"""Rows that the target refused while tables were copied.

What a row refers to may not be there yet, or a value that it takes may still be held by the row
that has given it up. So such rows wait until all tables are copied; then they are read again.
"""

from __future__ import annotations

import time
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from replicator.change import Change, Row, decode_changes, encode
from replicator.pipeline.contract import DeliveryName, Parked
from replicator.pipeline.deliveries import LetterState
from triggers.engine import for_writing
from triggers.model import INCOMPLETE, Table
from triggers.outbox import Outbox

_IDS_AT_ONCE = 500

LOOKS = 5
"""How often a row is tried again at least before it is parked for good."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A refused row."""

    id: int
    change: Change
    looks: int
    error: str

    @property
    def is_hopeless(self) -> bool:
        """Whether reading the row again is of no use."""
        return INCOMPLETE in self.change.row or self.change.op == "T"


class Letters:
    """The refused rows of one delivery. Every method is one transaction."""

    def __init__(self, engine: Engine, outbox: Outbox, name: DeliveryName) -> None:
        self._engine = engine
        self._writing = for_writing(engine)
        self._table = outbox.dead_letter
        self._name = name
        table = self._table
        self._mine = sa.and_(table.c.route == name.route, table.c.target == name.target)

    def add(self, parked: Sequence[Parked]) -> None:
        """Keep rows of a page; their ids are made up, below those of all changes."""
        with self._writing.begin() as connection:
            first = -(time.time_ns() // 1000)
            self._insert(connection, parked, first, LetterState.COPYING)

    def park(self, parked: Sequence[Parked], copied_at: datetime) -> None:
        """Park rows of the copy of a moment for good, in place of those parked for it before."""
        if not parked:
            return
        first = -int(copied_at.timestamp() * 1_000_000)
        ids = self._table.c.change_id
        with self._writing.begin() as connection:
            before = sa.and_(ids <= first, ids > first - len(parked))
            connection.execute(sa.delete(self._table).where(self._mine, before))
            self._insert(connection, parked, first, LetterState.PARKED)

    def _insert(
        self, connection: Connection, parked: Sequence[Parked], first: int, state: LetterState
    ) -> None:
        now = datetime.now(UTC)
        changes = [msgspec.structs.replace(p.change, id=first - n) for n, p in enumerate(parked)]
        connection.execute(
            sa.insert(self._table),
            [
                {
                    "route": self._name.route,
                    "target": self._name.target,
                    "change_id": change.id,
                    "batch_no": 0,
                    "table_name": change.table,
                    "change": encode(change).decode(),
                    "error": item.error,
                    "attempts": 1,
                    "state": state.value,
                    "parked_at": now,
                }
                for change, item in zip(changes, parked, strict=True)
            ],
        )

    def waiting(self, most: int) -> list[Letter]:
        """Return the rows to look at again, those looked at least first."""
        table = self._table
        query = sa.select(table.c.change_id, table.c.change, table.c.attempts, table.c.error).where(
            self._mine, table.c.state == LetterState.COPYING.value
        )
        query = query.order_by(table.c.attempts, table.c.change_id).limit(most)
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        changes = decode_changes([row.change.encode() for row in rows])
        return [
            Letter(row.change_id, change, row.attempts, row.error)
            for row, change in zip(rows, changes, strict=True)
        ]

    def discard_written(self, table: str) -> None:
        """Forget what was parked of a table's rows: the copy that begins reads all of them.

        Deletions stay: rows that are in the target alone are not met by a copy.
        """
        letter = self._table
        mine = sa.and_(
            self._mine,
            letter.c.table_name == table,
            letter.c.state == LetterState.PARKED.value,
        )
        with self._writing.begin() as connection:
            query = sa.select(letter.c.change_id, letter.c.change).where(mine)
            rows = connection.execute(query).all()
            changes = decode_changes([row.change.encode() for row in rows])
            found = zip(rows, changes, strict=True)
            ids = [row.change_id for row, change in found if change.op in ("I", "U")]
            for start in range(0, len(ids), _IDS_AT_ONCE):
                some = letter.c.change_id.in_(ids[start : start + _IDS_AT_ONCE])
                connection.execute(sa.delete(letter).where(mine, some))

    def count(self) -> int:
        """Return how many rows wait to be looked at again."""
        table = self._table
        query = sa.select(sa.func.count()).where(
            self._mine, table.c.state == LetterState.COPYING.value
        )
        with self._engine.connect() as connection:
            found: int = connection.execute(query).scalar_one()
            return found

    def settle(
        self, looked_at: Sequence[Letter], refused: Mapping[int, str], park: Container[int]
    ) -> None:
        """Forget the letters that are written now; keep the others, or park them for good."""
        table = self._table
        with self._writing.begin() as connection:
            for letter in looked_at:
                mine = sa.and_(self._mine, table.c.change_id == letter.id)
                if letter.id not in refused:
                    connection.execute(sa.delete(table).where(mine))
                    continue
                state = LetterState.PARKED if letter.id in park else LetterState.COPYING
                connection.execute(
                    sa.update(table)
                    .where(mine)
                    .values(state=state.value, attempts=letter.looks + 1, error=refused[letter.id])
                )


def key_of(table: Table, row: Row) -> bytes:
    """What tells rows of a table apart, as text."""
    return encode({name: row[name] for name in table.key})
