"""Writing a chunk: in bulk if that works, else in strict order, row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from replicator.change import Change
from replicator.pipeline.contract import Parked
from replicator.targets.sql.bulk import BulkWriter
from replicator.targets.sql.chunk import Chunk
from replicator.targets.sql.conversion import Refused
from replicator.targets.sql.dialect import Dialect
from replicator.targets.sql.plan import TablePlan
from replicator.targets.sql.strict import SMALL, StrictOrder, Written


class ChunkWriter:
    """Writes chunks to one database. `plans`: by source table, parents first."""

    def __init__(self, dialect: Dialect, plans: Mapping[str, TablePlan]) -> None:
        self._dialect = dialect
        self._plans = plans
        self._bulk = BulkWriter(dialect, plans)

    def write(self, chunk: Chunk) -> Written:
        """Write a chunk into the open transaction; refused changes are returned, not raised."""
        written = self._write_rows(chunk)
        self._empty_tables(chunk.truncates, written)
        return written

    def _write_rows(self, chunk: Chunk) -> Written:
        rows = self._bulk.write(chunk.effects) if chunk.taken > SMALL else None
        if rows is not None:
            return Written(rows)
        return StrictOrder(self._dialect, self._plans, self._bulk).write(chunk)

    def _empty_tables(self, truncates: Sequence[Change], written: Written) -> None:
        """Empty tables, children first."""
        places = {name: place for place, name in enumerate(self._plans)}
        for change in sorted(truncates, key=lambda change: -places[change.table]):
            self._dialect.savepoint("truncate")
            try:
                self._dialect.empty(self._plans[change.table].target)
                written.rows += 1
            except Refused as refused:
                self._dialect.rollback_to_savepoint("truncate")
                written.parked.append(Parked(change, refused.error))
