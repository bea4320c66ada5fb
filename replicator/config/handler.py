"""Which handler delivers: the target's own, a Python class, or a program."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from replicator.config.errors import InvalidValue
from replicator.errors import DeliveryStopped
from replicator.handlers import ExecProgram, Program, PythonProgram
from replicator.handlers.executed import find_program

DEFAULT = "default"

_EXAMPLES = 'write "default", "python:module:Class" or "exec:./program arguments"'
_PYTHON = re.compile(r"([^\W\d]\w*(?:\.[^\W\d]\w*)*):([^\W\d]\w*)")


def parse_handler(text: str, folder: Path) -> Program | None:
    """Read a handler as the configuration writes it; None is the target's own.

    A program has to be there already. A module is not looked at: that would run its code. Raises
    `InvalidValue`.
    """
    if text == DEFAULT:
        return None
    kind, _, rest = text.partition(":")
    match kind:
        case "python":
            return _python(rest, folder)
        case "exec":
            return _exec(rest, folder)
    raise InvalidValue(f"cannot read the handler {text!r}", _EXAMPLES)


def _python(text: str, folder: Path) -> PythonProgram:
    match = _PYTHON.fullmatch(text)
    if match is None:
        raise InvalidValue(
            f"cannot read the Python class {text!r}",
            'write for example "python:orders:Orders" or "python:package.module:Class"',
        )
    return PythonProgram(match[1], match[2], folder)


def _exec(text: str, folder: Path) -> ExecProgram:
    try:
        command = shlex.split(text)
    except ValueError as error:
        raise InvalidValue(f"cannot read the command: {str(error).lower()}") from None
    if not command:
        raise InvalidValue("names no program", 'write for example "exec:./send --fast"')
    program = ExecProgram(tuple(command), folder)
    try:
        find_program(program)
    except DeliveryStopped as error:
        raise InvalidValue(error.message, error.hint) from None
    return program
