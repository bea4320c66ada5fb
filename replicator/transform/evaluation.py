"""Running a transform over the images of changes, in the source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import msgspec
from msgspec import Raw

from replicator.transform.model import Result
from triggers.model import Column

BEFORE: Literal[0] = 0
AFTER: Literal[1] = 1

ID = "outbox id"
SIDE = "outbox side"
"""Columns that tell whose image a row was made of, next to the table's own."""

Place = tuple[int, int]
"""A change's id, and BEFORE or AFTER."""


class Line(msgspec.Struct, array_like=True, gc=False):
    """A change whose images are JSON: all fields of an outbox line."""

    id: int
    table: str
    op: str
    before: Raw
    after: Raw
    origin: str | None
    captured_at: str

    def images(self) -> list[tuple[int, Raw]]:
        """The images that there are, by side."""
        both = ((BEFORE, self.before), (AFTER, self.after))
        return [(side, image) for side, image in both if bytes(image) != b"null"]


class RowRefused(Exception):
    """An expression fails for some row. The message holds no values."""


class Evaluator(Protocol):
    """Evaluates transforms on one connection to the source."""

    def evaluate(
        self,
        result: Result,
        changes: Sequence[Line],
        columns: Sequence[Column],
        side: int | None,
        *,
        filtered: bool,
    ) -> Mapping[Place, bytes]:
        """Return images of result rows, by the place of the image that each was made of.

        Of both sides, or of one. Places that lack are those that `where` leaves out, if `filtered`.
        Changes in between of other ids may come along. The changes are of the result's table, in
        order of id, and their images hold every column. Raises `RowRefused` when an expression
        fails for one of the rows, `DeliveryStopped` when it can succeed for none, and
        `SourceUnavailable`.
        """

    def close(self) -> None:
        """Give the connection back."""
