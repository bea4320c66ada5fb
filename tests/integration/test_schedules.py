"""When scheduled routes deliver: at their time, once for what was missed, and never between."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from replicator.compose import open_source
from replicator.status import DeliveryStatus, read_source
from tests.conftest import MakeDatabase
from tests.replication import ROOT, Replication, content, execute, sql
from tests.servers import Database
from tests.wait import wait_until

CREATE = "CREATE TABLE item (id INTEGER PRIMARY KEY)"
HARDLY_EVER = "cron 30 2 29 2 *"


class Shop:
    """A source whose only table goes to one target at once, and to the other by a schedule."""

    def __init__(self, folder: Path, make_database: MakeDatabase, schedule: str) -> None:
        self.source, self.at_once, self.later = (make_database("sqlite") for _ in range(3))
        execute(self.source.engine, CREATE)
        common = {"source": "shop", "tables": ["item"]}
        self.replication = Replication(
            folder,
            sources={"shop": self.source.url},
            targets={"at_once": sql(self.at_once.url), "later": sql(self.later.url)},
            routes=[
                {**common, "name": "realtime", "targets": ["at_once"]},
                {
                    **common,
                    "name": "scheduled",
                    "targets": ["later"],
                    "schedule": schedule,
                    "timezone": "Asia/Shanghai",
                },
            ],
        )
        self.replication.prepare()
        self._written = 0

    def write(self) -> None:
        """Insert one row."""
        self._written += 1
        execute(self.source.engine, f"INSERT INTO item VALUES ({self._written})")

    def wait_for(self, database: Database) -> None:
        """Wait until a target has everything."""
        wait_until(lambda: len(rows(database)) == self._written, 15)

    def write_for_a_while(self) -> None:
        """Write rows one after the other, each arriving at once: time enough for a wrong run."""
        for _ in range(20):
            self.write()
            self.wait_for(self.at_once)

    def set_last_run(self, moment: datetime) -> None:
        """Make the source's record say when the last run ended."""
        capture = self.replication.capture("shop")
        delivery = capture.outbox.delivery
        with capture.engine.begin() as connection:
            mine = delivery.c.route == "scheduled"
            connection.execute(sa.update(delivery).where(mine).values(ran_at=moment))
        capture.engine.dispose()

    def replicator(self, *arguments: str, **environment: str) -> str:
        """Run a command to its end; return what it printed."""
        return subprocess.run(
            [sys.executable, "-m", "replicator", *arguments, "-c", self.replication.path],
            cwd=ROOT,
            env={**os.environ, **environment},
            capture_output=True,
            check=True,
            text=True,
        ).stdout

    def status(self) -> DeliveryStatus:
        """The scheduled delivery's status."""
        settings = self.replication.settings
        with closing(open_source("shop", settings.sources["shop"])) as source:
            return read_source(settings, source).deliveries[1]


def rows(database: Database) -> list[tuple[object, ...]]:
    return content(database.engine, "item")


@pytest.fixture
def make_shop(make_database: MakeDatabase, tmp_path: Path) -> Callable[[str], Shop]:
    """A function that makes a shop with this schedule."""
    return lambda schedule: Shop(tmp_path / "shop", make_database, schedule)


def test_a_new_route_waits_for_its_first_run(make_shop: Callable[[str], Shop]) -> None:
    shop = make_shop(HARDLY_EVER)
    with shop.replication.running():
        shop.write_for_a_while()
        assert rows(shop.later) == []
    assert shop.replication.record("shop", "scheduled/later").ran_at is not None


def test_a_missed_run_happens_once_at_the_start(make_shop: Callable[[str], Shop]) -> None:
    shop = make_shop(HARDLY_EVER)
    shop.replication.register()
    shop.set_last_run(datetime(2023, 1, 1, tzinfo=UTC))
    for _ in range(3):
        shop.write()  # nobody has sealed them when the run begins
    with shop.replication.running():
        shop.wait_for(shop.later)
        shop.write_for_a_while()
        assert len(rows(shop.later)) == 3, "the run ended with what was there when it began"
    with shop.replication.running():
        shop.write_for_a_while()
        assert len(rows(shop.later)) == 3, "it was made up for already"


def test_runs_follow_one_another(make_shop: Callable[[str], Shop]) -> None:
    shop = make_shop("every 1s")
    with shop.replication.running():
        for _ in range(3):
            shop.write()
            shop.wait_for(shop.later)


def test_run_once_does_not_wait_for_the_schedule(make_shop: Callable[[str], Shop]) -> None:
    shop = make_shop(HARDLY_EVER)
    shop.write()
    shop.replication.deliver()
    assert rows(shop.later) == [(1,)]


def test_the_next_run_is_shown(make_shop: Callable[[str], Shop]) -> None:
    shop = make_shop(HARDLY_EVER)
    shop.replication.register()
    following = shop.status().next_run
    assert following is not None
    assert following > datetime.now(UTC)
    assert following.isoformat()[4:] == "-02-28T18:30:00+00:00", "half past two in Shanghai"
    machines = json.loads(shop.replicator("status", "--json"))["deliveries"]
    assert [delivery["next_run"] for delivery in machines] == [None, following.isoformat()]
    people = shop.replicator("status", TZ="Asia/Tokyo", COLUMNS="150")
    assert "Next run" in people
    assert f"{following.year}-02-29 03:30" in people
