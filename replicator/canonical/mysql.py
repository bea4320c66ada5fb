"""Checksums in MySQL and MariaDB, in a session in UTC."""

from __future__ import annotations

from collections.abc import Sequence

from replicator.canonical.form import HASH_DIGITS, Field, Form


def digest(fields: Sequence[Field], rows: str) -> str:
    """A query for what `Digest.of` takes, over a FROM item and what follows it."""
    row = f"CONCAT({', '.join(map(_part, fields))})"
    parts = [
        f"COALESCE(SUM(CAST(CONV(SUBSTRING(h, {start}, {HASH_DIGITS}), 16, 10) AS UNSIGNED)), 0)"
        for start in (1, 1 + HASH_DIGITS)
    ]
    return (
        f"SELECT COUNT(*), COUNT(h), {', '.join(parts)} FROM (SELECT MD5({row}) AS h FROM {rows}) d"
    )


def text(field: Field) -> str:
    """The text of a value."""
    value = field.sql
    match field.form:
        case Form.TEXT | Form.OWN:
            return f"CONVERT({value} USING utf8mb4)"
        case Form.BYTES:
            return f"LOWER(HEX({value}))"
        case Form.TIME:
            return f"TIME_FORMAT({value}, '%H:%i:%s.%f')"
        case Form.TIMESTAMP:
            return f"DATE_FORMAT({value}, '%Y-%m-%d %H:%i:%s.%f')"
        case Form.NUMBER | Form.BOOLEAN | Form.DATE:
            return f"CAST({value} AS CHAR)"
        case Form.FLOAT:
            raise AssertionError("no text of a float here holds all of it")


def _part(field: Field) -> str:
    printed = text(field)
    if field.form in (Form.TEXT, Form.OWN):  # may hold anything, what stands between parts too
        return f"COALESCE(CONCAT(CHAR_LENGTH({printed}), ':', {printed}), '-')"
    return f"COALESCE({printed}, ''), ','"
