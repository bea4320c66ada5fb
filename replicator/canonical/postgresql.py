"""Checksums in PostgreSQL, in a session in UTC that prints dates as ISO does."""

from __future__ import annotations

from collections.abc import Sequence

from replicator.canonical.form import HASH_DIGITS, Field, Form


def digest(fields: Sequence[Field], rows: str) -> str:
    """A query for what `Digest.of` takes, over a FROM item and what follows it."""
    row = " || ".join(map(_part, fields))
    parts = [
        f"COALESCE(sum(('x' || substr(h, {start}, {HASH_DIGITS}))::bit({4 * HASH_DIGITS})::int8),"
        " 0)::text"
        for start in (1, 1 + HASH_DIGITS)
    ]
    return (
        f"SELECT count(*), count(h), {', '.join(parts)}"
        f" FROM (SELECT md5(convert_to({row}, 'UTF8')) AS h FROM {rows}) d"
    )


def text(field: Field) -> str:
    """The text of a value."""
    value = field.sql
    match field.form:
        case Form.BOOLEAN:
            return f"({value})::int4::text"
        case Form.BYTES:
            return f"encode({value}, 'hex')"
        case Form.TIME:
            return f"to_char(({value})::interval, 'HH24:MI:SS.US')"
        case Form.TIMESTAMP:
            usual = f"isfinite({value}) AND ({value}) >= '0001-01-01'"
            printed = f"to_char({value}, 'YYYY-MM-DD HH24:MI:SS.US')"
            return f"CASE WHEN {usual} THEN {printed} ELSE ({value})::text END"
        case Form.FLOAT:
            # Adding zero makes the negative one positive.
            return f"encode(float8send(({value})::float8 + 0), 'hex')"
        case Form.NUMBER | Form.TEXT | Form.DATE | Form.OWN:
            return f"({value})::text"


def _part(field: Field) -> str:
    printed = text(field)
    if field.form in (Form.TEXT, Form.OWN):  # may hold anything, what stands between parts too
        return f"COALESCE(length({printed})::text || ':' || {printed}, '-')"
    return f"COALESCE({printed}, '') || ','"
