"""Reading tables themselves, page by page in the order of their key, as images like a trigger's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from replicator.canonical import Digest, Form
from replicator.change import Block, Decoder, Row, encode
from replicator.pipeline.copying import RawForm
from replicator.pipeline.reader import blocks
from replicator.transform.model import Result
from triggers.model import Column, Table

PAGE_ROWS = 20_000
"""Rows that one page has at most."""

PAGE_BYTES = 2 << 20
"""What a page should take; how many rows that are is learnt from the page before."""

FIRST_ROWS = 500

Bound = tuple[str, Row]
"""An operator, and the key with which rows are compared by it."""

_decoder = Decoder(Row)


@dataclass(frozen=True, slots=True)
class Page:
    """Consecutive rows of a table."""

    blocks: Sequence[Block]
    rows: int
    """How many rows it has, those left out by a transform included, or about as many."""
    last: bytes | None
    """The key up to which the page goes, as JSON; None: to the end of the table."""
    raw: bytes | None = None
    """The rows in the form that was asked for, in place of blocks."""

    @classmethod
    def of(cls, found: Sequence[Block], last: bytes | None, rows: int | None = None) -> Page:
        """A page of these blocks; `rows` where they do not tell how many rows it has."""
        return cls(found, sum(block.count for block in found) if rows is None else rows, last)

    def rows_next(self) -> int:
        """How many rows the next page should have."""
        size = sum(len(block.json) for block in self.blocks) + len(self.raw or b"")
        return min(
            PAGE_ROWS, 4 * max(self.rows, 1), PAGE_BYTES * max(self.rows, 1) // (size + 1) + 1
        )


class PageReader(ABC):
    """Reads pages on a connection of its own, each in a short transaction; takes no locks."""

    def page(
        self, table: Table, after: bytes | None, rows: int, result: Result | None = None
    ) -> Page:
        """Read about so many rows that follow a key (None: from the start).

        With a `result` of the table its rows come, those that it has. Raises `RowRefused` when its
        transform fails for one of them.
        """
        last = self.boundary(table, after, rows)
        found = self.between(table, after, last, result)
        return Page.of(found, last, rows if result is not None and last is not None else None)

    def raw_page(self, table: Table, after: bytes | None, rows: int, form: RawForm) -> Page | None:
        """As `page`, with the rows in a form of this engine; None: it is another's."""
        del table, after, rows, form
        return None

    @abstractmethod
    def boundary(
        self, table: Table, after: bytes | None, rows: int, last: bytes | None = None
    ) -> bytes | None:
        """The key of the row so many rows behind a key, up to another; None: there are fewer."""

    @abstractmethod
    def between(
        self, table: Table, after: bytes | None, last: bytes | None, result: Result | None = None
    ) -> list[Block]:
        """Read the rows behind a key up to another; like `page` with a `result`."""

    @abstractmethod
    def digest(
        self,
        table: Table,
        after: bytes | None,
        last: bytes | None,
        forms: Mapping[str, Form],
        result: Result | None = None,
    ) -> Digest | None:
        """Have the server compute the digest of the rows behind a key up to another.

        `forms`: of the columns, in order. None: it could not be computed. Raises as `page` does.
        """

    @abstractmethod
    def find(self, table: Table, keys: Sequence[Row], result: Result | None = None) -> list[Block]:
        """Read the rows with these keys, those that there are; like `page` with a `result`."""

    @abstractmethod
    def estimate(self, table: Table) -> int:
        """About how many rows a table has."""

    @abstractmethod
    def close(self) -> None:
        """Give the connection back."""


def decode_key(key: bytes) -> Row:
    """Decode a key of `Page.last`."""
    return _decoder.decode(key)


def encode_key(row: Row) -> bytes:
    """Encode a key as JSON."""
    return encode(row)


def bounds_between(after: bytes | None, last: bytes | None) -> list[Bound]:
    """The bounds of what is behind a key, up to another."""
    return [
        (operator, decode_key(key))
        for operator, key in ((">", after), ("<=", last))
        if key is not None
    ]


def where(conditions: Sequence[str]) -> str:
    """A WHERE clause, with a blank before it; nothing without conditions."""
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def key_only(table: Table) -> Table:
    """The table as if it had no columns besides its key."""
    return replace(table, columns=tuple(table.column(name) for name in table.key))


def key_columns(table: Table) -> list[Column]:
    """The columns of the key."""
    return [table.column(name) for name in table.key]


@dataclass(frozen=True, slots=True)
class LineParts:
    """What stands around a row's image to make an outbox line of an insertion, with id 0."""

    head: bytes
    tail: bytes

    @classmethod
    def of(cls, table: Table) -> LineParts:
        """The parts for rows of a table that are read now."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
        return cls(b"[0," + encode(table.name) + b',"I",null,', f',null,"{now}"]'.encode())

    def blocks(self, images: Iterator[bytes]) -> list[Block]:
        """Make blocks of images."""
        head, tail = self.head, self.tail
        return list(blocks(head + image + tail for image in images))
