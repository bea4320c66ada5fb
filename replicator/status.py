"""How far every delivery is, read from the sources alone: targets may be down."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from replicator import config
from replicator.compose import OpenSource, delivery_names
from replicator.config.schedule import Realtime
from replicator.pipeline.contract import DeliveryName
from replicator.reach import address
from replicator.schema.memo import read_memo
from replicator.snapshot.record import CopyState
from triggers import migrations
from triggers.outbox import Outbox

ALARM_ROWS = 1_000_000
ALARM_SECONDS = 24 * 3600
"""From how many waiting changes, or how long a wait, on `status` raises the alarm."""


@dataclass(frozen=True, slots=True)
class CopyStatus:
    """A table whose copy (`replicator snapshot`) is not finished."""

    table: str
    state: str
    """waiting, copying, or copied: what was refused is looked at, or files are being put out."""
    rows: int
    estimate: int
    """About how many rows the table has."""


@dataclass(frozen=True, slots=True)
class DeliveryStatus:
    """One delivery. Times are UTC; what is not known, or does not apply, is None."""

    route: str
    target: str
    source: str
    state: str
    """running, not running, paused, stopped, failing, not started; or unknown: no word from the
    source."""
    batch: int
    last_batch: int
    lag_changes: int
    """Changes of the source, of any table, that it has not passed yet."""
    lag_seconds: float | None
    """Age of the oldest of them."""
    delivered: int
    written: int
    coerced: int
    dead_letters: int
    delivered_at: datetime | None = None
    last_error: str | None = None
    last_error_at: datetime | None = None
    notes: tuple[str, ...] = ()
    """What it leaves out because the route says `schema_changes = "ignore"`, or as long as new
    columns are not captured."""
    next_run: datetime | None = None
    replicator: str | None = None
    """The process that holds it: host, process number, and a word of its own."""
    copies: tuple[CopyStatus, ...] = ()
    """The tables of a copy that is under way, or was interrupted."""


@dataclass(frozen=True, slots=True)
class UnknownDelivery:
    """A delivery in the source's records that the configuration does not have any more.

    Nothing that it has not finished is purged, so it has to be removed by `remedy`.
    """

    route: str
    target: str
    batch: int
    remedy: str


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One source, and the deliveries that it feeds."""

    name: str
    address: str
    deliveries: list[DeliveryStatus]
    error: str | None = None
    """Why nothing is known: the source cannot be reached."""
    installed: bool = False
    last_batch: int = 0
    unsealed: int = 0
    waiting: int = 0
    """Changes in the outbox that some delivery has not passed yet, the unsealed ones included."""
    waiting_seconds: float | None = None
    open_gaps: int = 0
    alarm: str | None = None
    unknown_deliveries: tuple[UnknownDelivery, ...] = ()


def read_source(settings: config.Config, source: OpenSource) -> SourceStatus:
    """Read a source's status. Raises SQLAlchemy's errors, and `CaptureError` for a newer outbox."""
    outbox = source.capture.outbox
    with source.engine.connect() as connection:
        if migrations.installed_version(connection, outbox.schema) is None:
            return unread(settings, source.name)
        return _Reading(settings, source, connection).status()


def unread(settings: config.Config, name: str, error: str | None = None) -> SourceStatus:
    """Return the status of a source that has no outbox, or (`error`) that cannot be read."""
    deliveries = [
        DeliveryStatus(
            route=delivery.route,
            target=delivery.target,
            source=name,
            state="not started" if error is None else "unknown",
            batch=0,
            last_batch=0,
            lag_changes=0,
            lag_seconds=None,
            delivered=0,
            written=0,
            coerced=0,
            dead_letters=0,
        )
        for delivery in delivery_names(settings, name)
    ]
    return SourceStatus(name, address(settings.sources[name].url), deliveries, error)


class _Reading:
    """One look at a source."""

    def __init__(self, settings: config.Config, source: OpenSource, connection: Connection) -> None:
        self._settings = settings
        self._source = source
        self._outbox: Outbox = source.capture.outbox
        self._connection = connection
        self._now = datetime.now(UTC)
        state = connection.execute(sa.select(self._outbox.state)).one()
        self._last_batch: int = state.last_batch
        change = self._outbox.change
        above = change.c.id > state.highest_id
        count = sa.select(sa.func.count()).select_from(change).where(above)
        self._unsealed: int = connection.execute(count).scalar_one()
        first = sa.select(change.c.captured_at).where(above).order_by(change.c.id).limit(1)
        self._oldest_unsealed = connection.execute(first).scalar()

    def status(self) -> SourceStatus:
        delivery, letter = self._outbox.delivery, self._outbox.dead_letter
        rows = self._connection.execute(sa.select(delivery)).all()
        records = {DeliveryName(row.route, row.target): row for row in rows}
        counts = sa.select(letter.c.route, letter.c.target, sa.func.count()).where(
            letter.c.state == "parked"
        )
        grouped = counts.group_by(letter.c.route, letter.c.target)
        letters = {
            DeliveryName(route, target): number
            for route, target, number in self._connection.execute(grouped)
        }
        gap = self._outbox.gap
        gaps = sa.select(sa.func.count()).select_from(gap).where(gap.c.closed_at.is_(None))
        known = delivery_names(self._settings, self._source.name)
        behind = min((row.progress for row in rows), default=0)
        waiting, seconds = self._lag(behind)
        return SourceStatus(
            name=self._source.name,
            address=address(self._source.settings.url),
            deliveries=[self._delivery(n, records.get(n), letters.get(n, 0)) for n in known],
            installed=True,
            last_batch=self._last_batch,
            unsealed=self._unsealed,
            waiting=waiting,
            waiting_seconds=seconds,
            open_gaps=self._connection.execute(gaps).scalar_one(),
            alarm=_alarm(waiting, seconds, [n for n in records if records[n].progress == behind]),
            unknown_deliveries=tuple(
                UnknownDelivery(name.route, name.target, row.progress, self._removal(name))
                for name, row in records.items()
                if name not in known
            ),
        )

    def _delivery(
        self, name: DeliveryName, row: sa.Row[tuple[object, ...]] | None, dead_letters: int
    ) -> DeliveryStatus:
        route = self._settings.route(name.route)
        scheduled = not isinstance(route.schedule, Realtime)
        record = row._mapping if row is not None else {}
        progress = int(record.get("progress", 0))
        changes, seconds = self._lag(progress)
        until = record.get("lease_until")
        held = until is not None and until > self._now
        return DeliveryStatus(
            route=name.route,
            target=name.target,
            source=self._source.name,
            state=_state(record.get("state"), started=progress > 0, held=held),
            batch=progress,
            last_batch=self._last_batch,
            lag_changes=changes,
            lag_seconds=seconds,
            delivered=int(record.get("changes", 0)),
            written=int(record.get("written", 0)),
            coerced=int(record.get("coerced", 0)),
            dead_letters=dead_letters,
            delivered_at=record.get("delivered_at"),
            last_error=record.get("last_error"),
            last_error_at=record.get("last_error_at"),
            notes=self._notes(name, record.get("memo")),
            next_run=(route.next_run(datetime.now(UTC)).astimezone(UTC) if scheduled else None),
            replicator=record.get("lease_owner") if held else None,
            copies=self._copies(name),
        )

    def _copies(self, name: DeliveryName) -> tuple[CopyStatus, ...]:
        table = self._outbox.snapshot
        copies = sa.select(
            table.c.table_name, table.c.state, table.c.copied, table.c.estimate
        ).where(table.c.route == name.route, table.c.target == name.target)
        undone = copies.where(table.c.state != CopyState.DONE.value).order_by(table.c.place)
        return tuple(CopyStatus(*row) for row in self._connection.execute(undone))

    def _lag(self, progress: int) -> tuple[int, float | None]:
        """Return how many changes lie behind a batch, and the age of the oldest."""
        batch = self._outbox.batch
        query = sa.select(
            sa.func.coalesce(sa.func.sum(batch.c.row_count), 0),
            sa.func.min(batch.c.first_captured_at),
        ).where(batch.c.batch_no > progress)
        rows, oldest = self._connection.execute(query).one()
        oldest = min(filter(None, (oldest, self._oldest_unsealed)), default=None)
        # The source's clock may be ahead of this one.
        age = None if oldest is None else max(0.0, (self._now - oldest).total_seconds())
        return int(rows) + self._unsealed, age

    def _notes(self, name: DeliveryName, memo: str | None) -> tuple[str, ...]:
        if not isinstance(self._settings.targets[name.target], config.SqlTarget):
            return ()
        return tuple(read_memo(memo).notes)

    def _removal(self, name: DeliveryName) -> str:
        table = self._outbox.delivery
        delete = sa.delete(table).where(table.c.route == name.route, table.c.target == name.target)
        compiled = delete.compile(
            dialect=self._connection.dialect, compile_kwargs={"literal_binds": True}
        )
        return " ".join(str(compiled).split()) + ";"


def _state(recorded: str | None, *, started: bool, held: bool) -> str:
    if recorded is None:
        return "not started"
    if recorded != "running" or held:
        return recorded
    return "not running" if started else "not started"


def _alarm(waiting: int, seconds: float | None, slowest: list[DeliveryName]) -> str | None:
    if waiting < ALARM_ROWS and (seconds or 0) < ALARM_SECONDS:
        return None
    names = ", ".join(map(str, slowest)) or "no delivery has begun"
    return f"the outbox grows: {waiting} changes wait for {names}"
