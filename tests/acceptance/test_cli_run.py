"""`replicator run`: once, until stopped, while its configuration is edited; pause and status."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from tests.acceptance.command_line import CommandLine, Running
from tests.wait import wait_until


def test_once(shop: CommandLine) -> None:
    shop.prepare()
    shop.sql("INSERT INTO orders VALUES (1, 2.5), (2, 3.5)")

    assert shop.ok("run", "--once").splitlines() == [
        "Delivery     Outcome    Changes  Dead letters",
        "orders/copy  delivered        2             0",
        "orders/drop  delivered        2             0",
    ]
    assert shop.sql("SELECT * FROM orders", "copy.db") == [(1, 2.5), (2, 3.5)]
    assert len(list((shop.folder / "outgoing").iterdir())) == 1
    assert "delivered        0" in shop.ok("run", "--once")


def test_once_with_a_target_that_needs_somebody(shop: CommandLine) -> None:
    shop.prepare()
    shop.sql("DROP TABLE orders", "copy.db")
    shop.sql("INSERT INTO orders VALUES (1, 2.5)")

    done = shop.run("run", "--once")

    assert done.code == 1
    assert "orders/copy  stopped          0             0" in done.out
    assert "orders/drop  delivered        1             0" in done.out
    assert "orders/copy: table orders is missing in the target" in done.out
    [copy, _drop] = _deliveries(shop)
    assert (copy["state"], copy["lag_changes"]) == ("stopped", 1)
    assert "table orders is missing" in copy["last_error"]


def test_dead_letters_are_a_problem(shop: CommandLine) -> None:
    shop.prepare()
    shop.sql("DROP TABLE lines", "copy.db")
    shop.sql("CREATE TABLE lines (id INTEGER PRIMARY KEY, product TEXT CHECK (id < 2))", "copy.db")
    shop.sql("INSERT INTO lines VALUES (1, 'tea'), (2, 'secret value')")

    done = shop.run("run", "--once")

    assert done.code == 1
    assert "orders/copy  delivered        2             1" in done.out
    assert "secret value" not in done.out + done.errors
    assert shop.sql("SELECT * FROM lines", "copy.db") == [(1, "tea")]
    assert _deliveries(shop)[0]["dead_letters"] == 1


def test_once_beside_a_running_replicator(shop: CommandLine) -> None:
    shop.prepare()
    with Running(shop):
        shop.sql("INSERT INTO orders VALUES (1, 2.5)")
        _wait_for_orders(shop, 1)
        shop.sql("INSERT INTO orders VALUES (2, 2.5)")

        assert shop.ok("run", "--once").count("delivered") == 2

        assert shop.sql("SELECT count(*) FROM orders", "copy.db") == [(2,)]


def test_without_triggers(shop: CommandLine) -> None:
    shop.make_shop()
    for command in (("run", "--once"), ("run",)):
        done = shop.run(*command)
        assert done.code == 1
        assert "not captured: orders, lines\n  run: replicator triggers install" in done.errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it(shop: CommandLine, number: signal.Signals) -> None:
    shop.prepare()
    with Running(shop) as running:
        shop.sql("INSERT INTO orders VALUES (1, 2.5)")
        _wait_for_orders(shop, 1)
        assert [delivery["state"] for delivery in _deliveries(shop)] == ["running"] * 2

        code, seconds = running.stop(number)

    assert (code, seconds < 8) == (0, True), running.log
    assert "stopped; nothing is lost" in running.log.splitlines()[-1]
    assert [delivery["state"] for delivery in _deliveries(shop)] == ["not running"] * 2


def test_the_second_signal_does_not_wait(shop: CommandLine) -> None:
    shop.prepare()
    with Running(shop) as running:
        shop.sql("INSERT INTO orders VALUES (1, 2.5)")
        _wait_for_orders(shop, 1)
        running.send(signal.SIGSTOP)  # so that both are there when it looks
        running.send(signal.SIGTERM)
        running.send(signal.SIGINT)
        running.send(signal.SIGCONT)
        assert running.end() == 130

    shop.sql("INSERT INTO orders VALUES (2, 2.5)")
    shop.ok("run", "--once")
    assert shop.sql("SELECT count(*) FROM orders", "copy.db") == [(2,)]


def test_an_edited_configuration_is_applied(shop: CommandLine) -> None:
    shop.prepare()
    with Running(shop) as running:
        shop.sql("INSERT INTO orders VALUES (1, 2.5)")
        _wait_for_orders(shop, 1)

        shop.edit('targets = ["copy", "drop"]', 'targets = ["copy", "dorp"]')
        running.wait_for("the edited configuration is not used")
        assert "unknown target 'dorp' (did you mean 'drop'?)" in running.log
        shop.sql("INSERT INTO orders VALUES (2, 2.5)")
        wait_until(lambda: shop.sql("SELECT count(*) FROM orders", "copy.db") == [(2,)], 60)

        text = shop.path.read_text().replace('"copy", "dorp"', '"copy", "archive"')
        shop.path.write_text(f'{text}\n[targets.archive]\ntype = "backup"\npath = "backup"\n')
        wait_until(lambda: list(shop.folder.glob("backup/orders/current.jsonl")), 60)
        assert running.stop()[0] == 0

    assert "orders/drop is not in the configuration" in shop.ok("status")


def test_a_source_that_is_away_is_waited_for(shop: CommandLine) -> None:
    shop.prepare()
    (shop.folder / "shop.db").rename(shop.folder / "away.db")
    with Running(shop) as running:
        running.wait_for("there is no file")
        (shop.folder / "away.db").rename(shop.folder / "shop.db")
        shop.sql("INSERT INTO orders VALUES (1, 2.5)")
        _wait_for_orders(shop, 1)
        assert running.stop()[0] == 0


def test_pause_and_resume(shop: CommandLine) -> None:
    shop.prepare()
    with Running(shop) as running:
        shop.sql("INSERT INTO orders VALUES (1, 2.5)")
        _wait_for_orders(shop, 1)
        assert shop.ok("pause", "orders", "copy").startswith("orders/copy: paused")
        assert shop.ok("pause", "orders", "copy") == "orders/copy: was paused already\n"
        assert [delivery["state"] for delivery in _deliveries(shop)] == ["paused", "running"]
        shop.ok("resume", "orders")

        shop.sql("DROP TABLE orders", "copy.db")
        shop.sql("INSERT INTO orders VALUES (2, 2.5)")
        wait_until(lambda: _deliveries(shop)[0]["state"] == "stopped", 60)
        shop.sql("CREATE TABLE orders (id INTEGER PRIMARY KEY, total REAL)", "copy.db")
        shop.ok("resume", "orders", "copy")
        wait_until(lambda: _deliveries(shop)[0]["lag_changes"] == 0, 60)
        assert running.stop()[0] == 0


def test_status_as_json(shop: CommandLine) -> None:
    shop.prepare()
    shop.sql("INSERT INTO orders VALUES (1, 2.5), (2, 3.5)")

    document = json.loads(shop.ok("status", "--json"))

    [source] = document["sources"]
    assert source["name"] == "shop"
    assert (source["installed"], source["unsealed"], source["waiting"]) == (True, 2, 2)
    assert (source["error"], source["alarm"], source["unknown_deliveries"]) == (None, None, [])
    [copy, _drop] = document["deliveries"]
    assert (copy["route"], copy["target"], copy["state"]) == ("orders", "copy", "not started")
    assert (copy["lag_changes"], copy["delivered"], copy["dead_letters"]) == (2, 0, 0)
    assert copy["lag_seconds"] >= 0


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_watch_ends_with_ctrl_c(shop: CommandLine, form: tuple[str, ...]) -> None:
    shop.prepare()
    with Running(shop, "status", "--watch", *form) as watching:
        wait_until(lambda: watching.log.count("not started") >= 4, 60)
        watching.send(signal.SIGINT)
        assert watching.end() == 0
        assert "Traceback" not in watching.log


def _wait_for_orders(shop: CommandLine, count: int) -> None:
    wait_until(
        lambda: (
            shop.sql("SELECT count(*) FROM orders", "copy.db") == [(count,)]
            and all(delivery["lag_changes"] == 0 for delivery in _deliveries(shop))
        ),
        60,
    )


def _deliveries(shop: CommandLine) -> list[dict[str, Any]]:
    deliveries: list[dict[str, Any]] = json.loads(shop.ok("status", "--json"))["deliveries"]
    return deliveries
