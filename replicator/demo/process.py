"""Running the commands of the product the way a user does: as processes of their own."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from replicator.errors import ReplicatorError

_STOP_SECONDS = 15.0
_LOG_LINES = 15


class DemoFailed(ReplicatorError):
    """A command of the demo did not do what it should."""


def command(folder: Path, *arguments: str) -> None:
    """Run one command to its end. Raises `DemoFailed` with what it printed."""
    done = subprocess.run(
        _line(folder, *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise DemoFailed(f"replicator {' '.join(arguments)} failed:\n{done.stdout.strip()}")


class Replicator:
    """`replicator run`, which can be killed and started again. Its log is `replicator.log`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = folder / "replicator.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                _line(self._folder, "run"), stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    def check(self) -> None:
        """Raise `DemoFailed` when it has ended though nobody asked for that."""
        if self._process is not None and self._process.poll() is not None:
            lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
            tail = "\n".join(lines[-_LOG_LINES:])
            raise DemoFailed(f"replicator run ended by itself; its log ends:\n{tail}")

    def kill(self) -> None:
        """Kill it without warning, as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Stop it as Ctrl-C does."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _line(folder: Path, *arguments: str) -> list[str]:
    configuration = str(folder / "replicator.toml")
    return [sys.executable, "-m", "replicator", "--config", configuration, *arguments]
