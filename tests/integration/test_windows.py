"""Windows from end to end: what was sealed in one is delivered together, and never changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from replicator.pipeline import closing
from replicator.targets.files.manifest import Manifest, decode
from replicator.targets.files.verify import verify_folder
from tests.conftest import MakeDatabase
from tests.replication import Replication, execute
from tests.servers.database import DatabaseKind
from tests.wait import wait_until

DAY = timedelta(days=1)
KINDS: list[DatabaseKind] = ["sqlite", "postgresql", "mariadb", "mysql"]


BY_WINDOW = {"name": "{table}_{window}.csv", "manifest": "{window}.json"}
BY_BATCH = {"name": "{table}_{batch}.csv", "manifest": "{batch}.json"}


def today() -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


class Drops:
    """A source with a table `item`, and a drop of daily windows."""

    def __init__(self, folder: Path, url: str, window: str) -> None:
        self.folder = folder
        self._source = url
        self.replication = self._configured({"window": window, **BY_WINDOW})

    def configure(self, **target: object) -> None:
        """Give the target other settings."""
        self.replication = self._configured(target)

    def _configured(self, target: Mapping[str, object]) -> Replication:
        section = {"type": "files", "url": "file:out", "local_copy": "copy", **target}
        return Replication(
            self.folder,
            sources={"shop": self._source},
            targets={"partner": section},
            routes=[
                {"name": "items", "source": "shop", "tables": ["item"], "targets": ["partner"]}
            ],
        )

    def seal(self, *ids: int, days_ago: float | None = None) -> None:
        """Write and seal rows, as if it had been done some days ago."""
        capture = self.replication.capture("shop")
        try:
            execute(capture.engine, *(f"INSERT INTO item VALUES ({n})" for n in ids))
            with self.replication.sealer("shop") as sealer:
                while (sealing := sealer.seal()).rows or sealing.open_gaps:
                    pass
            if days_ago is not None:
                moment = today() + DAY / 2 - days_ago * DAY
                outbox = capture.outbox
                with capture.engine.begin() as connection:
                    newest = sa.select(sa.func.max(outbox.batch.c.batch_no)).scalar_subquery()
                    number = connection.execute(sa.select(newest)).scalar_one()
                    batch = sa.update(outbox.batch).where(outbox.batch.c.batch_no == number)
                    connection.execute(batch.values(sealed_at=moment))
                    connection.execute(sa.update(outbox.state).values(sealed_to=moment))
        finally:
            capture.engine.dispose()

    def close(self, end: datetime) -> None:
        """Close windows up to a moment."""
        capture = self.replication.capture("shop")
        closing.close_windows(capture.engine, capture.outbox, end)
        capture.engine.dispose()

    def sealed_at(self) -> list[datetime]:
        """When each batch counts as sealed."""
        capture = self.replication.capture("shop")
        batch = capture.outbox.batch
        with capture.engine.connect() as connection:
            query = sa.select(batch.c.sealed_at).order_by(batch.c.batch_no)
            found = list(connection.execute(query).scalars())
        capture.engine.dispose()
        return found

    def manifests(self, folder: str = "out") -> list[Manifest]:
        """The manifests, in order of their names."""
        found = [
            decode(path.read_bytes()) for path in sorted((self.folder / folder).glob("*.json"))
        ]
        return [manifest for manifest in found if manifest is not None]

    def windows(self) -> list[tuple[int, list[int]]]:
        """For each manifest: how many days ago its window was, and the rows of its files."""
        found = []
        for manifest in self.manifests():
            assert manifest.window is not None
            rows = [
                int(line.split(",")[1])
                for file in manifest.files
                for line in (self.folder / "out" / file.name).read_text().splitlines()[1:]
            ]
            found.append(((today() - manifest.window.start).days, rows))
        return found

    def verify(self) -> None:
        """The drop and its copy must both be in order."""
        for folder in ("out", "copy"):
            assert verify_folder(self.folder / folder).problems == []


@pytest.fixture
def drops(make_database: MakeDatabase, tmp_path: Path) -> Drops:
    return made(tmp_path, make_database, "sqlite")


def made(
    folder: Path, make_database: MakeDatabase, kind: DatabaseKind, window: str = "1d"
) -> Drops:
    source = make_database(kind)
    execute(source.engine, "CREATE TABLE item (id INTEGER PRIMARY KEY)")
    drops = Drops(folder, source.url, window)
    drops.replication.install()
    drops.replication.register()
    return drops


@pytest.mark.parametrize("kind", KINDS)
def test_windows_that_were_missed_come_in_order(
    make_database: MakeDatabase, tmp_path: Path, kind: DatabaseKind
) -> None:
    drops = made(tmp_path, make_database, kind)
    drops.seal(1, 2, days_ago=4)
    drops.seal(3, days_ago=4)
    drops.seal(4, days_ago=2)
    drops.seal(5, days_ago=1)
    drops.seal(6)

    drops.replication.deliver()

    assert drops.windows() == [(4, [1, 2, 3]), (3, []), (2, [4]), (1, [5])]
    assert [(m.first_batch, m.last_batch) for m in drops.manifests()] == [
        (1, 2),
        (3, 2),
        (3, 3),
        (4, 4),
    ]
    drops.verify()
    record: Any = drops.replication.record("shop", "items/partner")
    assert (record.progress, record.window_end, record.plan) == (4, today(), None)
    assert json.loads(record.memo)["number"] == 4

    drops.replication.deliver()  # today is not over
    assert len(drops.manifests()) == 4


def test_no_batch_is_sealed_into_a_closed_window(drops: Drops) -> None:
    drops.seal(1)
    later = datetime.now(UTC) + timedelta(hours=2)
    drops.close(later)  # by a replicator whose clock is two hours ahead
    drops.seal(2)
    drops.seal(3)
    first, *others = drops.sealed_at()
    assert first < later
    assert others == [later, later]
    drops.close(later - timedelta(hours=1))
    drops.seal(4)
    assert drops.sealed_at()[-1] == later


def test_the_chain_goes_on_on_another_machine(drops: Drops) -> None:
    drops.seal(1, days_ago=3)
    drops.seal(2, days_ago=2)
    drops.replication.deliver()
    drops.configure(window="12h", local_copy="other", **BY_WINDOW)
    drops.seal(3, days_ago=0.5)
    drops.replication.deliver()
    manifests = drops.manifests()
    numbers = [manifest.number for manifest in manifests]
    assert numbers == list(range(1, len(numbers) + 1))
    assert verify_folder(drops.folder / "out").problems == []
    assert all(manifest.first_batch <= 3 for manifest in manifests)


def test_two_replicators_deliver_each_window_once(
    make_database: MakeDatabase, tmp_path: Path
) -> None:
    drops = made(tmp_path, make_database, "sqlite", window="1s")
    drops.seal(1)
    with drops.replication.running(), drops.replication.running():
        for number in range(2, 8):
            execute_one(drops, number)
            wait_until(lambda n=number: n in rows_of(drops), 30)  # type: ignore[misc]
    drops.verify()
    assert sorted(rows_of(drops)) == list(range(1, 8))
    numbers = [manifest.number for manifest in drops.manifests()]
    assert numbers == list(range(1, len(numbers) + 1))


def rows_of(drops: Drops) -> list[int]:
    return [row for _, rows in drops.windows() for row in rows]


def execute_one(drops: Drops, number: int) -> None:
    capture = drops.replication.capture("shop")
    execute(capture.engine, f"INSERT INTO item VALUES ({number})")
    capture.engine.dispose()


def test_from_rounds_to_windows_and_back(drops: Drops) -> None:
    drops.configure(**BY_BATCH)
    drops.seal(1, days_ago=2)
    drops.replication.deliver()
    drops.configure(window="1d", **BY_WINDOW)
    drops.seal(2, days_ago=1)
    drops.replication.deliver()
    drops.configure(**BY_BATCH)
    drops.seal(3)
    drops.replication.deliver()
    manifests = sorted(drops.manifests(), key=lambda manifest: manifest.number)
    assert [manifest.number for manifest in manifests] == [1, 2, 3]
    assert [manifest.window is None for manifest in manifests] == [True, False, True]
    assert [manifest.last_batch for manifest in manifests] == [1, 2, 3]
    drops.verify()
