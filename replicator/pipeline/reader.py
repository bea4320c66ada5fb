"""What the pipeline needs in order to read changes out of a source's outbox."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from replicator.change import Block
from replicator.pipeline.ranges import Range

BLOCK_LINES = 1_000
BLOCK_BYTES = 1 << 20


class ChangeReader(Protocol):
    """Reads outbox lines."""

    def read(self, ids: Sequence[Range], tables: Sequence[str]) -> Iterator[Block]:
        """Yield the changes of these tables with these ids, in order of id, in blocks.

        A block holds up to BLOCK_LINES lines in about BLOCK_BYTES; larger ones hold a large line,
        or a few of them. `ids` are sorted and disjoint.
        """

    def close(self) -> None:
        """Give the connection back; also in the middle of a `read`."""


def blocks(lines: Iterator[bytes]) -> Iterator[Block]:
    """Group lines into blocks."""
    block: list[bytes] = []
    size = 0
    for line in lines:
        block.append(line)
        size += len(line)
        if size >= BLOCK_BYTES or len(block) >= BLOCK_LINES:
            yield Block.of(block)
            block, size = [], 0
    if block:
        yield Block.of(block)
