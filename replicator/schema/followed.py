"""SQL targets, whose tables follow those of the source by the route's policy."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Literal, assert_never

from sqlalchemy.engine import URL

from replicator.errors import DeliveryStopped
from replicator.pipeline.contract import DeliveryName
from replicator.pipeline.reader import ChangeReader
from replicator.pipeline.schema import Settled
from replicator.schema.difference import ColumnChange, differences, told
from replicator.schema.images import WatchedReader
from replicator.schema.memo import Memo, read_memo
from replicator.schema.watch import SchemaWatch
from replicator.snapshot.copying import TableCopies
from replicator.targets.sql.evolution import Known, Lag, compare, execute
from replicator.transform import RouteTransforms
from triggers.model import Table

log = logging.getLogger(__name__)

Policy = Literal["stop", "ignore", "apply"]

INSTALL = "replicator triggers install"


class FollowedSchema:
    """See `Schema`.

    A column that is new to the delivery, or has another type, is late at first: it is written only
    when everything is delivered that was captured before its triggers were in place, and then its
    table is copied again, which brings the values that no trigger has seen (docs/decisions/0023).
    """

    def __init__(
        self,
        name: DeliveryName,
        policy: Policy,
        *,
        watch: SchemaWatch,
        captured: Callable[[], Mapping[str, Table]],
        now: Callable[[], Mapping[str, Table]],
        transforms: RouteTransforms,
        own: Collection[str],
        into: Mapping[str, str],
        url: URL,
        copying: TableCopies,
        seal: Callable[[], int],
    ) -> None:
        """Prepare.

        `captured` returns the tables as their triggers capture them, `now` as they are; `own` are
        those that the target itself writes. `seal` seals all that is visible and returns the last
        batch.
        """
        self._name = name
        self._policy = policy
        self._watch = watch
        self._captured = captured
        self._now = now
        self._transforms = transforms
        self._own = own
        self._into = into
        self._url = url
        self._copying = copying
        self._seal = seal
        self._version = 0
        self._columns: dict[str, list[str]] = {}
        self._late = False
        self._late_until: int | None = None  # the last batch that late columns wait for

    def settle(self, memo: str | None) -> Settled:
        """See `Schema.settle`."""
        self._version = self._watch.look()
        known = read_memo(memo)
        captured, now = self._captured(), self._now()
        self._columns = {n: [c.name for c in t.columns] for n, t in captured.items()}
        changes = self._changes_seen(captured, now) if differences(captured, now) else []
        if changes:
            self._judge_changes(changes, now, known)
        tables = dict(self._transforms.tables(captured))
        self._transforms.require_old_rows()
        lags, written = self._compare(tables, known.columns)
        left_out = self._judge_lags(lags, known)
        if self._policy == "apply" and any(lag.kind == "missing" for lag in lags):
            _, written = self._compare(tables, known.columns)
        written, waiting = _until_installed(written, changes)
        late = self._late_columns(written, known)
        notes = [_not_captured(change) for change in changes]
        notes += [f"{lag.message}: it is left out" for lag in left_out]
        for note in notes:
            if note not in known.notes:
                log.warning("%s: %s", self._name, note)
        self._late, self._late_until = bool(late), None
        skipped = {(lag.table, lag.column) for lag in left_out} | waiting
        skipped |= {(table, column) for table, columns in late.items() for column in columns}
        return Settled(
            {name: _without(table, skipped) for name, table in tables.items()},
            Memo(columns=written, late=late, notes=notes).encode(),
        )

    def is_current(self, reached: int) -> bool:
        """See `Schema.is_current`."""
        if self._watch.version != self._version:
            return False
        if not self._late:
            return True
        if self._late_until is None:
            self._late_until = self._seal()
        if reached < self._late_until:
            return True
        self._copying.catch_up()
        return False

    def reader(self, reader: ChangeReader) -> ChangeReader:
        """Return a reader of changes as the target is to see them; after `settle`."""
        version = self._version
        watched = WatchedReader(
            reader, self._columns, lambda: self._watch.look() == version, every_block=False
        )
        return self._transforms.reader(watched)

    def _changes_seen(
        self, captured: Mapping[str, Table], now: Mapping[str, Table]
    ) -> list[ColumnChange]:
        """Return what `triggers install` would change for the target."""
        before, after = self._seen(captured), self._seen(now)
        return [change for change in differences(before, after) if change.table in self._own]

    def _seen(self, tables: Mapping[str, Table]) -> Mapping[str, Table]:
        transforms = replace(self._transforms, results={})
        transforms.resolve(tables)
        return transforms.seen(tables)

    def _compare(self, tables: Mapping[str, Table], known: Known) -> tuple[list[Lag], Known]:
        own = [table for name, table in tables.items() if name in self._own]
        return compare(own, self._into, self._url, known)

    def _judge_changes(
        self, changes: Sequence[ColumnChange], now: Mapping[str, Table], known: Memo
    ) -> None:
        """Stop for changes whose capture is not installed yet, if the policy says so."""
        lags, _ = self._compare(self._seen(now), known.columns)
        changed = {change.table for change in changes}
        lags = [lag for lag in lags if lag.table in changed]
        match self._policy:
            case "stop":
                pass
            case "apply":
                lags = [lag for lag in lags if lag.kind in ("refused", "narrow")]
                if not lags:
                    return
            case "ignore":
                return
            case _:
                assert_never(self._policy)
        raise DeliveryStopped(
            f"the source has changed: {told(changes)}",
            "\n  ".join([f"on the source: {INSTALL}", *map(_mend, lags)]),
        )

    def _judge_lags(self, lags: Sequence[Lag], known: Memo) -> list[Lag]:
        """Do what the policy says; return the columns that are left out."""
        for lag in lags:
            if lag.kind == "dropped" and lag.column in known.columns.get(lag.table, {}):
                log.warning("%s: %s; the target keeps the column as it is", self._name, lag.message)
        lags = [lag for lag in lags if lag.kind != "dropped"]
        left_out: list[Lag] = []
        match self._policy:
            case "stop":
                stopping = [lag for lag in lags if lag.table in known.columns]
            case "ignore":
                left_out = [lag for lag in lags if lag.kind in ("missing", "refused")]
                stopping = [lag for lag in lags if lag.kind == "required"]
            case "apply":
                missing = [lag for lag in lags if lag.kind == "missing"]
                stopping = [lag for lag in lags if lag.kind != "missing"]
                if not stopping:
                    execute(self._url, missing)
                    for lag in missing:
                        log.info("%s: %s; added: %s", self._name, lag.message, lag.mend)
            case _:
                assert_never(self._policy)
        if stopping:
            raise DeliveryStopped(
                "; ".join(lag.message for lag in stopping), "\n  ".join(map(_mend, stopping))
            )
        return left_out

    def _late_columns(self, written: Known, known: Memo) -> dict[str, list[str]]:
        """Return the columns that are not written yet; asks for copies of their tables."""
        waiting = self._copying.waits_for()
        late: dict[str, list[str]] = {}
        again: list[str] = []
        for table, columns in written.items():
            before = known.columns.get(table)
            fresh = [
                column
                for column, now in columns.items()
                if before is not None
                and (column not in before or before[column].native != now.native)
            ]
            if fresh:
                again.append(table)
            if fresh or table in waiting:
                all_ = dict.fromkeys([*known.late.get(table, ()), *fresh])
                late[table] = [column for column in all_ if column in columns]
        if again:
            log.info("%s: copied again for their new columns: %s", self._name, ", ".join(again))
            self._copying.copy_again(again)
        return late


def _mend(lag: Lag) -> str:
    return f"on the target: {lag.mend}"


def _not_captured(change: ColumnChange) -> str:
    return f"table {change.table}: {change}; run: {INSTALL}"


def _until_installed(
    written: Known, changes: Sequence[ColumnChange]
) -> tuple[Known, set[tuple[str, str]]]:
    """Take out the columns whose new type is not captured yet, where rows can be without them.

    Their values may have any form until then.
    """
    waiting = {
        (change.table, change.column)
        for change in changes
        if change.was is not None
        and change.now is not None
        and (found := written.get(change.table, {}).get(change.column)) is not None
        and not found.required
    }
    kept = {
        table: {name: column for name, column in columns.items() if (table, name) not in waiting}
        for table, columns in written.items()
    }
    return kept, waiting


def _without(table: Table, skipped: Collection[tuple[str, str]]) -> Table:
    """Return a table without some columns; its key stays whole."""
    columns = tuple(
        column
        for column in table.columns
        if column.name in table.key or (table.name, column.name) not in skipped
    )
    return replace(table, columns=columns)
