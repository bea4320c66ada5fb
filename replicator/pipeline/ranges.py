"""Sets of outbox ids, held as sorted, disjoint ranges with both ends included."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence

Range = tuple[int, int]


def merge(ranges: Iterable[Range]) -> list[Range]:
    """Sort ranges and join those that touch."""
    merged: list[Range] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def between(ranges: Iterable[Range], low: int) -> list[Range]:
    """Return what lies between `low` (excluded) and the last range, outside sorted ranges."""
    holes: list[Range] = []
    for first, last in ranges:
        if first > low + 1:
            holes.append((low + 1, first - 1))
        low = last
    return holes


def inside(ranges: Sequence[Range], first: int, last: int) -> list[Range]:
    """Return the part of sorted ranges that lies within `first` to `last`."""
    start = bisect_left(ranges, first, key=lambda r: r[1])
    stop = bisect_right(ranges, last, key=lambda r: r[0])
    return [(max(a, first), min(b, last)) for a, b in ranges[start:stop]]


def split(ranges: Iterable[Range], size: int) -> Iterator[Range]:
    """Cut ranges into pieces of at most `size` ids."""
    for first, last in ranges:
        for start in range(first, last + 1, size):
            yield start, min(start + size - 1, last)


def encode(ranges: Iterable[Range]) -> str:
    """Write ranges as text: `7-9,12`."""
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges)


def decode(text: str) -> list[Range]:
    """Read what `encode` wrote."""
    pairs = (part.partition("-") for part in text.split(","))
    return [(int(first), int(last or first)) for first, _dash, last in pairs]
