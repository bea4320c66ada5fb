"""What an error means for the exit code, and what is said about it. Decided nowhere else."""

from __future__ import annotations

import logging
import sys
import traceback
from enum import IntEnum

from sqlalchemy.exc import DBAPIError

from replicator.config.errors import ConfigError, InvalidValue
from replicator.errors import ReplicatorError, SourceUnavailable, TargetUnavailable, describe
from triggers.errors import CaptureError


class ExitCode(IntEnum):
    """The exit codes of every command."""

    DONE = 0
    PROBLEM = 1
    USAGE = 2  # or configuration
    UNREACHABLE = 3
    INTERRUPTED = 130


class WrongUsage(ReplicatorError):
    """The command cannot do what it is asked for; the message says what it can do."""


def exit_code(error: BaseException) -> ExitCode:
    """Return the exit code for an error that ended a command."""
    match error:
        case ConfigError() | InvalidValue() | WrongUsage():
            return ExitCode.USAGE
        case SourceUnavailable() | TargetUnavailable():
            return ExitCode.UNREACHABLE
        case DBAPIError() if error.connection_invalidated:
            return ExitCode.UNREACHABLE
        case _:
            return ExitCode.PROBLEM


def report(error: Exception) -> ExitCode:
    """Tell an error on stderr, with a traceback only under `--verbose`; return the exit code."""
    if logging.getLogger("replicator").isEnabledFor(logging.DEBUG):
        traceback.print_exception(error)
    print(f"error: {message(error)}", file=sys.stderr)
    return exit_code(error)


def message(error: BaseException) -> str:
    """Describe an error: what is wrong, and the way out."""
    match error:
        case InvalidValue():
            return f"{error.message} ({error.hint})" if error.hint else error.message
        case ReplicatorError() | CaptureError():
            return str(error)
        case DBAPIError():
            return f"{describe(error)}\n  replicator check tells what is missing"
        case OSError() if error.filename is not None:
            return f"{error.filename}: {error.strerror}"
        case _:
            return f"{describe(error)}\n  this is a fault of the program; --verbose shows where"
