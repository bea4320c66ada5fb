"""The command line as a user sees it: a process, its output, its exit code."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.acceptance.program import Done, run_program
from tests.memory import peak_memory
from tests.wait import wait_until

ROOT = Path(__file__).parents[2]
_SECONDS = 120.0

SHOP = """
[sources.shop]
url = "sqlite:///shop.db"

[targets.copy]
type = "sql"
url = "sqlite:///copy.db"

[targets.drop]
type = "files"
url = "file:outgoing"

[[routes]]
name = "orders"
source = "shop"
tables = ["orders", "lines"]
targets = ["copy", "drop"]
"""


class CommandLine:
    """Runs commands in a folder of its own, with a configuration file there."""

    def __init__(self, folder: Path, text: str = SHOP) -> None:
        self.folder = folder
        self.seconds = _SECONDS
        """How long a command may take."""
        self.path = folder / "replicator.toml"
        self.path.write_text(text, encoding="utf-8")

    def run(self, *arguments: str, stdin: str = "", **environment: str) -> Done:
        """Run a command to its end."""
        done = run_program(arguments, self.folder, _environment(environment), stdin, self.seconds)
        if "--verbose" not in arguments:
            assert "Traceback" not in done.errors, done.errors
        return done

    def ok(self, *arguments: str, **environment: str) -> str:
        """Run a command that must succeed; return what it printed."""
        done = self.run(*arguments, **environment)
        assert done.code == 0, f"{arguments}: {done}"
        return done.out

    def edit(self, old: str, new: str) -> None:
        """Replace a text in the configuration file, in one step."""
        text = self.path.read_text(encoding="utf-8")
        assert old in text
        fresh = self.path.with_suffix(".new")
        fresh.write_text(text.replace(old, new), encoding="utf-8")
        fresh.replace(self.path)

    def sql(self, statement: str, file: str = "shop.db") -> list[tuple[Any, ...]]:
        """Execute a statement in a SQLite file of the folder."""
        with closing(sqlite3.connect(self.folder / file, timeout=30)) as connection, connection:
            return connection.execute(statement).fetchall()

    def make_shop(self) -> None:
        """Make the source: orders and their lines."""
        self.sql("PRAGMA journal_mode = WAL")
        self.sql("CREATE TABLE orders (id INTEGER PRIMARY KEY, total REAL)")
        self.sql("CREATE TABLE lines (id INTEGER PRIMARY KEY, product TEXT)")

    def prepare(self) -> None:
        """Make the source, install its triggers, create the target's tables."""
        self.make_shop()
        self.ok("triggers", "install")
        self.ok("tables", "create")


class Running:
    """A command in the background, until the block ends; `run` unless another one is given."""

    def __init__(self, command_line: CommandLine, *arguments: str) -> None:
        self._log = command_line.folder / "run.log"
        self.peak_memory = 0
        """The most bytes that were resident, as far as was seen; whole at the end of the block."""
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                _line(arguments or ("run",)),
                cwd=command_line.folder,
                env=_environment({}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_hear_ctrl_c,
            )

    @property
    def log(self) -> str:
        """What it has written so far."""
        return self._log.read_text(encoding="utf-8")

    def wait_for(self, text: str, seconds: float = 60.0) -> None:
        """Wait until the log holds a text."""
        wait_until(lambda: text in self.log, seconds, text)

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def end(self, seconds: float = 60.0) -> int:
        """Wait for its end; return the exit code."""
        deadline = time.monotonic() + seconds
        while True:
            self._look_at_memory()
            try:
                return self._process.wait(0.1)
            except subprocess.TimeoutExpired:
                if time.monotonic() > deadline:
                    raise

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Stop it; return the exit code and how many seconds that took."""
        began = time.monotonic()
        self.send(number)
        return self.end(), time.monotonic() - began

    def __enter__(self) -> Running:
        return self

    def _look_at_memory(self) -> None:
        self.peak_memory = peak_memory(self._process.pid) or self.peak_memory

    def __exit__(self, *exc: object) -> None:
        if self._process.poll() is None:
            self._look_at_memory()
        self._process.kill()
        self._process.wait()


def _hear_ctrl_c() -> None:
    """Undo what a shell does to the commands that it starts in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _line(arguments: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", "replicator", *arguments]


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("REPLICATOR")}
    # Compiled modules halve the time that a command takes to start.
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "", **more}
