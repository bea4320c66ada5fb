"""`replicator init`, `secret`, `schema`, and the help of every command."""

from __future__ import annotations

import json
import re

import pytest

from replicator.cli.app import app
from replicator.config.secret import decrypt
from replicator.config.starter import starter_text
from tests.acceptance.command_line import CommandLine

GROUPS = [str(group.name) for group in app.registered_groups]
NAMES = [*GROUPS, *(str(command.name) for command in app.registered_commands)]


def test_init(shop: CommandLine) -> None:
    before = shop.path.read_text()
    refused = shop.run("init")
    assert (refused.code, "replicator.toml exists already" in refused.errors) == (2, True)
    assert shop.path.read_text() == before

    shop.path.unlink()
    shop.ok("init")
    assert shop.path.read_text() == starter_text()
    folder = shop.folder / "other"
    folder.mkdir()
    shop.ok("init", "other")
    assert (folder / "replicator.toml").read_text() == starter_text()
    nowhere = shop.run("init", "no/such/folder/x.toml")
    assert (nowhere.code, "no/such/folder/x.toml: No such file" in nowhere.errors) == (1, True)


def test_secret(shop: CommandLine) -> None:
    key = shop.ok("secret", "keygen").strip()

    done = shop.run("secret", "encrypt", stdin="tr0ub4dor\n", REPLICATOR_KEY=key)

    assert done.code == 0
    assert decrypt(done.out.strip(), key) == "tr0ub4dor"
    without = shop.run("secret", "encrypt", stdin="tr0ub4dor\n")
    assert (without.code, "set REPLICATOR_KEY" in without.errors) == (2, True)
    assert shop.run("secret", "encrypt", REPLICATOR_KEY=key).code == 2
    assert shop.run("secret", "encrypt", "tr0ub4dor", REPLICATOR_KEY=key).code == 2


def test_schema(shop: CommandLine) -> None:
    assert json.loads(shop.ok("schema"))["title"] == "replicator.toml"


def test_options_may_stand_before_the_command(shop: CommandLine) -> None:
    shop.make_shop()
    shop.path.rename(shop.folder / "other.toml")

    for arguments in (("-c", "other.toml", "status"), ("status", "-c", "other.toml")):
        assert "orders/copy" in shop.ok(*arguments)
    assert "orders/copy" in shop.ok("status", REPLICATOR_CONFIG="other.toml")


def test_version(shop: CommandLine) -> None:
    assert re.fullmatch(r"replicator \d+\.\d+\.\d+\n", shop.ok("--version"))


@pytest.mark.parametrize("name", NAMES)
def test_help(shop: CommandLine, name: str) -> None:
    assert f"Usage: replicator {name}" in shop.ok(name, "--help")
    assert f" {name} " in shop.ok("--help")
