"""Which columns can be compared by checksums, which keys by ranges.

Whatever is not listed here is compared row by row: the target's server then says whether the value
that a delivery would write is the one that is there.
"""

from __future__ import annotations

from collections.abc import Mapping

from replicator.canonical import Form
from replicator.change import Row
from replicator.targets.sql.dialect import TargetColumn
from replicator.targets.sql.engines import holding_for
from replicator.targets.sql.plan import TablePlan
from replicator.targets.sql.values.holding import (
    Binary,
    Booleans,
    Dates,
    Decimals,
    Documents,
    Floats,
    Holding,
    Integers,
    Members,
    Texts,
    Times,
    Timestamps,
    Uuids,
)
from triggers.model import Column, Kind, Table

Forms = tuple[Form, Form]
"""Of the source's column, and of the target's."""

_SORTED = (Kind.DATE, Kind.UUID)
"""Kinds that PostgreSQL sorts the same way everywhere, whatever the collation."""

_SPELLED = (Form.NUMBER, Form.BOOLEAN, Form.TEXT, Form.BYTES, Form.DATE)
"""Forms from which the source's own spelling of a value can be had back."""


def forms_of(column: Column, target: TargetColumn, engine: str) -> Forms | None:
    """The forms in which the values of a pair of columns are the same text; None: there is none.

    `engine` is the target's.
    """
    held = holding_for(engine, target)
    if column.engine == "sqlite":
        return _of_sqlite(column, held, engine)
    match column.kind, held:
        case Kind.INTEGER, Integers() | Decimals(scale=0):
            return Form.NUMBER, Form.NUMBER
        case Kind.INTEGER, Booleans():
            return Form.NUMBER, Form.BOOLEAN
        case Kind.BOOLEAN, Integers():
            return Form.BOOLEAN, Form.NUMBER
        case Kind.BOOLEAN, Booleans():
            return Form.BOOLEAN, Form.BOOLEAN
        case Kind.DECIMAL, Decimals() if _has_scale(column, target, held):
            return Form.NUMBER, Form.NUMBER
        case Kind.FLOAT, Floats() if "mysql" not in (column.engine, engine):
            return Form.FLOAT, Form.FLOAT
        case Kind.TEXT, Texts() if column.base not in ("bpchar", "char"):
            return Form.TEXT, Form.TEXT
        case Kind.UUID, Uuids() | Texts():
            return Form.TEXT, Form.TEXT
        case Kind.ENUM, Members() | Texts():
            return Form.TEXT, Form.TEXT
        case Kind.JSON, Texts() | Documents(keeps="text") if column.engine == "postgresql":
            return Form.TEXT, Form.TEXT
        case Kind.BYTES, Binary():
            return Form.BYTES, Form.BYTES
        case Kind.DATE, Dates():
            return Form.DATE, Form.DATE
        case Kind.DATE, Texts():
            return Form.TEXT, Form.TEXT
        case Kind.TIME, Times():
            return Form.TIME, Form.TIME
        case Kind.TIMESTAMP | Kind.TIMESTAMPTZ, Timestamps():
            return Form.TIMESTAMP, Form.TIMESTAMP
        case _ if _is_same(column, target, engine):
            return Form.OWN, Form.OWN
        case _:
            return None


def _of_sqlite(column: Column, held: Holding, engine: str) -> Forms | None:
    """By the storage class that the column is for; other values are told by their text."""
    match column.kind, held:
        case Kind.INTEGER, Integers():
            return Form.NUMBER, Form.NUMBER
        case Kind.TEXT, Texts():
            return Form.TEXT, Form.TEXT
        case Kind.BYTES, Binary():
            return Form.BYTES, Form.BYTES
        case Kind.FLOAT, Floats(size=8) if engine != "mysql":
            return Form.FLOAT, Form.FLOAT
        case _:
            return None


def _is_same(column: Column, target: TargetColumn, engine: str) -> bool:
    """Whether both have one type of PostgreSQL, whose text tells unequal values apart."""
    return column.engine == "postgresql" == engine and column.native.lower() == target.type


def _has_scale(column: Column, target: TargetColumn, held: Decimals) -> bool:
    """Whether both have the same number of digits after the point, and print them all."""
    declared = "," in target.type and column.base != "money"
    return declared and column.scale == held.scale


def all_forms(plan: TablePlan, engine: str) -> Mapping[str, Forms] | None:
    """The forms of all columns of a table, by the source's name; None where one has none."""
    found: dict[str, Forms] = {}
    for name, target in plan.columns.items():
        forms = forms_of(plan.source.column(name), target, engine)
        if forms is None:
            return None
        found[name] = forms
    return found


def sorts_alike(plan: TablePlan, engine: str) -> bool:
    """Tell whether both servers sort the table's key alike, so that a range is the same in both."""
    return all(
        _sorts_alike(plan.source.column(name), plan.columns[name], engine)
        for name in plan.source.key
    )


def _sorts_alike(column: Column, target: TargetColumn, engine: str) -> bool:
    if column.kind is Kind.INTEGER:
        held = holding_for(engine, target)
        return isinstance(held, Integers) or (isinstance(held, Decimals) and held.scale == 0)
    return column.kind in _SORTED and _is_same(column, target, engine)


def key_forms(plan: TablePlan, engine: str) -> tuple[Form, ...] | None:
    """The forms of the target's key from which the source's is had back; None: it is not."""
    found = []
    for name in plan.source.key:
        column = plan.source.column(name)
        forms = forms_of(column, plan.columns[name], engine)
        if forms is None:
            return None
        source, target = forms
        if source not in _SPELLED or column.kind is Kind.DECIMAL:
            return None
        found.append(target)
    return tuple(found)


def source_key(table: Table, texts: tuple[str, ...]) -> Row:
    """A key of the target, given by its texts, as the source's wire values."""
    pairs = zip(map(table.column, table.key), texts, strict=True)
    return {column.name: _wire_value(column, text) for column, text in pairs}


def _wire_value(column: Column, text: str) -> object:
    match column.kind:
        case Kind.INTEGER:
            return int(text)
        case Kind.BOOLEAN:
            return text in ("1", "true")
        case Kind.BYTES:
            return f"\\x{text}"
        case _ if column.engine == "sqlite" and (
            text.startswith("\\") or text in ("Infinity", "-Infinity")
        ):
            return f"\\{text}"
        case _:
            return text
