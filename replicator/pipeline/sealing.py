"""Sealing: turning the changes that are visible now into a numbered batch (design, section 4).

Ids are taken when a row is written and become visible when its transaction commits, so an id is
no cursor: a reader sees 7, 8, 10 while 9 is still in flight. One transaction per sealing, and one
sealer at a time, decides which ids a batch holds, and remembers the others as gaps until they turn
up, late, or are proven never to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from replicator.pipeline import ranges
from replicator.pipeline.ranges import Range
from triggers.dialects.base import Dialect, GapProof
from triggers.outbox import Outbox

BATCH_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Sealing:
    """What one sealing did."""

    last_batch: int
    rows: int  # changes in the new batch; 0 when there was nothing to seal
    open_gaps: int


@dataclass(frozen=True, slots=True)
class _Visible:
    """Ids that are visible now and in no batch yet."""

    ranges: list[Range]
    count: int
    first_captured_at: datetime
    last_captured_at: datetime


class Sealer:
    """Seals the changes of one source. Two sealers of one source take turns."""

    def __init__(
        self, engine: Engine, outbox: Outbox, dialect: Dialect, batch_rows: int = BATCH_ROWS
    ) -> None:
        self._engine = engine.execution_options(**dialect.sealing_options)
        self._connection: Connection | None = None
        self._outbox = outbox
        self._dialect = dialect
        self._proof = dialect.gap_proof()
        self.batch_rows = batch_rows
        self._open_gaps = True  # until the first sealing has looked
        change, gap = outbox.change, outbox.gap
        ids = sa.select(change.c.id, change.c.captured_at)
        self._state = sa.select(outbox.state)
        self._gaps = sa.select(gap).where(gap.c.closed_at.is_(None)).order_by(gap.c.first_id)
        # Both ends are given: a planner without statistics takes an open range for a third of the
        # table, and reads and sorts all of it.
        first, last = (sa.bindparam(name, type_=sa.BigInteger) for name in ("first", "last"))
        between = ids.where(change.c.id.between(first, last))
        self._between = _Look(_islands(between), _whole(between))
        # In two subqueries: SQLite finds the two at once only by reading everything.
        self._ends = sa.select(
            sa.select(sa.func.min(change.c.id)).scalar_subquery(),
            sa.select(sa.func.max(change.c.id)).scalar_subquery(),
        )
        inside = change.c.id.between(gap.c.first_id, gap.c.last_id)
        if dialect.joins_laterally:
            most = sa.bindparam("most", type_=sa.Integer)
            row = ids.where(inside).order_by(change.c.id).limit(most).lateral("late").c
            late = sa.select(row.id, row.captured_at).select_from(gap)
        else:
            late = ids.join(gap, inside)
        self._inside = _Look(_islands(late.where(gap.c.closed_at.is_(None))))

    def seal(self) -> Sealing:
        """Seal at most `batch_rows` changes into one batch, in one transaction."""
        if self._connection is None:
            self._connection = self._engine.connect()
        try:
            with self._connection.begin():
                self._dialect.lock_for_sealing(self._connection, self._outbox)
                self._proof.before_reading(self._connection, open_gaps=self._open_gaps)
                sealing = self._seal(self._connection, self._proof)
        except BaseException:
            self.close()
            raise
        self._open_gaps = sealing.open_gaps > 0
        return sealing

    def seal_all(self) -> int:
        """Seal everything that is visible now; return the last batch."""
        while True:
            sealing = self.seal()
            if sealing.rows < self.batch_rows:
                return sealing.last_batch

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _seal(self, connection: Connection, proof: GapProof) -> Sealing:
        state = connection.execute(self._state).one()
        gaps = connection.execute(self._gaps).all()
        oldest, newest = connection.execute(self._ends).one()
        room = self.batch_rows
        late = _visible(connection, self._inside, most=room) if gaps else None
        room -= late.count if late else 0
        # Where the limit has cut the late rows off, the gaps above have not been looked at.
        looked_to = late.ranges[-1][1] if late and room == 0 else None
        lost = None
        if room > 0 and oldest is not None and oldest <= state.purged_to:
            bounds = {"first": oldest, "last": state.purged_to}
            lost = _visible(connection, self._between, most=room, **bounds)
            room -= lost.count if lost else 0
        fresh = None
        if room > 0 and newest is not None and newest > state.highest_id:
            bounds = {"first": state.highest_id + 1, "last": newest}
            fresh = _visible(connection, self._between, most=room, **bounds)
        now = datetime.now(UTC)
        sealed_at = max(now, state.sealed_to or now)  # windows that were closed stay as they are

        late_ids = late.ranges if late else []
        still_open = self._settle(connection, proof, gaps, late_ids, looked_to, now)
        if lost:
            still_open += self._reopen(connection, lost.ranges, state.purged_to, now)
        highest = state.highest_id
        if fresh:
            found = ranges.between(fresh.ranges, highest)
            still_open += self._open(connection, proof, found, now)
            highest = fresh.ranges[-1][1]

        parts = [part for part in (late, lost, fresh) if part]
        if not parts:
            return Sealing(state.last_batch, 0, still_open)
        batch_no = state.last_batch + 1
        ids = ranges.merge(r for part in parts for r in part.ranges)
        rows = sum(part.count for part in parts)
        connection.execute(
            sa.insert(self._outbox.batch).values(
                batch_no=batch_no,
                ids=ranges.encode(ids),
                first_id=ids[0][0],
                last_id=ids[-1][1],
                row_count=rows,
                first_captured_at=min(part.first_captured_at for part in parts),
                last_captured_at=max(part.last_captured_at for part in parts),
                sealed_at=sealed_at,
            )
        )
        connection.execute(
            sa.update(self._outbox.state).values(
                highest_id=highest, last_batch=batch_no, sealed_to=sealed_at
            )
        )
        return Sealing(batch_no, rows, still_open)

    def _settle(
        self,
        connection: Connection,
        proof: GapProof,
        gaps: Sequence[sa.Row[Any]],
        late: list[Range],
        looked_to: int | None,
        now: datetime,
    ) -> int:
        """Take late ids out of their gaps and close what is proven dead; return what stays open.

        Nothing above `looked_to` is proven by its not having been seen.
        """
        gap = self._outbox.gap
        horizon = proof.horizon_before()
        if horizon is not None and any(row.horizon is None for row in gaps):
            connection.execute(
                sa.update(gap)
                .where(gap.c.closed_at.is_(None), gap.c.horizon.is_(None))
                .values(horizon=horizon)
            )
        dead: list[int] = []
        replaced: list[int] = []
        pieces: list[dict[str, object]] = []
        still_open = 0
        for row in gaps:
            inside = ranges.inside(late, row.first_id, row.last_id)
            proven = proof.is_dead(connection, row.horizon)
            if not inside:
                if proven and _is_seen(row.last_id, looked_to):
                    dead.append(row.first_id)
                else:
                    still_open += 1
                continue
            replaced.append(row.first_id)
            rest = ranges.between([*inside, (row.last_id + 1, row.last_id + 1)], row.first_id - 1)
            for first, last in rest:
                is_dead = proven and _is_seen(last, looked_to)
                still_open += 0 if is_dead else 1
                piece = {
                    "first_id": first,
                    "last_id": last,
                    "seen_at": row.seen_at,
                    "horizon": row.horizon if row.horizon is not None else horizon,
                    "closed_at": now if is_dead else None,
                    "reason": proof.reason if is_dead else None,
                }
                pieces.append(piece)
        if replaced:
            connection.execute(sa.delete(gap).where(gap.c.first_id.in_(replaced)))
        if pieces:
            connection.execute(sa.insert(gap), pieces)
        if dead:
            connection.execute(
                sa.update(gap)
                .where(gap.c.first_id.in_(dead))
                .values(closed_at=now, reason=proof.reason)
            )
        return still_open

    def _reopen(self, connection: Connection, found: list[Range], mark: int, now: datetime) -> int:
        """Lower the purge mark below rows that turned up under it; return the gaps this opens.

        They are in a batch now, and must not count as late again.
        """
        gap, state = self._outbox.gap, self._outbox.state
        first = found[0][0]
        pieces = ranges.between([*found, (mark + 1, mark + 1)], first - 1)
        connection.execute(sa.delete(gap).where(gap.c.first_id.between(first, mark)))
        if pieces:
            values = [{"first_id": a, "last_id": b, "seen_at": now} for a, b in pieces]
            connection.execute(sa.insert(gap), values)
        connection.execute(sa.update(state).values(purged_to=first - 1))
        return len(pieces)

    def _open(
        self, connection: Connection, proof: GapProof, found: list[Range], now: datetime
    ) -> int:
        """Record new gaps; return how many stay open."""
        if not found:
            return 0
        horizon = proof.horizon_now(connection)
        is_dead = proof.dead_when_seen
        connection.execute(
            sa.insert(self._outbox.gap),
            [
                {
                    "first_id": first,
                    "last_id": last,
                    "seen_at": now,
                    "horizon": horizon,
                    "closed_at": now if is_dead else None,
                    "reason": proof.reason if is_dead else None,
                }
                for first, last in found
            ],
        )
        return 0 if is_dead else len(found)


@dataclass(frozen=True, slots=True)
class _Look:
    """Two queries for the same ids, at most as many as `most` says."""

    islands: sa.Select[*tuple[Any, ...]]
    whole: sa.Select[*tuple[Any, ...]] | None = None
    """In a third of the time, what `islands` returns if there is no gap among them."""


def _some(ids: sa.Select[Any]) -> sa.Subquery:
    return ids.order_by(ids.selected_columns.id).limit(sa.bindparam("most")).subquery("some")


def _ends(ids: sa.FromClause) -> sa.Select[*tuple[Any, ...]]:
    return sa.select(
        sa.func.min(ids.c.id),
        sa.func.max(ids.c.id),
        sa.func.count(),
        sa.func.min(ids.c.captured_at),
        sa.func.max(ids.c.captured_at),
    )


def _whole(ids: sa.Select[Any]) -> sa.Select[*tuple[Any, ...]]:
    """Take all ids for one range."""
    return _ends(_some(ids))


def _islands(ids: sa.Select[Any]) -> sa.Select[*tuple[Any, ...]]:
    """Fold ids into ranges on the server: neighbours share `id - row_number()`."""
    some = _some(ids)
    number = sa.func.row_number().over(order_by=some.c.id)
    islands = sa.select(some.c.id, some.c.captured_at, (some.c.id - number).label("island"))
    island = islands.subquery("islands")
    return _ends(island).group_by(island.c.island).order_by(sa.func.min(island.c.id))


def _is_seen(last_id: int, looked_to: int | None) -> bool:
    return looked_to is None or last_id <= looked_to


def _visible(connection: Connection, look: _Look, **bounds: int) -> _Visible | None:
    """Look for ids; return what was found, or None."""
    rows: Sequence[Any] = []
    if look.whole is not None:
        whole = connection.execute(look.whole, bounds).one()
        first, last, count, *_times = whole
        if count == 0:
            return None
        if count == last - first + 1:
            rows = [whole]
    rows = rows or connection.execute(look.islands, bounds).all()
    if not rows:
        return None
    return _Visible(
        ranges=[(first, last) for first, last, *_rest in rows],
        count=sum(row[2] for row in rows),
        first_captured_at=min(row[3] for row in rows),
        last_captured_at=max(row[4] for row in rows),
    )
