"""What may escape capture."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from triggers.dialects.base import Finding, Subject
from triggers.outbox import Outbox


def findings(connection: Connection, subjects: Sequence[Subject], outbox: Outbox) -> list[Finding]:
    """Report what may escape capture, or stand in the way of installing it."""
    del connection, subjects, outbox
    return []
