"""Checksums in SQLite: computed in this process, by functions that the connection knows."""

from __future__ import annotations

import hashlib
import sqlite3
import struct
from collections.abc import Sequence

from replicator.canonical.form import HASH_DIGITS, Digest, Field, Form

_CLASSES = {
    Form.NUMBER: "integer",
    Form.BOOLEAN: "integer",
    Form.TEXT: "text",
    Form.BYTES: "blob",
    Form.FLOAT: "real",
}
"""The storage class whose values have a form; others get a mark."""


def register(connection: sqlite3.Connection) -> None:
    """Make the functions known that the queries call."""
    connection.create_function("replicator_text", 3, _text, deterministic=True)
    connection.create_function("replicator_part", 3, _part, deterministic=True)
    # The stubs want a method that has no parameters.
    connection.create_aggregate("replicator_digest", -1, _Sum)  # type: ignore[arg-type]


def digest(fields: Sequence[Field], rows: str) -> str:
    """A query for what `read_digest` takes, over a FROM item and what follows it."""
    parts = ", ".join(_call("replicator_part", field) for field in fields)
    return f"SELECT replicator_digest({parts}) FROM {rows}"


def read_digest(found: str | bytes | None) -> Digest:
    """The digest out of the query's only value; an aggregate that never saw a row is NULL."""
    if found is None:
        return Digest(0, 0, 0)
    printed = found.decode() if isinstance(found, bytes) else found
    return Digest(*map(int, printed.split(",")))


def text(field: Field) -> str:
    """The text of a value."""
    return _call("replicator_text", field)


def _call(function: str, field: Field) -> str:
    kind = f"typeof({field.sql})"
    value = f"CASE {kind} WHEN 'text' THEN CAST({field.sql} AS BLOB) ELSE {field.sql} END"
    return f"{function}({kind}, {value}, '{field.form.value}')"


Value = int | float | bytes | None
"""What SQLite passes: texts as bytes, so that any will do."""


def _text(kind: str, value: Value, form: str) -> str | None:
    if value is None:
        return None
    if kind != _CLASSES.get(Form(form)):
        return f"{kind} {value.hex() if isinstance(value, bytes) else repr(value)}"
    match value:
        case float():
            return struct.pack(">d", value + 0.0).hex()
        case bytes() if kind == "blob":
            return value.hex()
        case bytes():
            return value.decode(errors="backslashreplace")
        case _:
            return str(value)


def _part(kind: str, value: Value, form: str) -> bytes:
    printed = _text(kind, value, form)
    if form in (Form.TEXT, Form.OWN):  # may hold anything, what stands between parts too
        return b"-" if printed is None else f"{len(printed)}:{printed}".encode()
    return f"{printed or ''},".encode()


class _Sum:
    """Sums up the hashes of rows, each given as the parts of its columns."""

    def __init__(self) -> None:
        self._rows = self._first = self._second = 0

    def step(self, *parts: bytes) -> None:
        hashed = hashlib.md5(b"".join(parts), usedforsecurity=False).hexdigest()
        self._rows += 1
        self._first += int(hashed[:HASH_DIGITS], 16)
        self._second += int(hashed[HASH_DIGITS : 2 * HASH_DIGITS], 16)

    def finalize(self) -> str:
        return f"{self._rows},{self._first},{self._second}"
