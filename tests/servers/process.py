"""A server's operating-system side: an ordinary user, a folder of its own, and no survivors."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# This shell outlives pytest. Each line that it reads names the server's process (an empty one: it
# has stopped). When the pipe ends, because pytest closed it or died in whatever way, it kills what
# still runs and removes the folder. PDEATHSIG would not do: it fires when the *thread* ends that
# has started the server.
_GUARDIAN = """
while read -r line; do pid=$line; done
if [ -n "$pid" ]; then
    kill -"$2" "$pid"; sleep 1; kill -KILL "$pid"
fi
rm -rf "$1"
"""

_STOP_DEADLINE_SECONDS = 60.0


def _ordinary_user() -> dict[str, Any]:
    """`Popen` arguments that drop root's rights: database servers refuse to run as root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


class ServerProcess:
    """One server program, run as an ordinary user inside a temporary folder, started many times.

    Whatever happens to the test run, program and folder are gone shortly after it. `abandon_signal`
    is what the program gets in that case: the signal that ends it at once with all its children.
    """

    def __init__(
        self, name: str, abandon_signal: signal.Signals, *, as_tester: bool = False
    ) -> None:
        """Make the folder, owned by the user that the server will run as.

        `as_tester`: the one who runs the tests, even if that is root.
        """
        self._popen_arguments = {} if as_tester else _ordinary_user()
        self.folder = Path(tempfile.mkdtemp(prefix=f"outbox-test-{name}-"))
        if self._popen_arguments:
            os.chown(self.folder, self._popen_arguments["user"], self._popen_arguments["group"])
        self.log = self.folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._guardian = subprocess.Popen(
            ["/bin/sh", "-c", _GUARDIAN, "guardian", self.folder, abandon_signal.name[3:]],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in the terminal must not reach it
        )

    @property
    def running(self) -> bool:
        """Whether the program is there; false too when it ended by itself."""
        return self._process is not None and self._process.poll() is None

    def run(self, command: Sequence[str | Path]) -> None:
        """Run a preparing program in the folder to its end; its output joins the server's log."""
        with self.log.open("ab") as log:
            result = subprocess.run(
                command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
                **self._popen_arguments,
            )
        if result.returncode != 0:
            message = f"{command[0]} failed ({result.returncode})\n{self.log_tail()}"
            raise RuntimeError(message)

    def start(self, command: Sequence[str | Path]) -> None:
        """Start the server; its output is appended to the log."""
        if self.running:
            raise RuntimeError("the server already runs")
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self._popen_arguments,
            )
        self._tell_guardian(str(self._process.pid))

    def stop(self, stop_signal: signal.Signals) -> None:
        """Ask the server to end and wait for it; one that does not within a minute is killed."""
        if self._process is None:
            return
        self._process.send_signal(stop_signal)
        try:
            self._process.wait(_STOP_DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self._forget()

    def kill(self) -> None:
        """Kill the server and all its children at one moment; return when every one is gone."""
        if self._process is None:
            return
        if self.running:
            # Stopped first, so that it starts no child while its children are being counted.
            # PostgreSQL's backends each lead a session of their own: no process group holds them.
            self._process.send_signal(signal.SIGSTOP)
            while _state_and_parent(self._process.pid)[0] not in "TZ":
                time.sleep(0.001)
            family = [self._process.pid, *_children(self._process.pid)]
            for pid in family:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.wait()
            while any(_alive(pid) for pid in family):
                time.sleep(0.01)
        self._forget()

    def close(self) -> None:
        """End what still runs and remove the folder."""
        self.kill()
        self._guardian.communicate()

    def log_tail(self, lines: int = 40) -> str:
        """The last lines that the server wrote, for an error message."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def _forget(self) -> None:
        self._process = None
        self._tell_guardian("")

    def _tell_guardian(self, line: str) -> None:
        assert self._guardian.stdin is not None
        self._guardian.stdin.write(f"{line}\n".encode())
        self._guardian.stdin.flush()


def _state_and_parent(pid: int) -> tuple[str, int]:
    """A process's state letter and parent; "X" (dead) when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return "X", 0
    state, parent, *_ = stat.rpartition(")")[2].split()
    return state, int(parent)


def _children(parent: int) -> list[int]:
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [pid for pid in pids if _state_and_parent(pid)[1] == parent]


def _alive(pid: int) -> bool:
    return _state_and_parent(pid)[0] not in "ZX"  # an unreaped orphan holds nothing any more
