"""Targets that take whatever columns are captured."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from replicator.pipeline.reader import ChangeReader
from replicator.pipeline.schema import Settled
from replicator.schema.images import WatchedReader
from replicator.schema.watch import SchemaWatch
from replicator.transform import RouteTransforms
from triggers.model import Table


class CapturedSchema:
    """See `Schema`. The delivery begins again when something has changed."""

    def __init__(
        self,
        watch: SchemaWatch,
        captured: Callable[[], Mapping[str, Table]],
        transforms: RouteTransforms,
    ) -> None:
        """Prepare; `captured` returns the tables as they are captured now."""
        self._watch = watch
        self._captured = captured
        self._transforms = transforms
        self._version = 0
        self._columns: dict[str, list[str]] = {}

    def settle(self, memo: str | None) -> Settled:
        """See `Schema.settle`."""
        self._version = self._watch.look()
        captured = self._captured()
        self._columns = {n: [c.name for c in t.columns] for n, t in captured.items()}
        tables = self._transforms.tables(captured)
        self._transforms.require_old_rows()
        return Settled(tables, memo)

    def reader(self, reader: ChangeReader) -> ChangeReader:
        """Return a reader of changes as the target is to see them; after `settle`."""
        version = self._version
        watched = WatchedReader(
            reader, self._columns, lambda: self._watch.look() == version, every_block=True
        )
        return self._transforms.reader(watched)

    def is_current(self, reached: int) -> bool:
        """See `Schema.is_current`."""
        del reached
        return self._watch.version == self._version
