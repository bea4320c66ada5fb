"""The source's record of its deliveries: progress, lease, state, errors, dead letters."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy import Engine

from replicator.change import encode
from replicator.pipeline.contract import (
    DeliveryName,
    Outcome,
    Parked,
    Progress,
    ProgressConflict,
    Round,
    Window,
)
from replicator.pipeline.lock import lock_state
from triggers.engine import for_writing
from triggers.outbox import Outbox

LEASE = timedelta(seconds=15)


class DeliveryState(StrEnum):
    """What a delivery is doing."""

    RUNNING = "running"
    PAUSED = "paused"  # somebody asked for it
    STOPPED = "stopped"  # it needs somebody to mend something
    FAILING = "failing"  # it tries again by itself


class LetterState(StrEnum):
    """What becomes of a dead letter."""

    PARKED = "parked"
    COPYING = "copying"  # refused while tables are copied: its row is read again after that


@dataclass(frozen=True, slots=True)
class Record:
    """A delivery as the source has it recorded."""

    progress: Progress | None
    planned: Round | None
    state: DeliveryState
    window_end: datetime | None = None  # up to here windows are delivered
    memo: str | None = None


def registration(outbox: Outbox, name: DeliveryName) -> sa.Insert:
    """Return the statement that makes a delivery known to its source."""
    return sa.insert(outbox.delivery).values(
        route=name.route,
        target=name.target,
        progress=0,
        mark="",
        state=DeliveryState.RUNNING.value,
        changes=0,
        written=0,
        coerced=0,
    )


class Deliveries:
    """One delivery's rows in the outbox of its source. Every method is one transaction."""

    def __init__(self, engine: Engine, outbox: Outbox, name: DeliveryName) -> None:
        self._engine = engine
        self._writing = for_writing(engine)
        self._outbox = outbox
        self._name = name
        table = outbox.delivery
        self._mine = sa.and_(table.c.route == name.route, table.c.target == name.target)

    def register(self) -> None:
        """Make the delivery known, so that nothing it has not finished is purged."""
        known = sa.select(self._outbox.delivery.c.route).where(self._mine)
        with self._engine.connect() as connection:
            if connection.execute(known).first() is not None:
                return
        with self._writing.begin() as connection:
            lock_state(connection, self._outbox)
            if connection.execute(known).first() is None:
                connection.execute(registration(self._outbox, self._name))

    def read(self) -> Record:
        """Return what is recorded."""
        table, state = self._outbox.delivery, self._outbox.state
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(table).where(self._mine)).one()
            epoch = connection.execute(sa.select(state.c.epoch)).scalar_one()
        progress = Progress(epoch, row.progress, row.mark) if row.progress > 0 else None
        return Record(
            progress=progress,
            planned=_read_plan(row.plan, epoch) if row.plan else None,
            state=DeliveryState(row.state),
            window_end=row.window_end,
            memo=row.memo,
        )

    def last_batch(self) -> int:
        """Return the number of the source's newest batch."""
        with self._engine.connect() as connection:
            found: int = connection.execute(sa.select(self._outbox.state.c.last_batch)).scalar_one()
            return found

    def take_lease(self, owner: str, abandoned: Sequence[str] = ()) -> bool:
        """Take or renew the lease; return False while another owner holds it.

        `abandoned` names owners that are known to be gone.
        """
        table = self._outbox.delivery
        now = datetime.now(UTC)
        free = sa.or_(
            table.c.lease_owner.is_(None),
            table.c.lease_owner == owner,
            table.c.lease_owner.in_(abandoned),
            table.c.lease_until < now,
        )
        with self._writing.begin() as connection:
            taken = connection.execute(
                sa.update(table)
                .where(self._mine, free)
                .values(lease_owner=owner, lease_until=now + LEASE)
            )
            return taken.rowcount == 1

    def lease_owner(self) -> str | None:
        """Return who holds the lease, in force or not."""
        with self._engine.connect() as connection:
            owner = sa.select(self._outbox.delivery.c.lease_owner).where(self._mine)
            holder: str | None = connection.execute(owner).scalar_one()
            return holder

    def release_lease(self, owner: str) -> None:
        """Give the lease back, if it is still ours."""
        table = self._outbox.delivery
        with self._writing.begin() as connection:
            connection.execute(
                sa.update(table)
                .where(self._mine, table.c.lease_owner == owner)
                .values(lease_owner=None, lease_until=None)
            )

    def plan(self, work: Round, owner: str) -> None:
        """Record a round before its first byte goes out, so that a retry repeats the same one.

        Raises `ProgressConflict` when the lease is not `owner`'s any more, as do `finish` and
        `adopt`: a process that was asleep must not undo what another has done since.
        """
        plan: dict[str, object] = {
            "first_batch": work.first_batch,
            "last_batch": work.reached.batch_no,
            "mark": work.reached.mark,
            "rows": work.rows,
        }
        if work.window is not None:
            plan["window"] = [work.window.start.isoformat(), work.window.end.isoformat()]
        self._update_as(owner, plan=json.dumps(plan))

    def finish(self, work: Round, outcome: Outcome, owner: str) -> None:
        """Record that a round is durable at the target."""
        table = self._outbox.delivery
        # A window before the source's first batch finishes none: there is no progress yet.
        progress = {"progress": work.reached.batch_no, "mark": work.reached.mark}
        self._update_as(
            owner,
            **(progress if work.reached.mark else {}),
            plan=None,
            window_end=work.window.end if work.window is not None else None,
            memo=outcome.memo if outcome.memo is not None else table.c.memo,
            delivered_at=datetime.now(UTC),
            changes=table.c.changes + outcome.changes,
            written=table.c.written + outcome.written,
            coerced=table.c.coerced + outcome.coerced,
            state=sa.case(
                (table.c.state == DeliveryState.PAUSED.value, table.c.state),
                else_=DeliveryState.RUNNING.value,
            ),
            last_error=None,
            last_error_at=None,
        )

    def remember(self, memo: str | None, owner: str) -> None:
        """Record a memo outside a round; see `finish`."""
        self._update_as(owner, memo=memo)

    def adopt(self, progress: Progress, owner: str) -> None:
        """Take over the progress that the target itself keeps."""
        self._update_as(owner, progress=progress.batch_no, mark=progress.mark)

    def fail(self, state: DeliveryState, error: str) -> None:
        """Record an error, unless the delivery is paused meanwhile."""
        table = self._outbox.delivery
        kept = sa.case(
            (table.c.state == DeliveryState.PAUSED.value, table.c.state), else_=state.value
        )
        self._update(state=kept, last_error=error, last_error_at=datetime.now(UTC))

    def last_run(self) -> datetime | None:
        """Return when the last scheduled run ended, or the schedule began; None: neither yet."""
        ran_at = sa.select(self._outbox.delivery.c.ran_at).where(self._mine)
        with self._engine.connect() as connection:
            found: datetime | None = connection.execute(ran_at).scalar_one()
            return found

    def note_run(self, moment: datetime) -> None:
        """Record the end of a scheduled run."""
        self._update(ran_at=moment)

    def try_again(self) -> None:
        """Let a delivery that was stopped by an error run again."""
        table = self._outbox.delivery
        with self._writing.begin() as connection:
            connection.execute(
                sa.update(table)
                .where(self._mine, table.c.state == DeliveryState.STOPPED.value)
                .values(state=DeliveryState.RUNNING.value)
            )

    def set_state(self, state: DeliveryState) -> None:
        """Record what somebody asked for."""
        self._update(state=state.value)

    def park(
        self, work: Round, parked: Sequence[Parked], state: LetterState = LetterState.PARKED
    ) -> None:
        """Record dead letters; a repetition of the round replaces them."""
        table = self._outbox.dead_letter
        now = datetime.now(UTC)
        ids = [item.change.id for item in parked]
        with self._writing.begin() as connection:
            mine = sa.and_(table.c.route == self._name.route, table.c.target == self._name.target)
            connection.execute(sa.delete(table).where(mine, table.c.change_id.in_(ids)))
            connection.execute(
                sa.insert(table),
                [
                    {
                        "route": self._name.route,
                        "target": self._name.target,
                        "change_id": item.change.id,
                        "batch_no": work.reached.batch_no,
                        "table_name": item.change.table,
                        "change": encode(item.change).decode(),
                        "error": item.error,
                        "attempts": 1,
                        "state": state.value,
                        "parked_at": now,
                    }
                    for item in parked
                ],
            )

    def forget_parked_after(self, progress: Progress | None) -> None:
        """Drop dead letters of rounds that were not finished: they will be delivered again."""
        table = self._outbox.dead_letter
        with self._writing.begin() as connection:
            connection.execute(
                sa.delete(table).where(
                    table.c.route == self._name.route,
                    table.c.target == self._name.target,
                    table.c.batch_no > (progress.batch_no if progress else 0),
                )
            )

    def _update_as(self, owner: str, **values: object) -> None:
        table = self._outbox.delivery
        with self._writing.begin() as connection:
            still_ours = sa.and_(self._mine, table.c.lease_owner == owner)
            updated = connection.execute(sa.update(table).where(still_ours).values(**values))
            if updated.rowcount != 1:
                raise ProgressConflict(str(self._name))

    def _update(self, **values: object) -> None:
        with self._writing.begin() as connection:
            connection.execute(sa.update(self._outbox.delivery).where(self._mine).values(**values))


def _read_plan(text: str, epoch: str) -> Round:
    plan = json.loads(text)
    return Round(
        previous=None,
        reached=Progress(epoch, plan["last_batch"], plan["mark"]),
        first_batch=plan["first_batch"],
        rows=plan["rows"],
        window=_read_window(plan["window"]) if "window" in plan else None,
    )


def _read_window(ends: Sequence[str]) -> Window:
    start, end = (datetime.fromisoformat(end) for end in ends)
    return Window(start, end)
