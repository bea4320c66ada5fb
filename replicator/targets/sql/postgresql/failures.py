"""What an error of PostgreSQL means for a delivery. Never quotes what may hold row values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy.exc import DBAPIError

from replicator.errors import DeliveryStopped, ReplicatorError, TargetUnavailable
from replicator.targets.sql.conversion import Refused

_REFUSED_CLASSES = ("21", "22", "23", "27", "44", "54", "P0")
_HINTS = {
    "28": "Check user and password of the target's URL, and pg_hba.conf of the server.",
    "3D": "CREATE DATABASE ...; or mend the database's name in the target's URL.",
    "42501": "GRANT SELECT, INSERT, UPDATE, DELETE ON <table> TO <user>; `replicator check` "
    "prints the statement for each table.",
    "42P01": "`replicator tables create` makes missing tables.",
    "42703": "`replicator check` prints the ALTER TABLE ... ADD COLUMN statement.",
    "42P10": "`replicator check` prints the statement that adds the unique key.",
}
_STOPPED_CLASSES = ("28", "3D", "3F", "42", "0A", "0L", "0P")
_CANNOT_LOG_IN = ("authentication failed", "no password supplied", "pg_hba.conf", "role ")
_NO_DATABASE = ("database ", "does not exist")


@contextmanager
def judged() -> Iterator[None]:
    """Turn what the driver raises into `Refused`, `TargetUnavailable` or `DeliveryStopped`."""
    try:
        yield
    except (psycopg.Error, DBAPIError) as error:
        raise judge(error) from None


def judge(error: psycopg.Error | DBAPIError) -> Refused | ReplicatorError:
    """Decide whether a row is at fault, a retry may help, or somebody has to act."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(cause, psycopg.Error):
        return TargetUnavailable("PostgreSQL: " + type(cause).__name__)
    state = cause.sqlstate
    text = describe(cause)
    if state is None:
        if isinstance(cause, psycopg.OperationalError):
            return _judge_connection(cause)
        return Refused(text)
    if state[:2] in _REFUSED_CLASSES:
        return Refused(text, unique=state == "23505")
    if state[:2] in _STOPPED_CLASSES:
        return DeliveryStopped(text, _HINTS.get(state) or _HINTS.get(state[:2], ""))
    return TargetUnavailable(text)


def describe(error: psycopg.Error) -> str:
    """Name the rule that was broken and where, without any value."""
    name = type(error).__name__
    if error.sqlstate is None:
        return f"PostgreSQL: {name}"
    parts = [f"PostgreSQL: {name} (SQLSTATE {error.sqlstate})"]
    diagnosis = error.diag
    for label, value in (
        ("constraint", diagnosis.constraint_name),
        ("table", diagnosis.table_name),
        ("column", diagnosis.column_name),
        ("type", diagnosis.datatype_name),
    ):
        if value:
            parts.append(f"{label} {value}")
    return ", ".join(parts)


def _judge_connection(error: psycopg.OperationalError) -> ReplicatorError:
    """A failure to connect carries no SQLSTATE, only the text of libpq, which holds no secret."""
    text = str(error)
    if any(part in text for part in _CANNOT_LOG_IN) and "starting up" not in text:
        return DeliveryStopped("PostgreSQL refuses the login", _HINTS["28"])
    if all(part in text for part in _NO_DATABASE):
        return DeliveryStopped("PostgreSQL has no such database", _HINTS["3D"])
    return TargetUnavailable("PostgreSQL: connection failed or lost")
