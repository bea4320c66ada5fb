"""Which program a handler is, as the configuration names it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class PythonProgram:
    """A class in a module that is in `folder`, or installed."""

    module: str
    name: str
    folder: Path

    def __str__(self) -> str:
        return f"python:{self.module}:{self.name}"


@dataclass(frozen=True, slots=True)
class ExecProgram:
    """A program and its arguments, run in `folder` without a shell."""

    command: tuple[str, ...]
    folder: Path

    def __str__(self) -> str:
        return f"exec:{self.command[0]}"  # arguments may hold what no log should


Program = PythonProgram | ExecProgram
