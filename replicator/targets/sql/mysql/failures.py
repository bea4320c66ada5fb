"""What an error of MySQL or MariaDB means for a delivery. Never quotes what may hold row values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pymysql
from pymysql.constants import ER
from sqlalchemy.exc import DBAPIError

from replicator.errors import DeliveryStopped, ReplicatorError, TargetUnavailable
from replicator.targets.sql.conversion import Refused

_UNIQUE = {ER.DUP_ENTRY, 1169, 1586}
_REFUSED = _UNIQUE | {
    ER.BAD_NULL_ERROR,
    1118,  # row size too large
    1216,  # foreign keys
    1217,
    1451,
    1452,
    1264,  # out of range
    1265,  # data truncated
    1292,  # truncated wrong value
    1300,  # invalid character string
    1364,  # no default value
    1366,  # incorrect value
    1367,  # illegal value
    1406,  # data too long
    1411,
    1416,  # not a geometry
    1644,  # SIGNAL in a trigger
    1690,  # value out of range
    3140,  # invalid JSON
    3156,
    3157,  # JSON too deep
    3819,  # CHECK, MySQL
    4025,  # CHECK, MariaDB
    1153,  # packet too large
}
_LOGIN = "Check user and password of the target's URL, and the account's host on the server."
_GRANT = (
    "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, CREATE TEMPORARY TABLES "
    "ON <database>.* TO <user>;"
)
_STOPPED = {
    1044: _GRANT,
    1045: _LOGIN,
    1049: "CREATE DATABASE ...; or mend the database's name in the target's URL.",
    1054: "`replicator check` prints the ALTER TABLE ... ADD COLUMN statement.",
    1130: _LOGIN,
    1142: _GRANT,
    1143: _GRANT,
    1146: "`replicator tables create` makes missing tables.",
    1227: _GRANT,
    1251: _LOGIN,
    1698: _LOGIN,
    2059: _LOGIN,
    1064: "",
}
_WORDS = {
    1040: "too many connections",
    1045: "access denied",
    1048: "NULL in a column that has none",
    1053: "it is shutting down",
    1062: "duplicate key",
    1130: "access denied from this host",
    1153: "larger than max_allowed_packet",
    1205: "a lock was not given in time",
    1213: "deadlock",
    1216: "a row that it refers to is missing",
    1217: "other rows refer to it",
    1264: "out of range",
    1406: "too long",
    1451: "other rows refer to it",
    1452: "a row that it refers to is missing",
    2003: "cannot connect",
    2006: "the connection is gone",
    2013: "the connection broke",
}
_CONSTRAINT = re.compile(r"CONSTRAINT [`']?([^`']+)[`']?", re.DOTALL)
_KEY = re.compile(r".*for key '([^']*)'\s*$", re.DOTALL)
_COLUMN = re.compile(r".*(?:for column|Column|Field) (\S*?) ?(?:at row \d+|cannot be null|doesn't)")
_CHECK = re.compile(r"Check constraint '([^']*)' is violated")


@contextmanager
def judged() -> Iterator[None]:
    """Turn what the driver raises into `Refused`, `TargetUnavailable` or `DeliveryStopped`."""
    try:
        yield
    except (pymysql.Error, DBAPIError) as error:
        raise judge(error) from None


def judge(error: pymysql.Error | DBAPIError) -> Refused | ReplicatorError:
    """Decide whether a row is at fault, a retry may help, or somebody has to act."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    number = cause.args[0] if cause is not None and cause.args else None
    if not isinstance(number, int):
        return TargetUnavailable(f"server: {type(cause).__name__}")
    message = str(cause.args[1]) if cause is not None and len(cause.args) > 1 else ""
    if number in _REFUSED:
        return Refused(f"{_name(number)}{_rule(message)}", unique=number in _UNIQUE)
    if number in _STOPPED:
        return DeliveryStopped(f"{_name(number)}{_place(number, message)}", _STOPPED[number])
    return TargetUnavailable(_name(number))


def _name(number: int) -> str:
    words = _WORDS.get(number)
    return f"server error {number}" + (f" ({words})" if words else "")


def _rule(message: str) -> str:
    """The name of the constraint or column that a message speaks of; never a value."""
    for label, pattern in (
        ("key", _KEY),
        ("constraint", _CHECK),
        ("constraint", _CONSTRAINT),
        ("column", _COLUMN),
    ):
        found = pattern.match(message) if pattern is _KEY else pattern.search(message)
        if found:
            return f", {label} {found[1].strip('`')}"
    return ""


def _place(number: int, message: str) -> str:
    """The names in the message of a missing table, column or database: it holds nothing else."""
    return f": {message}" if number in (1044, 1049, 1054, 1142, 1143, 1146) else ""
