"""What an error of SQLite means for a delivery."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

from replicator.errors import DeliveryStopped, ReplicatorError, TargetUnavailable
from replicator.targets.sql.conversion import Refused

_REFUSED = ("SQLITE_CONSTRAINT", "SQLITE_MISMATCH", "SQLITE_TOOBIG", "SQLITE_RANGE")
_UNAVAILABLE = (
    "SQLITE_BUSY",
    "SQLITE_LOCKED",
    "SQLITE_FULL",
    "SQLITE_IOERR",
    "SQLITE_NOMEM",
    "SQLITE_PROTOCOL",
    "SQLITE_INTERRUPT",
    "SQLITE_SCHEMA",
)
_UNIQUE = ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_ROWID")
_NAMES_ONLY = (*_UNIQUE, "SQLITE_CONSTRAINT_NOTNULL", "SQLITE_CONSTRAINT_CHECK")
_HINTS = {
    "SQLITE_CANTOPEN": "Check that the folder of the target's file exists and may be written to.",
    "SQLITE_READONLY": "Let the user that runs the replicator write to the file and its folder.",
    "SQLITE_ERROR": "`replicator check` prints what is missing and the statement that mends it.",
}


@contextmanager
def judged() -> Iterator[None]:
    """Turn what the driver raises into `Refused`, `TargetUnavailable` or `DeliveryStopped`."""
    try:
        yield
    except OverflowError:
        raise Refused("SQLite: an integer of more than 64 bits") from None
    except (sqlite3.Error, DBAPIError) as error:
        raise judge(error) from None


def judge(error: sqlite3.Error | DBAPIError) -> Refused | ReplicatorError:
    """Decide whether a row is at fault, a retry may help, or somebody has to act."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    name = str(getattr(cause, "sqlite_errorname", None) or type(cause).__name__)
    text = f"SQLite: {name}"
    if name in _NAMES_ONLY:
        text += f": {cause}"  # "UNIQUE constraint failed: item.code"
    if name.startswith(_REFUSED) or isinstance(cause, sqlite3.DataError):
        return Refused(text, unique=name in _UNIQUE)
    if name.startswith(_UNAVAILABLE):
        return TargetUnavailable(text)
    hints = (hint for prefix, hint in _HINTS.items() if name.startswith(prefix))
    return DeliveryStopped(text, next(hints, ""))
