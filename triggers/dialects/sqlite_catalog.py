"""Reading table definitions from SQLite's pragmas."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from triggers.dialects.base import Form, Subject
from triggers.errors import TableMissing, TableRefused
from triggers.keys import UniqueKey, choose_key, keep_columns
from triggers.model import Column, ForeignKey, Kind, Table, TableSpec

DECLARED = (
    (r"INT", Kind.INTEGER),
    (r"CHAR|CLOB|TEXT|STRING", Kind.TEXT),
    (r"BLOB|BINARY", Kind.BYTES),
    (r"REAL|FLOA|DOUB", Kind.FLOAT),
    (r"DATETIME|TIMESTAMP", Kind.TIMESTAMP),
    (r"DATE", Kind.DATE),
    (r"TIME", Kind.TIME),
    (r"JSON", Kind.JSON),
    (r"UUID|GUID", Kind.UUID),
    (r"BOOL", Kind.INTEGER),
    (r"DEC|NUM", Kind.DECIMAL),
)
"""Declared types to kinds, in the order of SQLite's own affinity rules, then by custom."""


def quote(name: str) -> str:
    """Quote an identifier."""
    return '"' + name.replace('"', '""') + '"'


def describe(connection: Connection, spec: TableSpec) -> Subject:
    """Read a table's definition. Raises `TableRefused` for one that cannot be captured."""
    bound = {"t": spec.name}
    found = connection.execute(
        sa.text("SELECT type, sql FROM sqlite_master WHERE name = :t AND type IN ('table','view')"),
        bound,
    ).one_or_none()
    if found is None:
        raise TableMissing(
            f"table {spec.name} does not exist in the source",
            "correct the name (case as stored) or create the table",
        )
    if found[0] != "table" or found[1].upper().startswith("CREATE VIRTUAL"):
        raise TableRefused(f"{spec.name} is not a table", "only ordinary tables can be captured")
    rows = connection.execute(
        sa.text('SELECT name, type, "notnull", pk, hidden FROM pragma_table_xinfo(:t)'), bound
    ).all()
    columns = [
        read_column(name, declared, not_null=bool(not_null or pk), generated=hidden in (2, 3))
        for name, declared, not_null, pk, hidden in rows
        if hidden != 1
    ]
    key = choose_key(spec.name, spec, _unique_keys(connection, bound, rows))
    kept = keep_columns(spec.name, spec, columns, key)
    return Subject(
        table=Table(
            name=spec.name,
            columns=kept,
            key=key,
            foreign_keys=_foreign_keys(connection, bound),
        ),
        form=Form.REREAD,
        relation=quote(spec.name),
        excluded=len(kept) < len(columns),
    )


def _unique_keys(
    connection: Connection, bound: dict[str, str], rows: Sequence[sa.Row[*tuple[Any, ...]]]
) -> list[UniqueKey]:
    not_null = {row[0] for row in rows if row[2] or row[3]}
    primary = tuple(row[0] for row in sorted(rows, key=lambda row: row[3]) if row[3])
    keys: list[UniqueKey] = [("primary key", primary, True, True)] if primary else []
    indexes = connection.execute(
        sa.text(
            "SELECT l.name, i.name FROM pragma_index_list(:t) l, pragma_index_info(l.name) i"
            " WHERE l.\"unique\" AND NOT l.partial AND l.origin <> 'pk' ORDER BY l.seq, i.seqno"
        ),
        bound,
    )
    for name, group in groupby(indexes, lambda row: row[0]):
        columns = tuple(column for _name, column in group)
        if None not in columns:
            keys.append((name, columns, False, set(columns) <= not_null))
    return keys


def _foreign_keys(connection: Connection, bound: dict[str, str]) -> tuple[ForeignKey, ...]:
    rows = connection.execute(
        sa.text(
            'SELECT id, "table", "from", "to", on_delete, on_update'
            " FROM pragma_foreign_key_list(:t) ORDER BY id, seq"
        ),
        bound,
    )
    found = []
    for _id, group in groupby(rows, lambda row: row[0]):
        parts = list(group)
        referred = tuple(p[3] for p in parts)
        if None in referred:  # the key of the referenced table is meant
            pk = connection.execute(
                sa.text("SELECT name FROM pragma_table_info(:t) WHERE pk > 0 ORDER BY pk"),
                {"t": parts[0][1]},
            ).scalars()
            referred = tuple(pk)
        found.append(
            ForeignKey(
                columns=tuple(p[2] for p in parts),
                table=parts[0][1],
                referred=referred,
                on_delete=parts[0][4],
                on_update=parts[0][5],
            )
        )
    return tuple(found)


def read_column(
    name: str, declared: str, *, not_null: bool = False, generated: bool = False
) -> Column:
    """Return a column with what its declared type says."""
    upper = declared.upper()
    kind = next((kind for pattern, kind in DECLARED if re.search(pattern, upper)), Kind.DYNAMIC)
    sizes = [int(size) for size in re.findall(r"\d+", upper)]
    length = sizes[0] if sizes and kind in (Kind.TEXT, Kind.BYTES) else None
    precision, scale = None, None
    match kind:
        case Kind.INTEGER | Kind.FLOAT:
            precision = 8
        case Kind.DECIMAL if sizes:
            precision, scale = sizes[0], sizes[1] if len(sizes) > 1 else 0
    return Column(
        name=name,
        kind=kind,
        native=declared,
        nullable=not not_null,
        generated=generated,
        length=length,
        precision=precision,
        scale=scale,
        engine="sqlite",
    )
