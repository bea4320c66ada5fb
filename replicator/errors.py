"""Errors of the replicator, and the one place that decides what is worth a retry."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError

from triggers.errors import CaptureError


class ReplicatorError(Exception):
    """Root of this package's errors. `hint` tells the way out, or is empty."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class DeliveryStopped(ReplicatorError):
    """A delivery cannot go on until somebody mends what the message names."""


class TargetUnavailable(ReplicatorError):
    """The target cannot be reached or is busy; trying again may help."""


class SourceUnavailable(ReplicatorError):
    """The source cannot be reached or is busy; trying again may help."""


def needs_somebody(error: BaseException) -> bool:
    """Tell whether trying again is of no use until somebody mends something."""
    return isinstance(error, DeliveryStopped | CaptureError)


def describe(error: BaseException) -> str:
    """Describe an error for logs and `status`: no SQL, no parameters, no row values, no secrets.

    Our own errors are written with that in mind. Of a database driver's only the first line is
    used: servers put row values into the lines below it.
    """
    if isinstance(error, ReplicatorError | CaptureError):
        return str(error)
    if isinstance(error, DBAPIError) and error.orig is not None:
        arguments = error.orig.args
        text = str(arguments[-1] if arguments else error.orig)
        return _first_line(text) or type(error.orig).__name__
    return f"{type(error).__name__}: {_first_line(str(error))}"


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]
