"""Writing many changes by their net effect, a few statements for each table."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from operator import itemgetter

from msgspec import Raw

from replicator.targets.sql.chunk import Effects, NetEffect
from replicator.targets.sql.conversion import Refused
from replicator.targets.sql.dialect import Dialect, Shape, Values
from replicator.targets.sql.plan import TablePlan


class BulkWriter:
    """Writes to one database. `plans`: by source table, parents first."""

    def __init__(self, dialect: Dialect, plans: Mapping[str, TablePlan]) -> None:
        self._dialect = dialect
        self._plans = plans

    def write(self, effects: Effects) -> int | None:
        """Write everything and return the number of rows; None: refused, and nothing written."""
        self._dialect.savepoint("bulk")
        try:
            return self._write(effects)
        except Refused:
            self._dialect.rollback_to_savepoint("bulk")
            return None

    def _write(self, effects: Effects) -> int:
        parents_first = [name for name in self._plans if name in effects]
        children_first = parents_first[::-1]
        rows = 0
        for name in children_first:
            if not self._plans[name].deletes_last:
                rows += self._delete(name, effects[name].deletes)
        for name in parents_first:
            rows += self._upsert(self._plans[name], effects[name])
        for name in children_first:
            if self._plans[name].deletes_last:
                rows += self._delete(name, effects[name].deletes)
        return rows

    def _upsert(self, plan: TablePlan, effect: NetEffect) -> int:
        rows = effect.inserts | effect.upserts
        if effect.inserts and plan.trusts_inserts:
            self._dialect.savepoint("inserts")
            try:
                for shape, values in _alike(plan.images(effect.inserts, effect.earlier)):
                    self._dialect.insert_all(shape, values)
                remaining = effect.upserts
            except Refused as refused:
                if not refused.unique:
                    raise
                self._dialect.rollback_to_savepoint("inserts")
                plan.trusts_inserts = False
                remaining = rows
        else:
            remaining = rows
        if remaining:
            for shape, values in _alike(plan.images(remaining, effect.earlier)):
                self._dialect.upsert_all(shape, values)
        return len(rows)

    def _delete(self, table: str, deletes: Mapping[Hashable, Raw]) -> int:
        if deletes:
            shape, keys = self._plans[table].keys(list(deletes.values()))
            self._dialect.delete_all(shape, keys)
        return len(deletes)


def _alike(
    portions: Iterable[tuple[Shape, Sequence[Values]]],
) -> Iterator[tuple[Shape, Iterable[Values]]]:
    """Join neighbouring portions of one shape; each is decoded while the one before is written."""
    for shape, some in groupby(portions, key=itemgetter(0)):
        yield shape, chain.from_iterable(values for _shape, values in some)
