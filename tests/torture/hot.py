"""The table `hot` of one database replicated to others, and proof of how it was done."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Engine

from replicator.pipeline import ranges
from replicator.pipeline.contract import DeliveryName
from replicator.pipeline.deliveries import Deliveries
from tests.load import hot_rows
from tests.load.hot_rows import TABLE
from tests.replication import Replication, Section, execute
from tests.servers import Database
from tests.wait import wait_until
from triggers.capture import Capture
from triggers.engine import make_engine

AUDIT = {
    "postgresql": (
        "CREATE TABLE audit (seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id INTEGER,"
        " version INTEGER)",
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " INSERT INTO audit (id, version) VALUES (NEW.id, NEW.version); RETURN NULL; END $$",
        f"CREATE TRIGGER note AFTER INSERT OR UPDATE ON {TABLE} FOR EACH ROW"
        " EXECUTE FUNCTION note()",
    ),
    "mysql": (
        "CREATE TABLE audit (seq BIGINT AUTO_INCREMENT PRIMARY KEY, id INTEGER, version INTEGER)",
        f"CREATE TRIGGER note_insert AFTER INSERT ON {TABLE} FOR EACH ROW"
        " INSERT INTO audit (id, version) VALUES (NEW.id, NEW.version)",
        f"CREATE TRIGGER note_update AFTER UPDATE ON {TABLE} FOR EACH ROW"
        " INSERT INTO audit (id, version) VALUES (NEW.id, NEW.version)",
    ),
}
AUDIT["mariadb"] = AUDIT["mysql"]


def create_audit(engine: Engine, kind: str) -> None:
    """Let the target record each version of each row that is written to it."""
    execute(engine, *AUDIT[kind])


def assert_applied_once_in_order(engine: Engine) -> int:
    """Each row's versions must have been written in rising order, none twice; return how many."""
    with engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT id, version FROM audit ORDER BY seq")).all()
    versions: dict[int, int] = {}
    for key, version in rows:
        assert version > versions.get(key, -1), f"row {key}: {version} after {versions[key]}"
        versions[key] = version
    return len(rows)


Log = list[tuple[str, dict[str, object]]]


@dataclass(frozen=True)
class Ledger:
    """What sealing did."""

    changes: int
    late: int  # sealed after a higher id
    dead_gaps: int


class Hot:
    """A source with the table, its triggers and targets; nothing is ever purged."""

    def __init__(
        self,
        source: Database,
        targets: Mapping[str, Section],
        folder: Path,
        *,
        url: str | None = None,
    ) -> None:
        """`url`: how the replicator reaches the source, if not directly."""
        self.source = source
        self._direct = source.url
        execute(source.engine, hot_rows.CREATE)
        self.replication = Replication(
            folder,
            sources={"here": source.url},
            targets=targets,
            routes=[
                {"name": "hot", "source": "here", "tables": [TABLE], "targets": list(targets)},
            ],
        )
        self.replication.prepare()
        with self._capture() as capture:  # a delivery that never gets anything keeps everything
            Deliveries(capture.engine, capture.outbox, DeliveryName("keep", "all")).register()
        if url is not None:
            self.replication.write(
                sources={"here": url},
                targets=targets,
                routes=[
                    {"name": "hot", "source": "here", "tables": [TABLE], "targets": list(targets)},
                ],
            )

    def warm_up(self, target: Engine) -> None:
        """Write one row, and wait until it has come: the replicator is at work from here on."""
        execute(self.source.engine, f"INSERT INTO {TABLE} VALUES (0, 1, 0, '')")
        wait_until(lambda: hot_rows.content(target), 60, "the first row delivered")

    def wait_until_delivered(self, *targets: str, seconds: float = 60) -> None:
        """Wait until everything is sealed, and deliveries have finished the last batch."""
        wait_until(lambda: self._delivered(targets), seconds, "everything delivered")

    def progress(self, target: str) -> int:
        """The last batch that a delivery has finished, as the source has it; 0 for none."""
        with self._capture() as capture, capture.engine.connect() as connection:
            table = capture.outbox.delivery
            query = sa.select(table.c.progress).where(table.c.target == target)
            return connection.execute(query).scalar() or 0

    def ledger(self) -> Ledger:
        """Check that each change is in exactly one batch; return what sealing did."""
        with self._capture() as capture, capture.engine.connect() as connection:
            outbox = capture.outbox
            ids = list(connection.execute(sa.select(outbox.change.c.id)).scalars())
            texts = connection.execute(
                sa.select(outbox.batch.c.ids).order_by(outbox.batch.c.batch_no)
            ).scalars()
            sealed = [
                number
                for text in texts
                for first, last in ranges.decode(text)
                for number in range(first, last + 1)
            ]
            closed = sa.select(sa.func.count()).where(outbox.gap.c.closed_at.is_not(None))
            dead = connection.execute(closed).scalar_one()
        assert sorted(sealed) == sorted(ids)
        late = highest = 0
        for number in sealed:
            late += number < highest
            highest = max(highest, number)
        return Ledger(len(ids), late, dead)

    def logged(self) -> Log:
        """The whole change log in the order of the ids: operation and row."""
        with self._capture() as capture, capture.engine.connect() as connection:
            change = capture.outbox.change
            images = (sa.cast(image, sa.Text) for image in (change.c.before, change.c.after))
            rows = connection.execute(sa.select(change.c.op, *images).order_by(change.c.id))
            return [(op, json.loads(after or before)) for op, before, after in rows]

    def _delivered(self, targets: tuple[str, ...]) -> bool:
        with self._capture() as capture, capture.engine.connect() as connection:
            outbox = capture.outbox
            state = connection.execute(sa.select(outbox.state)).one()
            newest = connection.execute(sa.select(sa.func.max(outbox.change.c.id))).scalar()
            gaps = sa.select(sa.func.count()).where(outbox.gap.c.closed_at.is_(None))
            still_open = connection.execute(gaps).scalar_one()
            table = outbox.delivery
            query = sa.select(table.c.target, table.c.progress)
            reached = {row.target: row.progress for row in connection.execute(query)}
        return (
            state.highest_id == (newest or 0)
            and still_open == 0
            and all(reached.get(target) == state.last_batch for target in targets)
        )

    def _capture(self) -> _Opened:
        return _Opened(self._direct)


class _Opened:
    """The source's capture with an engine of its own, for a moment."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __enter__(self) -> Capture:
        self._capture = Capture(make_engine(self._url))
        return self._capture

    def __exit__(self, *exc: object) -> None:
        self._capture.engine.dispose()
