"""A wrong configuration: one clear message, file and key named, exit code 2, nothing changed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.acceptance.command_line import CommandLine

WRONG = {
    "unknown key": (
        "[targets.drop]",
        'paht = "x"\n[targets.drop]',
        "targets.copy.paht: unknown key",
    ),
    "unknown target": (
        '"copy", "drop"',
        '"cpoy", "drop"',
        "routes.\"orders\".targets[0]: unknown target 'cpoy' (did you mean 'copy'?)",
    ),
    "bad URL": (
        "sqlite:///copy.db",
        "sqlight:///copy.db",
        "targets.copy.url: unknown URL scheme 'sqlight' (did you mean 'sqlite'?)",
    ),
    "missing password": (
        'url = "sqlite:///copy.db"',
        'url = "mysql://u@nowhere.invalid/x"\npassword = { env = "NO_SUCH_VARIABLE" }',
        "targets.copy.password: environment variable NO_SUCH_VARIABLE is not set",
    ),
    "missing table": (
        '"orders", "lines"',
        '"orders", "lnies"',
        "routes.\"orders\".tables[1]: source shop has no table 'lnies' (did you mean 'lines'?)",
    ),
    "schedule": (
        'source = "shop"',
        'source = "shop"\nschedule = "evry 5m"',
        "routes.\"orders\".schedule: cannot read the schedule 'evry 5m'",
    ),
}
COMMANDS = [("triggers", "install"), ("tables", "create"), ("run", "--once"), ("run",)]


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_configuration(shop: CommandLine, wrong: str) -> None:
    shop.make_shop()
    old, new, expected = WRONG[wrong]
    shop.edit(old, new)
    before = _everything(shop.folder)

    for command in COMMANDS:
        done = shop.run(*command)
        said = [line for line in done.errors.splitlines() if " INFO " not in line]
        assert done.code == 2, (command, done)
        assert len(said) == 1
        assert said[0].startswith(f"error: replicator.toml: {expected}"), (command, said)

    assert _everything(shop.folder) == before


def test_check_tells_of_a_table_that_does_not_exist(shop: CommandLine) -> None:
    shop.make_shop()
    shop.edit('"orders", "lines"', '"orders", "lnies"')
    before = _everything(shop.folder)

    done = shop.run("check")

    assert done.code == 2
    assert 'replicator.toml: routes."orders".tables[1]: source shop has no table' in done.out
    assert "did you mean 'lines'?" in done.out
    assert _everything(shop.folder) == before


def test_a_source_that_is_not_there_is_not_created(shop: CommandLine) -> None:
    shop.edit('"copy", "drop"', '"drop"')
    for command in (*COMMANDS[:3], ("check",), ("status",), ("triggers", "status")):
        done = shop.run(*command)
        assert done.code == 3, (command, done)
        assert "there is no file" in done.out + done.errors

    assert [path.name for path in shop.folder.iterdir()] == ["replicator.toml"]


def test_one_bad_source_leaves_the_other_untouched(shop: CommandLine) -> None:
    shop.make_shop()
    shop.sql("CREATE TABLE log (line TEXT)", "other.db")  # no key: cannot be captured
    shop.path.write_text(
        shop.path.read_text()
        + """
        [sources.other]
        url = "sqlite:///other.db"
        [targets.backup]
        type = "backup"
        path = "backup"
        [[routes]]
        name = "other"
        source = "other"
        tables = ["log"]
        targets = ["backup"]
        """
    )
    before = _everything(shop.folder)

    done = shop.run("triggers", "install")

    assert done.code == 1
    assert "table log has no primary key" in done.errors
    assert _everything(shop.folder) == before


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("-c", "none.toml", "check"), "none.toml: no such file"),
        (("pause", "ordres"), "unknown route: 'ordres'\n  did you mean 'orders'?"),
        (("pause", "orders", "cpy"), "unknown target of route orders: 'cpy'"),
        (("resume", "nothing"), "known: orders"),
        (("triggers", "install", "--source", "shpo"), "did you mean 'shop'?"),
        (("frobnicate",), "No such command"),
        (("run", "--twice"), "No such option"),
    ],
)
def test_wrong_usage(shop: CommandLine, arguments: tuple[str, ...], expected: str) -> None:
    shop.make_shop()

    done = shop.run(*arguments)

    assert (done.code, done.out) == (2, "")
    assert expected in done.errors


def _everything(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in (".db-wal", ".db-shm")
    }
