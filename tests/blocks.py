"""Changes in the form in which a source delivers them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from replicator.change import Block, Change, RawChange, encode


def block(changes: Sequence[Change]) -> Block:
    """Encode changes as one block."""
    return Block.of([encode(change) for change in changes])


def in_blocks(changes: Sequence[Change], size: int) -> Iterator[Block]:
    """Encode changes as blocks of at most `size`."""
    for start in range(0, len(changes), size):
        yield block(changes[start : start + size])


def raw(changes: Sequence[Change]) -> Sequence[RawChange]:
    """Return changes with their images still encoded."""
    return block(changes).raw_changes()
