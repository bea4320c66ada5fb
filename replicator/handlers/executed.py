"""Handlers that are programs: changes as JSON Lines on their input, an answer for each batch."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from replicator.change import Change, encode
from replicator.errors import DeliveryStopped, TargetUnavailable
from replicator.handlers.contract import Context
from replicator.handlers.process import Process
from replicator.handlers.program import ExecProgram
from replicator.handlers.stderr import clean


class ExecHandler:
    """Runs a program for as long as it is open; see docs/guide/handlers.md for the protocol."""

    def __init__(self, program: ExecProgram, seconds: float, stop: threading.Event) -> None:
        """`seconds` is what the program may take for one batch."""
        self._program = program
        self._seconds = seconds
        self._stop = stop
        self._process: Process | None = None
        self._batch = 0
        self._failed = False

    def open(self, context: Context) -> None:
        """Start the program. `DeliveryStopped` when that cannot be."""
        find_program(self._program)
        self._context = context
        environment = {"REPLICATOR_ROUTE": context.route, "REPLICATOR_TARGET": context.target}
        self._process = Process(self._program, environment, context.log, self._stop)

    def deliver(self, changes: Sequence[Change]) -> None:
        """Hand over a batch and wait for the answer; what it refuses is parked."""
        assert self._process is not None
        self._batch += 1
        lines = [encode(change) for change in changes]
        lines.append(encode({"batch": self._batch}))
        self._failed = True
        line, complete = self._process.ask(b"\n".join(lines) + b"\n", self._seconds)
        answer = _answer(line)
        if not complete and ("error" not in answer or "park" in answer):
            raise TargetUnavailable("the handler program answers before it has read the batch")
        self._take(answer, changes)
        self._failed = False

    def close(self) -> None:
        """End the program: in good order, or, if it has failed, at once."""
        process, self._process = self._process, None
        if process is None:
            return
        if self._failed:
            process.kill()
        else:
            process.end()

    def _take(self, answer: Mapping[str, Any], changes: Sequence[Change]) -> None:
        match answer:
            case {"ok": int(batch)} if batch == self._batch and not isinstance(batch, bool):
                return
            case {"error": str(error), "park": list(ids)}:
                known = {change.id: change for change in changes}
                if not all(isinstance(number, int) and number in known for number in ids):
                    raise TargetUnavailable(
                        "the handler program parks changes that are not in the batch"
                    )
                for number in dict.fromkeys(ids):
                    self._context.park(known[number], clean(error))
            case {"error": str(error), "stop": True}:
                raise DeliveryStopped(f"the handler program says: {clean(error)}")
            case {"error": str(error)}:
                raise TargetUnavailable(f"the handler program says: {clean(error)}")
            case _:
                raise TargetUnavailable(
                    "the handler program answers something that is no acknowledgement of batch"
                    f" {self._batch}",
                    'it has to be one line: {"ok": N}, or {"error": "..."}',
                )


def find_program(program: ExecProgram) -> Path:
    """Return the program's file. Raises `DeliveryStopped` when it is not there or not executable.

    A name without `/` is looked for in the PATH, any other starts at the program's folder.
    """
    name = program.command[0]
    if "/" not in name:
        found = shutil.which(name)
        if found is None:
            raise DeliveryStopped(
                f"handler {program}: there is no program {name!r} in the PATH",
                f"a program beside the configuration file is written exec:./{name}",
            )
        return Path(found)
    path = program.folder / name
    if not path.is_file():
        raise DeliveryStopped(f"handler {program}: there is no file {path}")
    if shutil.which(path) is None:
        raise DeliveryStopped(f"handler {program}: {path} is not executable", f"chmod +x '{path}'")
    return path


def _answer(line: bytes) -> Mapping[str, Any]:
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}
