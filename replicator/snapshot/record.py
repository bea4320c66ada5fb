"""The source's record of the tables that a delivery copies, and how far each is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy import Engine

from replicator.pipeline.contract import DeliveryName
from triggers.engine import for_writing
from triggers.outbox import Outbox


class CopyState(StrEnum):
    """How far a table is."""

    BEHIND = "behind"  # waits until the delivery has what was captured without new columns
    WAITING = "waiting"
    COPYING = "copying"
    COPIED = "copied"  # all pages are; what was refused is looked at again
    DONE = "done"


@dataclass(frozen=True, slots=True)
class TableCopy:
    """One table of one delivery."""

    table: str
    state: CopyState
    position: bytes | None
    """The key of the last row that is copied."""
    copied: int
    estimate: int
    rate: int | None
    """Rows per second at most."""
    started_at: datetime | None
    finished_at: datetime | None


class Copies:
    """The tables that one delivery copies. Every method is one transaction."""

    def __init__(self, engine: Engine, outbox: Outbox, name: DeliveryName) -> None:
        self._engine = engine
        self._writing = for_writing(engine)
        table = self._table = outbox.snapshot
        self._name = name
        self._mine = sa.and_(table.c.route == name.route, table.c.target == name.target)

    def read(self) -> list[TableCopy]:
        """Return all that were ever asked for, in the order in which they are copied."""
        query = sa.select(self._table).where(self._mine)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(self._table.c.place)).all()
        return [
            TableCopy(
                table=row.table_name,
                state=CopyState(row.state),
                position=row.position.encode() if row.position is not None else None,
                copied=row.copied,
                estimate=row.estimate,
                rate=row.rate,
                started_at=row.started_at,
                finished_at=row.finished_at,
            )
            for row in rows
        ]

    def is_unfinished(self) -> bool:
        """Tell whether a table is not done."""
        undone = sa.select(self._table.c.place).where(
            self._mine, self._table.c.state != CopyState.DONE.value
        )
        with self._engine.connect() as connection:
            return connection.execute(undone.limit(1)).first() is not None

    def begin_anew(self, tables: Sequence[str]) -> None:
        """Ask for exactly these tables, from their beginnings."""
        with self._writing.begin() as connection:
            connection.execute(sa.delete(self._table).where(self._mine))
            for place, table in enumerate(tables):
                connection.execute(self._new(table, place, CopyState.WAITING))

    def request(self, tables: Sequence[str], rate: int | None) -> bool:
        """Ask for tables, in this order; return whether earlier requests are taken up again.

        Tables that are not done go on where they are. Only where all are done, they are copied
        anew.
        """
        known = {copy.table: copy for copy in self.read()}
        undone = [t for t in tables if t in known and known[t].state is not CopyState.DONE]
        anew = [t for t in tables if t not in known] if undone else list(tables)
        with self._writing.begin() as connection:
            named = self._table.c.table_name
            connection.execute(sa.delete(self._table).where(self._mine, named.in_(anew)))
            for table in anew:
                connection.execute(self._new(table, tables.index(table), CopyState.WAITING))
            chosen = sa.update(self._table).where(self._mine, named.in_(tables))
            connection.execute(chosen.values(rate=rate))
        return bool(undone)

    def look_again(self, tables: Sequence[str]) -> None:
        """Ask for rows of tables to be looked at again (`Letters`), and nothing else of them."""
        known = {copy.table: copy for copy in self.read()}
        with self._writing.begin() as connection:
            for place, table in enumerate(tables):
                if table not in known:
                    connection.execute(self._new(table, len(known) + place, CopyState.COPIED))
                elif known[table].state is CopyState.DONE:
                    mine = sa.and_(self._mine, self._table.c.table_name == table)
                    connection.execute(
                        sa.update(self._table).where(mine).values(state=CopyState.COPIED.value)
                    )

    def restart(self, tables: Sequence[str]) -> None:
        """Have tables copied from their first row on, each after a call of `catch_up`."""
        with self._writing.begin() as connection:
            named = self._table.c.table_name.in_(tables)
            connection.execute(sa.delete(self._table).where(self._mine, named))
            for place, table in enumerate(tables):
                connection.execute(self._new(table, place, CopyState.BEHIND))

    def catch_up(self) -> None:
        """Let the copies of `restart` begin."""
        with self._writing.begin() as connection:
            behind = self._table.c.state == CopyState.BEHIND.value
            connection.execute(
                sa.update(self._table)
                .where(self._mine, behind)
                .values(state=CopyState.WAITING.value)
            )

    def begin(self, table: str, estimate: int) -> None:
        """Record that a table's first page is about to be read."""
        self._update(
            table,
            state=CopyState.COPYING.value,
            estimate=estimate,
            started_at=datetime.now(UTC),
        )

    def advance(self, table: str, position: bytes | None, copied: int) -> None:
        """Record that a page is durable at the target; without a position it was the last."""
        if position is not None:
            self._update(table, position=position.decode(), copied=copied)
        else:
            self._update(table, state=CopyState.COPIED.value, position=None, copied=copied)

    def finish(self) -> None:
        """Record that all tables are done."""
        with self._writing.begin() as connection:
            copied = self._table.c.state == CopyState.COPIED.value
            connection.execute(
                sa.update(self._table)
                .where(self._mine, copied)
                .values(state=CopyState.DONE.value, finished_at=datetime.now(UTC))
            )

    def _new(self, table: str, place: int, state: CopyState) -> sa.Insert:
        return sa.insert(self._table).values(
            route=self._name.route,
            target=self._name.target,
            table_name=table,
            place=place,
            state=state.value,
            copied=0,
            estimate=0,
        )

    def _update(self, table: str, **values: object) -> None:
        with self._writing.begin() as connection:
            mine = sa.and_(self._mine, self._table.c.table_name == table)
            connection.execute(sa.update(self._table).where(mine).values(**values))
