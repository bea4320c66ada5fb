"""Errors of the replicator, and the one place that decides what is worth a retry."""

from __future__ import annotations


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
