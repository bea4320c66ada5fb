"""`replicator restore` as a user runs it."""

from __future__ import annotations

import json
import shutil
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.acceptance.command_line import CommandLine

BACKUP = """
[sources.shop]
url = "sqlite:///shop.db"

[targets.copy]
type = "sql"
url = "sqlite:///copy.db"

[targets.backup]
type = "backup"
path = "backup"

[[routes]]
name = "orders"
source = "shop"
tables = ["orders", "lines"]
targets = ["backup"]

[[routes]]
name = "copies"
source = "shop"
tables = ["orders"]
targets = ["copy"]
"""


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop with two orders in its backup, the second of which a mistake has deleted."""
    made = CommandLine(tmp_path_factory.mktemp("shop"), BACKUP)
    made.prepare()
    made.sql("INSERT INTO orders VALUES (1, 1.5), (2, 2.5)")
    made.sql("INSERT INTO lines VALUES (1, 'a')")
    time.sleep(0.003)  # SQLite's clock counts milliseconds
    (made.folder / "moment").write_text(datetime.now(UTC).isoformat())
    time.sleep(0.003)
    made.sql("DELETE FROM orders WHERE id = 2")
    made.ok("run", "--once")
    return made.folder


@pytest.fixture
def shop(delivered: Path, tmp_path: Path) -> CommandLine:
    """That shop, in a folder of the test's own."""
    shutil.copytree(delivered, tmp_path / "shop")
    return CommandLine(tmp_path / "shop", BACKUP)


def moment(shop: CommandLine) -> datetime:
    return datetime.fromisoformat((shop.folder / "moment").read_text())


def test_all_of_it_and_a_moment_before_the_mistake(shop: CommandLine) -> None:
    out = shop.ok("restore", "backup", "--to", "sqlite:///new.db", "--create")
    assert "restored orders, lines: 4 changes" in out
    assert shop.sql("SELECT * FROM orders", "new.db") == [(1, 1.5)]
    elsewhere = timezone(timedelta(hours=5, minutes=30))
    for number, until in enumerate((moment(shop), moment(shop).astimezone(elsewhere))):
        options = ("--to", f"sqlite:///{number}.db", "--create", "--until", until.isoformat())
        shop.ok("restore", "backup/orders", *options)
        assert shop.sql("SELECT * FROM orders ORDER BY id", f"{number}.db") == [(1, 1.5), (2, 2.5)]
        assert shop.sql("SELECT * FROM lines", f"{number}.db") == [(1, "a")]


def test_one_table_under_another_name_in_a_target_of_the_configuration(shop: CommandLine) -> None:
    options = ("--to", "copy", "--create", "--table", "orders", "--into", "orders=old_orders")
    done = json.loads(shop.ok("restore", "backup", *options, "--json"))
    assert (done["tables"], done["base"], done["changes"]) == (["orders"], None, 3)
    assert done["restored"] == {"applied": 3, "resumed_at": 0, "coerced": 0, "refused": []}
    assert shop.sql("SELECT * FROM old_orders", "copy.db") == [(1, 1.5)]
    assert shop.sql("SELECT * FROM orders", "copy.db") == [(1, 1.5)]


def test_a_damaged_backup_is_not_restored(shop: CommandLine) -> None:
    assert "every checksum is right" in shop.ok("restore", "backup", "--verify-only")
    journal = shop.folder / "backup" / "orders" / "current.jsonl"
    data = journal.read_bytes()
    journal.write_bytes(data.replace(b'"total":1.5', b'"total":1.6'))
    done = shop.run("restore", "backup", "--to", "sqlite:///new.db", "--create")
    assert (done.code, "backup/orders/current.jsonl is damaged" in done.errors) == (1, True)
    assert not (shop.folder / "new.db").exists()
    found = shop.run("restore", "backup", "--verify-only", "--json")
    assert found.code == 1
    assert "current.jsonl is damaged" in json.loads(found.out)["problems"][0]["message"]


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ((), 2, "add --to URL, or --verify-only"),
        (("--to", "sqlite:///new.db"), 1, "missing in the target: orders, lines"),
        (("--to", "sqlite:///new.db", "--until", "noon"), 2, "cannot read the time 'noon'"),
        (("--to", "sqlite:///new.db", "--into", "orders"), 2, "cannot read --into 'orders'"),
        (("--to", "sqlite:///new.db", "--unfit", "x"), 2, "error, null or clamp"),
        (("--to", "copi"), 2, "did you mean 'copy'"),
        (("--to", "backup"), 2, "neither a database's URL nor a sql target"),
        (("--to", "sqlite:///new.db", "--until", "2020-01-01"), 1, "holds nothing from before"),
        (("--to", "copy", "--table", "order"), 1, "the backup has no table 'order'"),
        (("--to", "postgresql://x@127.0.0.1:1/x", "--create"), 3, "connection"),
    ],
)
def test_what_cannot_be_done_is_said(
    shop: CommandLine, options: tuple[str, ...], code: int, message: str
) -> None:
    done = shop.run("restore", "backup", *options)
    assert (done.code, message in done.errors) == (code, True), done


def test_the_password_comes_from_the_environment(shop: CommandLine) -> None:
    options = ("--to", "postgresql://x@127.0.0.1:1/x", "--create", "--password-env", "SECRET")
    assert "SECRET is not set" in shop.run("restore", "backup", *options).errors
    done = shop.run("restore", "backup", *options, SECRET="tr0ub4dor")
    assert (done.code, "tr0ub4dor" in done.errors) == (3, False)
