"""The reader that everybody writes first: it remembers the highest id that it has seen."""

from __future__ import annotations

import json
import threading

import sqlalchemy as sa
from sqlalchemy import Engine

from triggers.outbox import Outbox


class NaiveReader:
    """Follows the outbox with `id > last`, and keeps what it believes the table to hold."""

    def __init__(self, engine: Engine, outbox: Outbox) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        change = outbox.change
        images = (sa.cast(image, sa.Text) for image in (change.c.before, change.c.after))
        self._query = (
            sa.select(change.c.id, change.c.op, *images)
            .where(change.c.id > sa.bindparam("last"))
            .order_by(change.c.id)
        )
        self._last = 0
        self.versions: dict[int, int] = {}

    def read(self) -> None:
        """Take in what is new."""
        with self._engine.connect() as connection:
            for number, op, before, after in connection.execute(self._query, {"last": self._last}):
                self._last = number
                row = json.loads(after or before)
                if op == "D":
                    self.versions.pop(row["id"], None)
                else:
                    self.versions[row["id"]] = row["version"]

    def follow(self, stop: threading.Event) -> None:
        """Read every few milliseconds until told to stop, and a last time then."""
        while not stop.wait(0.005):
            self.read()
        self.read()
