"""Mending rows by way of their delivery: it reads them again, in turns with its rounds.

The keys become dead letters that wait to be looked at, like those of rows that were refused while
tables were copied. A replicator that runs takes them up.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from replicator.change import Change
from replicator.compose import OpenSource
from replicator.pace import Interrupted
from replicator.pipeline.contract import DeliveryName, Parked
from replicator.pipeline.deliveries import Deliveries
from replicator.snapshot.letters import Letters
from replicator.snapshot.record import Copies
from replicator.verify.finding import Finding
from replicator.verify.flight import Patience

LOOK_SECONDS = 0.2


def is_copying(source: OpenSource, name: DeliveryName) -> bool:
    """Tell whether tables of a delivery are being copied, or rows mended."""
    return Copies(source.engine, source.capture.outbox, name).is_unfinished()


def mend(
    source: OpenSource, name: DeliveryName, findings: Sequence[Finding], stop: threading.Event
) -> None:
    """Have the rows written, or deleted, as the source has them; return when that is done.

    Raises `NoProgress` when nobody does it, and `Interrupted`: then it is done later.
    """
    if not findings:
        return
    engine, outbox = source.engine, source.capture.outbox
    letters = Letters(engine, outbox, name)
    letters.add(
        [Parked(Change(0, f.table, "U", None, f.key, None, _NEVER), _REASON) for f in findings]
    )
    Copies(engine, outbox, name).look_again(list(dict.fromkeys(f.table for f in findings)))
    record = Deliveries(engine, outbox, name)
    patience = Patience(record)
    while is_copying(source, name):
        patience.look(letters.count(), "the rows to be mended")
        if stop.wait(LOOK_SECONDS):
            raise Interrupted


_NEVER = "1970-01-01T00:00:00.000000"
_REASON = "to be mended, as verify --repair asked"
