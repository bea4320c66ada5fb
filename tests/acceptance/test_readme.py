"""The README and the guide say what is true: their commands run, their configurations load."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from replicator.cli.app import app
from replicator.config import load
from tests.acceptance.command_line import ROOT

README = ROOT / "README.md"
GUIDE = sorted((ROOT / "docs" / "guide").glob("*.md"))

pytestmark = pytest.mark.docs

_REPLICATOR = f"""#!/bin/sh
PYTHONPATH={ROOT} exec {sys.executable} -m replicator "$@"
"""
# The program may not be installed: the library always is.
_SQLITE = f"""#!{sys.executable}
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2].split(";"):
    for row in connection.execute(statement):
        print(*row, sep="|")
"""


@pytest.fixture
def programs(tmp_path: Path) -> dict[str, str]:
    """An environment in which `replicator` and `sqlite3` can be called by name."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in (("replicator", _REPLICATOR), ("sqlite3", _SQLITE)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}


@pytest.mark.parametrize("page", [README, *GUIDE], ids=lambda path: path.stem)
def test_shell_blocks_run(page: Path, tmp_path: Path, programs: dict[str, str]) -> None:
    """In one folder, in the order of the page; a block is run, or written where it says so."""
    folder = tmp_path / "work"
    folder.mkdir()
    outputs = []
    for language, text in _blocks(page):
        if language == "toml" and text.startswith("# replicator.toml"):
            (folder / "replicator.toml").write_text(text)
        if language == "sh":
            done = subprocess.run(
                ["bash", "-euc", text],
                cwd=folder,
                env=programs,
                text=True,
                capture_output=True,
                timeout=120,
                check=False,
            )
            assert done.returncode == 0, (text, done.stdout, done.stderr)
            outputs.append(done.stdout)
    if page == README:
        assert "1|Ada|12.5" in "".join(outputs)
        assert "orders_000000000001.csv" in "".join(outputs)


@pytest.mark.parametrize("page", [README, *GUIDE], ids=lambda path: path.stem)
def test_configurations_load(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for language, text in _blocks(page):
        if language == "toml":
            for variable in re.findall(r'env = "(\w+)"', text):
                monkeypatch.setenv(variable, "x")
            path = tmp_path / "replicator.toml"
            path.write_text(text)
            load(path)


@pytest.mark.parametrize("page", [README, *GUIDE], ids=lambda path: path.stem)
def test_commands_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    written = re.findall(r"(?<!/)\breplicator ((?:[a-z]+ ?)+)", " ".join(text.split()))
    in_code = {words.strip() for words in written if _is_code(words, text)}
    for words in in_code:
        assert any(f"{words} ".startswith(f"{name} ") for name in _commands()), words


def test_the_readme_names_every_command() -> None:
    text = README.read_text(encoding="utf-8")
    for name in _commands():
        assert f"| `replicator {name}` |" in text, name


@pytest.mark.parametrize("page", [README, *GUIDE], ids=lambda path: path.stem)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)(?:#[\w-]+)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / link).exists(), link


def _commands() -> list[str]:
    names = [str(command.name) for command in app.registered_commands]
    for group in app.registered_groups:
        assert group.typer_instance is not None
        inside = group.typer_instance.registered_commands
        names += [f"{group.name} {command.name}" for command in inside]
    return names


def _is_code(words: str, text: str) -> bool:
    return re.search(rf"[`$] ?replicator\s+{re.escape(words.split()[0])}", text) is not None


def _blocks(page: Path) -> list[tuple[str, str]]:
    text = page.read_text(encoding="utf-8")
    found = re.findall(r"^( *)```(\w+)\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL)
    return [(language, textwrap.dedent(body)) for _indent, language, body in found]
