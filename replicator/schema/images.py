"""Noticing by the changes themselves that a table is captured with other columns."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from msgspec import Raw

from replicator.change import Block, Decoder
from replicator.pipeline.ranges import Range
from replicator.pipeline.reader import ChangeReader
from replicator.pipeline.schema import CaptureChanged
from triggers.model import INCOMPLETE

INSTALL_SECONDS = 1.0
"""How long after a new trigger the record of it may be missing, where each commits by itself."""

_PAUSE = 0.05

_members = Decoder(dict[str, Raw]).decode


class WatchedReader:
    """Reads changes, and raises `CaptureChanged` before those that show another capture.

    Of each table the last image of a block is looked at: an installation lets no other follow one
    of its own. With `every_block` no change passes that has columns of a capture which the
    delivery does not know; otherwise the last block of each reading is looked at.
    """

    def __init__(
        self,
        reader: ChangeReader,
        columns: Mapping[str, Collection[str]],
        is_current: Callable[[], bool],
        *,
        every_block: bool,
    ) -> None:
        """Prepare; `columns` by table, as captured. `is_current` looks whether they still are."""
        self._reader = reader
        self._columns = {table: frozenset(names) for table, names in columns.items()}
        self._is_current = is_current
        self._every_block = every_block
        self._waited: set[tuple[str, frozenset[str]]] = set()

    def read(self, ids: Sequence[Range], tables: Sequence[str]) -> Iterator[Block]:
        """See `ChangeReader.read`."""
        held: Block | None = None
        for block in self._reader.read(ids, tables):
            if held is not None:
                yield held
            if self._every_block:
                self._examine(block)
            held = block
        if held is not None:
            if not self._every_block:
                self._examine(held)
            yield held

    def close(self) -> None:
        """See `ChangeReader.close`."""
        self._reader.close()

    def _examine(self, block: Block) -> None:
        last = {change.table: change for change in block.raw_changes() if change.op != "T"}
        for table, change in last.items():
            found = frozenset(_members(change.image))
            known = self._columns[table]
            if found == known or INCOMPLETE in found:
                continue
            if not self._is_current() or (found - known and self._waits(table, found)):
                raise CaptureChanged(table)

    def _waits(self, table: str, found: frozenset[str]) -> bool:
        """Wait for the record of an installation, once; return whether it has come."""
        if not self._every_block or (table, found) in self._waited:
            return False
        self._waited.add((table, found))
        deadline = time.monotonic() + INSTALL_SECONDS
        while time.monotonic() < deadline:
            time.sleep(_PAUSE)
            if not self._is_current():
                return True
        return False
