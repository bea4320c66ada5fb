"""Writing changes in the order of the source, and finding those that the target refuses."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from replicator.change import Change, RawChange
from replicator.pipeline.contract import Parked
from replicator.targets.sql.bulk import BulkWriter
from replicator.targets.sql.chunk import Chunk, net_effect
from replicator.targets.sql.conversion import Refused
from replicator.targets.sql.dialect import Dialect
from replicator.targets.sql.plan import TablePlan

SMALL = 20
"""Up to so many changes are written one by one: the bulk path costs more round trips."""
_GROUP = 100
_EXCHANGE_ATTEMPTS = 10

Identity = tuple[str, Hashable]
Both = tuple[RawChange, Change]
"""A change to be written, and as it is parked."""


@dataclass(slots=True)
class Written:
    """What became of changes."""

    rows: int = 0
    parked: list[Parked] = field(default_factory=list)


class StrictOrder:
    """Changes in the order of the source, each by itself when something is refused.

    What is refused is tried again after the others, as long as that helps: a deferrable constraint
    of the source lets rows come in an order that the target refuses. Of a key's changes only the
    last is tried again, and none when a later one has passed, since images are whole rows.
    Deletions that take other rows along wait until the rest is written.
    """

    def __init__(self, dialect: Dialect, plans: Mapping[str, TablePlan], bulk: BulkWriter) -> None:
        self._dialect = dialect
        self._plans = plans
        self._bulk = bulk
        self._refused: dict[Identity, tuple[Both, Refused]] = {}
        self._rows = 0

    def write(self, chunk: Chunk) -> Written:
        """Write the changes of rows; what stays refused is returned as parked."""
        waiting: list[Both] = []
        for piece in chunk.changes():
            self._write_piece([both for both in piece if not self._waits(both[0])])
            waiting += [both for both in piece if self._waits(both[0])]
        self._write_piece(waiting)
        self._retry()
        if self._refused and self._exchange():
            self._retry()
        parked = [
            Parked(change, refused.error) for (_raw, change), refused in self._refused.values()
        ]
        return Written(self._rows, sorted(parked, key=lambda parked: parked.change.id))

    def _waits(self, change: RawChange) -> bool:
        plan = self._plans[change.table]
        return change.op == "D" and plan.cascades and plan.deletes_last

    def _write_piece(self, piece: Sequence[Both]) -> None:
        """Where few rows are refused, most pieces pass in bulk."""
        if len(piece) > SMALL:
            rows = self._bulk.write(net_effect((raw for raw, _change in piece), self._plans))
            if rows is not None:
                self._passed(piece, rows)
                return
        for start in range(0, len(piece), _GROUP):
            self._write_group(piece[start : start + _GROUP])

    def _write_group(self, group: Sequence[Both]) -> None:
        self._dialect.savepoint("several")
        try:
            self._dialect.write([self._plans[raw.table].step(raw) for raw, _change in group])
        except Refused:
            self._dialect.rollback_to_savepoint("several")
            for both in group:
                self._write_one(both)
        else:
            self._passed(group, len(group))

    def _passed(self, changes: Sequence[Both], rows: int) -> None:
        self._rows += rows
        if self._refused:
            for raw, _change in changes:
                self._refused.pop(self._identity(raw), None)

    def _write_one(self, both: Both) -> None:
        raw, _change = both
        self._dialect.savepoint("one")
        try:
            self._dialect.write([self._plans[raw.table].step(raw)])
        except Refused as refused:
            self._dialect.rollback_to_savepoint("one")
            self._refused[self._identity(raw)] = (both, refused)
        else:
            self._passed([both], 1)

    def _retry(self) -> None:
        before = len(self._refused) + 1
        while 0 < len(self._refused) < before:
            before = len(self._refused)
            # Backwards: rows that each refer to the next one would pass one by one.
            for both, _refusal in reversed(list(self._refused.values())):
                self._write_one(both)

    def _exchange(self) -> bool:
        """Let rows swap unique values: delete them all, then insert them again."""
        helped = False
        for table in {raw.table for (raw, _change), _refusal in self._refused.values()}:
            if self._plans[table].exchangeable:
                helped |= self._exchange_in(table)
        return helped

    def _exchange_in(self, table: str) -> bool:
        plan = self._plans[table]
        members = [
            raw
            for (raw, _change), refused in self._refused.values()
            if raw.table == table and refused.unique and raw.op != "D" and plan.is_whole(raw.after)
        ]
        for _ in range(_EXCHANGE_ATTEMPTS):
            if len(members) < 2:
                return False
            members, culprits = self._attempt_exchange(table, members)
            if not culprits:
                self._rows += len(members)
                for change in members:
                    del self._refused[self._identity(change)]
                return True
        return False

    def _attempt_exchange(
        self, table: str, members: list[RawChange]
    ) -> tuple[list[RawChange], list[RawChange]]:
        """Those that passed and those that did not; when there are any of these, all is undone."""
        plan = self._plans[table]
        culprits: list[RawChange] = []
        self._dialect.savepoint("exchange")
        try:
            self._dialect.delete_all(*plan.keys([change.after for change in members]))
        except Refused:  # rows of other tables refer to them
            culprits = members
        else:
            for change in members:
                self._dialect.savepoint("one")
                try:
                    self._dialect.write([plan.step(change)])
                except Refused:
                    self._dialect.rollback_to_savepoint("one")
                    culprits.append(change)
        if culprits:
            self._dialect.rollback_to_savepoint("exchange")
        return [change for change in members if change not in culprits], culprits

    def _identity(self, change: RawChange) -> Identity:
        return change.table, self._plans[change.table].keys_of([change.image])[0]
