"""A handler program's process: pipes that never fill up unnoticed, and an end that is one."""

from __future__ import annotations

import logging
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from replicator.errors import DeliveryStopped, TargetUnavailable
from replicator.handlers.program import ExecProgram
from replicator.handlers.stderr import log_lines

LONGEST_LINE = 1 << 20
"""Bytes of an answer; a longer one is garbage."""

LOOK_SECONDS = 0.2
"""How often a wait looks whether the process has ended, or somebody wants to stop."""

STOP_SECONDS = 4.0
"""What a batch under way is given when the replicator is told to stop."""

END_SECONDS = 2.0
"""What the program is given to end after its input has ended."""


class Process:
    """A running program, in a process group of its own."""

    def __init__(
        self,
        program: ExecProgram,
        environment: Mapping[str, str],
        log: logging.Logger,
        stop: threading.Event,
    ) -> None:
        """Start it. Raises `DeliveryStopped` when it cannot be started."""
        self._stop = stop
        self._answer = bytearray()
        try:
            self._popen = subprocess.Popen(
                program.command,
                cwd=program.folder,
                env={**os.environ, **environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            raise DeliveryStopped(
                f"handler {program} cannot be started: {error.strerror}",
                "is it there, executable, and is the interpreter in its first line installed?",
            ) from error
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        assert self._popen.stderr is not None
        self._stdin, self._stdout = self._popen.stdin, self._popen.stdout
        os.set_blocking(self._stdin.fileno(), False)
        self._closed = threading.Event()
        self._log_thread = threading.Thread(
            target=log_lines, args=(self._popen.stderr, log, self._closed), daemon=True
        )
        self._log_thread.start()

    def ask(self, data: bytes, seconds: float) -> tuple[bytes, bool]:
        """Write data to its input; return the line that it answers, and whether it read all before.

        `TargetUnavailable` when it ends, answers too much, or takes longer than `seconds`.
        """
        deadline = time.monotonic() + seconds
        until = deadline
        left = memoryview(data)
        with selectors.DefaultSelector() as selector:
            selector.register(self._stdout, selectors.EVENT_READ)
            if left:
                selector.register(self._stdin, selectors.EVENT_WRITE)
            while b"\n" not in self._answer:
                now = time.monotonic()
                if self._stop.is_set():
                    until = min(until, now + STOP_SECONDS)
                if now >= until:
                    raise TargetUnavailable(
                        f"the handler program has not answered within {seconds:g} s"
                        if until == deadline
                        else "the handler program had not answered when the replicator stopped"
                    )
                ready = selector.select(min(LOOK_SECONDS, until - now))
                for key, _events in ready:
                    if key.fileobj is self._stdout:
                        self._read()
                    else:
                        left = self._write(left)
                        if not left:
                            selector.unregister(self._stdin)
                if not ready and self._has_ended():
                    raise self._ended()
        line, _, rest = bytes(self._answer).partition(b"\n")
        self._answer = bytearray(rest)
        return line, not left

    def end(self) -> None:
        """End it and everything that it started in its group: asked first, then killed."""
        with suppress(OSError):
            self._stdin.close()
        if not self._wait_for_end(END_SECONDS):
            self._signal(signal.SIGTERM)
            self._wait_for_end(END_SECONDS / 2)
        self.kill()

    def kill(self) -> None:
        """Kill it and everything that it started in its group."""
        # The group's number is that of the process, which is ours until `wait` gives it back.
        self._signal(signal.SIGKILL)
        self._popen.wait()
        self._closed.set()
        self._log_thread.join()
        for pipe in (self._stdin, self._stdout):
            with suppress(OSError):
                pipe.close()

    def _write(self, data: memoryview) -> memoryview:
        try:
            return data[os.write(self._stdin.fileno(), data) :]
        except BlockingIOError:
            return data
        except BrokenPipeError:
            if self._wait_for_end(LOOK_SECONDS):
                raise self._ended() from None
            raise TargetUnavailable("the handler program has closed its input") from None

    def _read(self) -> None:
        data = os.read(self._stdout.fileno(), 1 << 16)
        if not data:
            if self._wait_for_end(LOOK_SECONDS):
                raise self._ended()
            raise TargetUnavailable("the handler program has closed its output")
        self._answer += data
        if len(self._answer) > LONGEST_LINE:
            raise TargetUnavailable("the handler program answers without end")

    def _ended(self) -> TargetUnavailable:
        status = os.waitid(os.P_PID, self._popen.pid, os.WEXITED | os.WNOWAIT)
        assert status is not None
        if status.si_code == os.CLD_EXITED:
            return TargetUnavailable(f"the handler program ended with exit code {status.si_status}")
        name = signal.Signals(status.si_status).name
        return TargetUnavailable(f"the handler program was ended by {name}")

    def _has_ended(self) -> bool:
        options = os.WEXITED | os.WNOWAIT | os.WNOHANG
        return os.waitid(os.P_PID, self._popen.pid, options) is not None

    def _wait_for_end(self, seconds: float) -> bool:
        return _wait(self._has_ended, seconds)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, number)


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.01)
    return True
