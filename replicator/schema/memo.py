"""What a delivery to a SQL target remembers of the columns that it has written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from replicator.targets.sql.evolution import Written


class Memo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Kept in the source's record of the delivery."""

    columns: Mapping[str, Mapping[str, Written]] = {}
    """By source table and its column, as of the last time that the delivery has begun."""

    late: Mapping[str, Sequence[str]] = {}
    """By source table: columns that are written only when all that was captured without them is."""

    notes: Sequence[str] = ()
    """What the route's policy has left out, for `status`."""

    def encode(self) -> str:
        """Return it as text."""
        return msgspec.json.encode(self).decode()


def read_memo(text: str | None) -> Memo:
    """Return what was remembered; nothing where there is no text."""
    return Memo() if text is None else msgspec.json.decode(text, type=Memo)
