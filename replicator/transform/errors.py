"""What an error of a source's driver says about a transform. Messages may hold row values."""

from __future__ import annotations

import sqlite3

import psycopg
import pymysql

from replicator.errors import DeliveryStopped, SourceUnavailable
from replicator.transform.evaluation import RowRefused

_CHECK = "replicator check says what is wrong with the transform"

_POSTGRESQL_ROWS = frozenset({"21", "22", "23", "38", "39", "44", "54", "P0"})
"""Classes of SQLSTATE: cardinality, data, constraints, functions, views, limits, RAISE."""

_MYSQL_GONE = frozenset({1040, 1053, 1152, 1158, 1159, 1160, 1161, 1205, 1213, 1317, 3024, 1969})
"""Shut down, aborted, deadlock, lock or statement timeout; client errors are 2000 to 2999."""
_MYSQL_BROKEN = frozenset({1044, 1045, 1049, 1052, 1054, 1064, 1109, 1142, 1143, 1146, 1305, 1370})
"""No such thing, or no right to it; syntax."""


def of_postgresql(error: psycopg.Error) -> Exception:
    """Judge an error of psycopg."""
    state = error.sqlstate or ""
    named = f"{type(error).__name__} (SQLSTATE {state})"
    if state[:2] in _POSTGRESQL_ROWS:
        return RowRefused(named)
    if state[:2] == "42":
        return DeliveryStopped(f"the transform cannot run: {named}", _CHECK)
    return SourceUnavailable(f"reading changes failed: {type(error).__name__}")


def of_mysql(error: pymysql.Error | OSError) -> Exception:
    """Judge an error of PyMySQL."""
    code = error.args[0] if isinstance(error, pymysql.Error) and error.args else 0
    unreachable = not isinstance(code, int) or code < 1000 or 2000 <= code < 3000
    if unreachable or code in _MYSQL_GONE:
        return SourceUnavailable(f"reading changes failed: {type(error).__name__}")
    if code in _MYSQL_BROKEN:
        return DeliveryStopped(f"the transform cannot run: error {code} of the source", _CHECK)
    return RowRefused(f"error {code} of the source")


def of_sqlite(error: sqlite3.Error) -> Exception:
    """Judge an error of sqlite3."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if str(error).startswith(("no such", "near ")):
        return DeliveryStopped(f"the transform cannot run: {error}", _CHECK)
    if code in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH):
        return RowRefused(type(error).__name__)
    return SourceUnavailable(f"reading changes failed: {type(error).__name__}")
