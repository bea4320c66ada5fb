"""Errors of the capture library: each says what is wrong and how to mend it."""

from __future__ import annotations


class CaptureError(Exception):
    """Root of this package's errors. `hint` tells the way out, or is empty."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class TableRefused(CaptureError):
    """A table cannot be captured as it is."""


class TableMissing(TableRefused):
    """There is no table of this name."""


class TableBusy(CaptureError):
    """A table's triggers could not be put in place: other transactions hold the table."""


class CanaryFailed(CaptureError):
    """Triggers were not put in place: they would fail writes that their table accepts."""


class OutboxMissing(CaptureError):
    """The source has no outbox tables yet."""


class OutboxTooNew(CaptureError):
    """The outbox tables were made by a newer version of this program."""
