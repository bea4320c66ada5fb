"""The program in a process of its own, forked from one that has imported it already.

What a command does is less work than importing everything, and the tests run hundreds. The first
run starts the process that the others are forked from.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from replicator.cli import main

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["replicator.cli.app", __name__])

_STREAMS = (("in", os.O_RDONLY), ("out", os.O_WRONLY), ("errors", os.O_WRONLY))
"""Files by what they stand in for: standard input, output and error, in the order of their numbers.
"""


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    errors: str


def run_program(
    arguments: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    stdin: str,
    seconds: float,
) -> Done:
    """Run a command in a folder to its end; `TimeoutError` when that takes too long."""
    with tempfile.TemporaryDirectory() as name:
        streams = Path(name)
        (streams / "in").write_text(stdin, encoding="utf-8")
        (streams / "out").touch()
        (streams / "errors").touch()
        task = (list(arguments), folder, dict(environment), streams)
        process = _forks.Process(target=_main, args=task)
        process.start()
        process.join(seconds)
        code = process.exitcode
        if code is None:
            process.kill()
            process.join()
            raise TimeoutError(f"{arguments}: {(streams / 'errors').read_text(encoding='utf-8')}")
        process.close()
        out, errors = ((streams / n).read_text(encoding="utf-8") for n in ("out", "errors"))
    return Done(code, out, errors)


def _main(arguments: list[str], folder: Path, environment: dict[str, str], streams: Path) -> None:
    for number, (name, flags) in enumerate(_STREAMS):
        opened = os.open(streams / name, flags)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)
    sys.argv = ["replicator", *arguments]
    main()
