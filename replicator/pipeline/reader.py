"""What the pipeline needs in order to read changes out of a source's outbox."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from replicator.pipeline.ranges import Range

BLOCK_LINES = 1_000
BLOCK_BYTES = 1 << 20


class ChangeReader(Protocol):
    """Reads outbox lines: one JSON array of a `Change`'s fields each, UTF-8."""

    def read(self, ids: Sequence[Range], tables: Sequence[str]) -> Iterator[list[bytes]]:
        """Yield the changes of these tables with these ids, in order of id, in blocks.

        A block holds up to BLOCK_LINES lines, or ends with the line that brings it over
        BLOCK_BYTES. `ids` are sorted and disjoint.
        """

    def close(self) -> None:
        """Give the connection back; also in the middle of a `read`."""


def blocks(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    """Group lines into blocks."""
    block: list[bytes] = []
    size = 0
    for line in lines:
        block.append(line)
        size += len(line)
        if len(block) >= BLOCK_LINES or size >= BLOCK_BYTES:
            yield block
            block, size = [], 0
    if block:
        yield block
