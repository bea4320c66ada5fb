"""How a delivery behaves when somebody pauses it, or something is wrong with its surroundings."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from replicator.errors import DeliveryStopped, TargetUnavailable
from replicator.pipeline.contract import DeliveryName, Outcome, Progress, ProgressConflict, Round
from replicator.pipeline.deliveries import Deliveries, DeliveryState
from replicator.pipeline.purge import purge
from replicator.targets.backup import read_changes
from replicator.targets.sql.sqlite import SQLiteDialect
from tests.conftest import MakeDatabase
from tests.replication import Replication, ReplicatorProcess, content, execute, sql
from tests.servers import Database
from tests.wait import wait_until

CREATE = "CREATE TABLE item (id INTEGER PRIMARY KEY, amount INTEGER)"


class Shop:
    """A source with a table `item`, and targets for it."""

    def __init__(self, folder: Path, source: Database, targets: dict[str, Database]) -> None:
        self.source = source
        self.targets = targets
        execute(source.engine, CREATE)
        self.replication = Replication(
            folder,
            sources={"shop": source.url},
            targets={name: sql(target.url) for name, target in targets.items()},
            routes=[self.route(*targets)],
        )
        self.replication.prepare()

    @staticmethod
    def route(*targets: str) -> dict[str, object]:
        """The only route."""
        return {"name": "items", "source": "shop", "tables": ["item"], "targets": targets}

    def write(self, *ids: int, amount: int = 1) -> None:
        """Insert rows in one transaction of the source."""
        execute(self.source.engine, *(f"INSERT INTO item VALUES ({id_}, {amount})" for id_ in ids))

    def ids(self, target: str) -> list[object]:
        """The keys that a target has."""
        return [row[0] for row in content(self.targets[target].engine, "item")]

    def record(self, target: str) -> Any:
        """The source's record of the delivery to a target."""
        return self.replication.record("shop", f"items/{target}")

    def state(self, target: str) -> str | None:
        """The delivery's state; None before it has begun."""
        found = self.replication.find_record("shop", f"items/{target}")
        return found.state if found is not None else None

    def set_state(self, target: str, state: DeliveryState) -> None:
        """Do what `pause` and `resume` do."""
        self.with_record(target, lambda record: record.set_state(state))

    def with_record(self, target: str, action: Callable[[Deliveries], None]) -> None:
        """Do something to the source's record of a delivery."""
        capture = self.replication.capture("shop")
        try:
            name = DeliveryName("items", target)
            action(Deliveries(capture.engine, capture.outbox, name))
        finally:
            capture.engine.dispose()

    def dead_letters(self) -> list[tuple[str, int]]:
        """Target and change id of what is parked."""
        capture = self.replication.capture("shop")
        table = capture.outbox.dead_letter
        with capture.engine.connect() as connection:
            query = sa.select(table.c.target, table.c.change_id).order_by(table.c.change_id)
            found = [(row.target, row.change_id) for row in connection.execute(query)]
        capture.engine.dispose()
        return found


MakeShop = Callable[..., Shop]


@pytest.fixture
def make_shop(make_database: MakeDatabase, tmp_path: Path) -> MakeShop:
    """A function that makes a shop, all on SQLite, with these targets."""

    def make(*targets: str) -> Shop:
        databases = {name: make_database("sqlite") for name in targets}
        return Shop(tmp_path / "shop", make_database("sqlite"), databases)

    return make


def test_a_paused_delivery_gets_nothing_and_the_others_go_on(make_shop: MakeShop) -> None:
    shop = make_shop("one", "other")
    numbers = iter(range(1, 10_000))

    def other_is_ahead() -> bool:
        """So far that it is no coincidence: each row is a round or more of its own."""
        shop.write(next(numbers))
        return len(shop.ids("other")) >= len(shop.ids("one")) + 30

    with shop.replication.running():
        shop.write(next(numbers))
        wait_until(lambda: shop.ids("one") and shop.ids("other"), 10)
        shop.set_state("one", DeliveryState.PAUSED)
        wait_until(other_is_ahead, 20)
        had = shop.ids("one")
        shop.write(next(numbers))
        wait_until(lambda: shop.ids("other") == content_ids(shop.source), 10)
        assert shop.ids("one") == had
        assert shop.record("one").state == "paused"

        shop.set_state("one", DeliveryState.RUNNING)
        wait_until(lambda: shop.ids("one") == content_ids(shop.source), 15)


def content_ids(database: Database) -> list[object]:
    return [row[0] for row in content(database.engine, "item")]


def test_a_pause_outlives_the_replicator(make_shop: MakeShop) -> None:
    shop = make_shop("one", "other")
    shop.write(1)
    shop.replication.deliver()
    shop.set_state("one", DeliveryState.PAUSED)
    shop.write(2)
    shop.replication.deliver()
    assert (shop.ids("one"), shop.ids("other")) == ([1], [1, 2])
    shop.set_state("one", DeliveryState.RUNNING)
    shop.replication.deliver()
    assert shop.ids("one") == [1, 2]


def test_a_missing_table_stops_its_delivery_until_it_is_mended(make_shop: MakeShop) -> None:
    shop = make_shop("one", "other")
    execute(shop.targets["one"].engine, "DROP TABLE item")
    with shop.replication.running():
        shop.write(1)
        wait_until(lambda: shop.ids("other") == [1], 10)
        wait_until(lambda: shop.state("one") == "stopped", 10)
        error = shop.record("one").last_error
        assert "table item is missing in the target" in error
        assert "CREATE TABLE" in error

        execute(shop.targets["one"].engine, CREATE)
        shop.set_state("one", DeliveryState.RUNNING)
        wait_until(lambda: shop.ids("one") == [1], 15)
        wait_until(lambda: shop.state("one") == "running", 10)
        assert shop.record("one").last_error is None


def test_a_stopped_delivery_is_tried_again_at_the_next_start(make_shop: MakeShop) -> None:
    shop = make_shop("one")
    execute(shop.targets["one"].engine, "DROP TABLE item")
    shop.write(1)
    (error,) = shop.replication.run_once().values()
    assert isinstance(error, DeliveryStopped)
    assert shop.record("one").state == "stopped"
    execute(shop.targets["one"].engine, CREATE)
    shop.replication.deliver()
    assert shop.ids("one") == [1]


def refusing_shop(make_shop: MakeShop) -> Shop:
    """A shop whose target takes no negative amounts."""
    shop = make_shop("one")
    strict = CREATE.replace("amount INTEGER", "amount INTEGER CHECK (amount >= 0)")
    execute(shop.targets["one"].engine, "DROP TABLE item", strict)
    return shop


def test_a_refused_row_is_parked_and_the_others_arrive(make_shop: MakeShop) -> None:
    shop = refusing_shop(make_shop)
    shop.write(1)
    shop.write(2, amount=-1)
    shop.write(3)
    shop.replication.deliver()
    assert shop.ids("one") == [1, 3]
    assert shop.dead_letters() == [("one", 2)]
    shop.write(4)
    shop.replication.deliver()
    assert shop.dead_letters() == [("one", 2)], "what is parked stays when the next round is done"


def test_a_repeated_round_parks_its_rows_once(
    make_shop: MakeShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit fails after the dead letters were recorded; the round is done again."""
    shop = refusing_shop(make_shop)
    shop.write(1)
    shop.write(2, amount=-1)
    commit = SQLiteDialect.commit
    parked_before_commit: list[list[tuple[str, int]]] = []

    def fail_once(dialect: SQLiteDialect) -> None:
        parked_before_commit.append(shop.dead_letters())
        if len(parked_before_commit) == 1:
            raise TargetUnavailable("the network failed")
        commit(dialect)

    monkeypatch.setattr(SQLiteDialect, "commit", fail_once)
    shop.replication.deliver()
    assert parked_before_commit == [[("one", 2)], [("one", 2)]]
    assert shop.dead_letters() == [("one", 2)]
    assert shop.ids("one") == [1]


def test_a_row_that_passes_at_the_second_attempt_leaves_no_dead_letter(
    make_shop: MakeShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = refusing_shop(make_shop)
    shop.write(1, amount=-1)
    commit = SQLiteDialect.commit
    attempts: list[int] = []

    def mend_and_fail(dialect: SQLiteDialect) -> None:
        attempts.append(1)
        if len(attempts) == 1:
            dialect.rollback()
            execute(shop.targets["one"].engine, "DROP TABLE item", CREATE)
            raise TargetUnavailable("the network failed")
        commit(dialect)

    monkeypatch.setattr(SQLiteDialect, "commit", mend_and_fail)
    shop.replication.deliver()
    assert (shop.ids("one"), shop.dead_letters()) == ([1], [])


@pytest.mark.parametrize("written_since", [(), (50,), (50, 51, 52, 53)])
def test_a_source_restored_from_an_older_copy_stops_the_delivery(
    make_shop: MakeShop, tmp_path: Path, written_since: tuple[int, ...]
) -> None:
    """It has sealed nothing since, fewer, or more batches than the target has finished."""
    shop = make_shop("one")
    shop.write(1)
    shop.replication.deliver()
    copy = tmp_path / "copy"
    shop.source.engine.dispose()
    shutil.copy(shop.source.name, copy)
    for number in (2, 3):
        shop.write(number)
        shop.replication.deliver()

    shop.source.engine.dispose()
    shutil.copy(copy, shop.source.name)
    for number in written_since:
        shop.write(number)
        with shop.replication.sealer("shop") as sealer:
            sealer.seal()
    (error,) = shop.replication.run_once().values()

    assert isinstance(error, DeliveryStopped)
    assert "restored from an older backup" in error.hint
    assert shop.record("one").state == "stopped"
    assert shop.ids("one") == [1, 2, 3], "nothing was written"


def test_a_postgresql_source_restored_from_an_older_copy_stops_the_delivery(
    make_database: MakeDatabase, tmp_path: Path
) -> None:
    shop = Shop(tmp_path, make_database("postgresql"), {"one": make_database("sqlite")})
    server = shop.source.server
    assert server is not None
    shop.write(1)
    shop.replication.deliver()
    shop.source.engine.dispose()
    copy = f"{shop.source.name}_copy"
    execute(server.admin, f"CREATE DATABASE {copy} TEMPLATE {shop.source.name}")
    try:
        for number in (2, 3):
            shop.write(number)
            shop.replication.deliver()
        url = server.plain_url(copy)
        older = server.engine(copy)
        for number in (50, 51, 52):
            execute(older, f"INSERT INTO item VALUES ({number}, 1)")
        older.dispose()
        targets = {"one": sql(shop.targets["one"].url)}
        shop.replication.write(sources={"shop": url}, targets=targets, routes=[shop.route("one")])
        (error,) = shop.replication.run_once().values()
    finally:
        server.drop_database(copy)
    assert isinstance(error, DeliveryStopped)
    assert shop.ids("one") == [1, 2, 3]


def test_a_source_that_was_set_up_anew_stops_the_delivery(make_shop: MakeShop) -> None:
    shop = make_shop("one")
    shop.write(1)
    shop.replication.deliver()
    capture = shop.replication.capture("shop")
    capture.uninstall(purge=True)
    capture.engine.dispose()
    shop.replication.install()
    shop.write(2)
    (error,) = shop.replication.run_once().values()
    assert isinstance(error, DeliveryStopped)
    assert "another outbox" in error.message
    assert shop.ids("one") == [1]


def restore_target_after(shop: Shop, tmp_path: Path, action: Callable[[], None]) -> None:
    """Copy the target, do something, and put the copy back."""
    target = shop.targets["one"]
    target.engine.dispose()
    shutil.copy(target.name, tmp_path / "copy")
    action()
    target.engine.dispose()
    shutil.copy(tmp_path / "copy", target.name)


def test_a_target_restored_from_an_older_copy_gets_what_it_lacks_again(
    make_shop: MakeShop, tmp_path: Path
) -> None:
    shop = make_shop("one")
    shop.write(1)
    shop.replication.deliver()

    def deliver_more() -> None:
        for number in (2, 3):
            shop.write(number)
            shop.replication.deliver()

    restore_target_after(shop, tmp_path, deliver_more)
    assert shop.ids("one") == [1]
    shop.write(4)
    shop.replication.deliver()
    assert shop.ids("one") == [1, 2, 3, 4]


def test_a_target_restored_from_a_copy_that_is_too_old_stops(
    make_shop: MakeShop, tmp_path: Path
) -> None:
    shop = make_shop("one")
    shop.write(1)
    shop.replication.deliver()

    def deliver_more_and_purge() -> None:
        for number in (2, 3, 4):
            shop.write(number)
            shop.replication.deliver()
        capture = shop.replication.capture("shop")
        assert purge(capture.engine, capture.outbox, threading.Event()) == 3
        capture.engine.dispose()

    restore_target_after(shop, tmp_path, deliver_more_and_purge)
    (error,) = shop.replication.run_once().values()
    assert isinstance(error, DeliveryStopped)
    assert shop.ids("one") == [1]


def test_a_target_that_has_lost_its_progress_stops(make_shop: MakeShop) -> None:
    shop = make_shop("one")
    shop.write(1)
    shop.replication.deliver()
    execute(shop.targets["one"].engine, "DROP TABLE replicator_progress")
    shop.write(2)
    (error,) = shop.replication.run_once().values()
    assert isinstance(error, DeliveryStopped)
    assert "replicator_progress was lost" in error.hint
    assert shop.ids("one") == [1]


def test_a_target_that_is_named_later_gets_everything_that_is_still_there(
    make_shop: MakeShop,
) -> None:
    shop = make_shop("one", "later")
    both = {name: sql(target.url) for name, target in shop.targets.items()}
    sources = {"shop": shop.source.url}
    shop.replication.write(
        sources=sources, targets={"one": both["one"]}, routes=[shop.route("one")]
    )
    for number in (1, 2, 3):
        shop.write(number)
        shop.replication.deliver()
    assert shop.ids("later") == []
    shop.replication.write(sources=sources, targets=both, routes=[shop.route("one", "later")])
    shop.write(4)
    shop.replication.deliver()
    assert shop.ids("one") == shop.ids("later") == [1, 2, 3, 4]


def test_another_process_takes_over_at_once_when_the_first_is_killed(
    make_shop: MakeShop,
) -> None:
    shop = make_shop("one")
    with ExitStack() as stack:
        first = stack.enter_context(ReplicatorProcess(shop.replication, "first"))
        shop.write(1)
        wait_until(lambda: shop.ids("one") == [1], 60)
        second = stack.enter_context(ReplicatorProcess(shop.replication, "second"))
        second.wait_until_up()
        owner = shop.record("one").lease_owner
        first.kill()
        lease_until = shop.record("one").lease_until
        shop.write(2)
        wait_until(lambda: shop.ids("one") == [1, 2], 30)
        assert datetime.now(UTC) < lease_until, "it has waited for the lease to run out"
        assert shop.record("one").lease_owner not in (owner, None)


ROUND = Round(Progress("e", 1, "m1"), Progress("e", 2, "m2"), 2, 1)
NEXT_ROUND = Round(Progress("e", 2, "m2"), Progress("e", 3, "m3"), 3, 1)


def test_who_has_lost_the_lease_changes_no_progress(make_shop: MakeShop) -> None:
    """A process that slept through its lease must not turn the recorded progress back."""
    shop = make_shop("one")

    def compete(_record: Deliveries) -> None:
        capture = shop.replication.capture("shop")
        name = DeliveryName("items", "one")
        sleeper = Deliveries(capture.engine, capture.outbox, name)
        other = Deliveries(capture.engine, capture.outbox, name)
        sleeper.register()
        assert sleeper.take_lease("host:1:sleeper")
        sleeper.plan(ROUND, "host:1:sleeper")
        assert other.take_lease("host:2:other", ["host:1:sleeper"])
        planned = other.read().planned
        assert planned is not None
        assert planned.reached.batch_no == 2
        other.finish(ROUND, Outcome(1, 1), "host:2:other")
        other.plan(NEXT_ROUND, "host:2:other")
        with pytest.raises(ProgressConflict):
            sleeper.finish(ROUND, Outcome(1, 1), "host:1:sleeper")
        with pytest.raises(ProgressConflict):
            sleeper.plan(ROUND, "host:1:sleeper")
        other.finish(NEXT_ROUND, Outcome(1, 1), "host:2:other")
        capture.engine.dispose()

    shop.with_record("one", compete)
    assert (shop.record("one").progress, shop.record("one").plan) == (3, None)


def test_a_backup_that_is_interrupted_between_plan_and_record_repeats_the_same_round(
    make_shop: MakeShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More was sealed meanwhile: the repetition must not take it in."""
    shop = make_shop("one")
    backup = tmp_path / "backup"
    shop.replication.write(
        sources={"shop": shop.source.url},
        targets={"backup": {"type": "backup", "path": str(backup)}},
        routes=[shop.route("backup")],
    )
    shop.write(1)
    finish = Deliveries.finish
    failed: list[bytes] = []

    def fail_once(record: Deliveries, *arguments: Any) -> None:
        if not failed:
            failed.append((backup / "items" / "current.jsonl").read_bytes())
            shop.write(2)
            with shop.replication.sealer("shop") as sealer:
                sealer.seal()
            raise TargetUnavailable("the source went away")
        finish(record, *arguments)

    monkeypatch.setattr(Deliveries, "finish", fail_once)
    shop.replication.deliver()
    shop.replication.deliver()
    assert (backup / "items" / "current.jsonl").read_bytes().startswith(failed[0])
    assert [change.row["id"] for change in read_changes(backup / "items")] == [1, 2]
