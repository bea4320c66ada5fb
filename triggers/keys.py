"""Which columns identify a row, and which columns are captured."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from triggers.errors import TableRefused
from triggers.model import Column, TableSpec

UniqueKey = tuple[str, tuple[str, ...], bool, bool]
"""Name, columns in order, whether it is the primary key, whether every column is NOT NULL."""


def choose_key(table: str, spec: TableSpec, unique_keys: Sequence[UniqueKey]) -> tuple[str, ...]:
    """Return the columns that identify a row of the table.

    The primary key, or the unique key that the specification names (by name or by columns).
    Raises `TableRefused` when there is none, or when the named one may hold NULL.
    """
    if spec.key is None:
        for _name, columns, primary, _not_null in unique_keys:
            if primary:
                return columns
        usable = [f"{columns[0]!r}" for _n, columns, _p, not_null in unique_keys if not_null]
        raise TableRefused(
            f"table {table} has no primary key, so a change cannot say which row it is about",
            "add a primary key, or name a unique key of NOT NULL columns with `key = ...` under"
            " the table's options" + (f" (it has one on {', '.join(usable)})" if usable else ""),
        )
    for name, columns, _primary, not_null in unique_keys:
        if spec.key in (name, columns) or (isinstance(spec.key, str) and columns == (spec.key,)):
            if not_null:
                return columns
            raise TableRefused(
                f"table {table}: the unique key {name} has columns that may be NULL",
                "make them NOT NULL, or choose another key",
            )
    wanted = spec.key if isinstance(spec.key, str) else ", ".join(spec.key)
    known = ", ".join(f"{name} ({', '.join(columns)})" for name, columns, _p, _n in unique_keys)
    raise TableRefused(
        f"table {table} has no unique key {wanted!r}",
        f"its unique keys are: {known}" if known else "it has no unique key at all",
    )


def keep_columns(
    table: str, spec: TableSpec, columns: Sequence[Column], key: Sequence[str]
) -> tuple[Column, ...]:
    """Return the columns that are captured: all but the excluded ones.

    Raises `TableRefused` for an excluded column that does not exist or belongs to the key.
    """
    names = [column.name for column in columns]
    for name in spec.exclude:
        if name not in names:
            near = difflib.get_close_matches(name, names, 1)
            raise TableRefused(
                f"table {table} has no column {name!r} to exclude",
                f"did you mean {near[0]!r}?" if near else f"its columns: {', '.join(names)}",
            )
        if name in key:
            raise TableRefused(
                f"table {table}: {name!r} belongs to the key and cannot be excluded",
                "leave it out of `exclude`",
            )
    return tuple(column for column in columns if column.name not in spec.exclude)
