"""Trying triggers on PostgreSQL: on an unlogged scratch table inside a savepoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy import Connection

from triggers import naming
from triggers.dialects import postgresql_catalog as catalog
from triggers.dialects.base import Scratch, Subject
from triggers.dialects.postgresql_function import text
from triggers.model import Column, Kind
from triggers.outbox import Outbox
from triggers.statements import execute

LONGEST_TEXT = 1000

DECIMALS = ("0", "NaN", "Infinity", "-Infinity")

VALUES = {
    Kind.BOOLEAN: ("true", "false"),
    Kind.BYTES: ("", "\\x00ff5c27"),
    Kind.DATE: ("2000-02-29", "4713-01-01 BC", "5874897-12-31", "infinity", "-infinity"),
    Kind.TIME: ("00:00:00", "24:00:00", "23:59:59.999999"),
    Kind.TIMETZ: ("00:00:00+15:59:59", "24:00:00-15:59:59", "23:59:59.999999+05:45"),
    Kind.TIMESTAMP: (
        "2000-02-29 00:00:00",
        "4713-01-01 00:00:00 BC",
        "294276-12-31 23:59:59.999999",
        "infinity",
        "-infinity",
    ),
    Kind.TIMESTAMPTZ: (
        "2000-02-29 00:00:00+00",
        "4713-01-01 00:00:00+00 BC",
        "294276-12-31 23:59:59.999999+00",
        "infinity",
        "-infinity",
    ),
    Kind.INTERVAL: (
        "0",
        "178000000 years",
        "-178000000 years",
        "-1 mons +2 days -00:00:00.000001",
    ),
    Kind.JSON: ('{"a": 1.10, "a": [null, "\\\\", "\\"\\u00e9"]}', "null", '{"a": 1e400}', '""'),
    Kind.UUID: ("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
    Kind.GEOMETRY: ("POINT(0 0)", "POINT EMPTY", "SRID=4326;POINT(-180 90)"),
}
"""Values of each kind, as text."""

ANYTHING = (
    *("", "0", "empty", "(,)", "{}", "{(,)}", "a", "<a/>", "0101", "::", "255.255.255.255/32"),
    *("ff:ff:ff:ff:ff:ff", "ff:ff:ff:ff:ff:ff:ff:ff", "(-1e308,1e308)", "{0,NaN,0}"),
    *("((0,0),(1e308,-1e308))", "<(0,0),1e308>", "[(0,0),(1,NaN)]", '"a"=>NULL', "'\\'':1A"),
    *("FFFFFFFF/FFFFFFFF", "pg_class", "()", "(,,)", "(,,,)", "(,,,,)"),
)
"""For all other types: each takes some of these."""


class PostgresqlCanary:
    """Every trace of it is rolled back; it takes no ids of the outbox."""

    rounds: Sequence[Sequence[str]] = (
        (),
        ("SELECT pg_catalog.set_config('outbox.nested', 'on', true)",),
    )

    @contextmanager
    def scratch(
        self, connection: Connection, subject: Subject, outbox: Outbox
    ) -> Iterator[Scratch]:
        """Make a table of the same columns in the outbox schema, and an outbox beside it."""
        assert outbox.schema is not None
        schema = catalog.quote(outbox.schema)
        name = naming.generated_name(subject.table.name, "canary")
        change = naming.generated_name(subject.table.name, "canary_change")
        relation = f"{schema}.{catalog.quote(name)}"
        columns = ", ".join(catalog.quote(column.name) for column in subject.table.columns)
        with connection.begin_nested() as savepoint:
            execute(
                connection,
                [
                    # Unlogged: no publication asks for the identity of its rows.
                    f"CREATE UNLOGGED TABLE {relation} AS SELECT {columns} FROM {subject.relation}"
                    " WITH NO DATA",
                    f"CREATE UNLOGGED TABLE {schema}.{catalog.quote(change)}"
                    f" (LIKE {schema}.outbox_change INCLUDING ALL)",
                ],
            )
            table = replace(subject.table, name=f"{catalog.written(outbox.schema)}.{name}")
            yield Scratch(
                replace(subject, table=table, relation=relation),
                replace(outbox, change=outbox.change.to_metadata(sa.MetaData(), name=change)),
            )
            savepoint.rollback()

    def drop_leftovers(self, connection: Connection) -> None:
        """Nothing is ever left."""
        del connection

    def extremes(self, column: Column) -> Sequence[str]:
        """Return values at the type's limits, and NULL."""
        if column.kind is Kind.ENUM:
            labels = f"pg_catalog.enum_range(NULL::{column.native})"
            return ["NULL", f"({labels})[1]", f"({labels})[pg_catalog.cardinality({labels})]"]
        values = [f" {text(value)}" for value in _values(column)]
        return ["NULL", *values]

    def is_needed(self, column: Column) -> bool:
        """Tell that no column is: the scratch table has no constraints."""
        del column
        return False


def _values(column: Column) -> Sequence[str]:
    match column.kind:
        case Kind.INTEGER:
            return _integers(column)
        case Kind.DECIMAL if column.base == "money":
            return ("0", "92233720368547758.07", "-92233720368547758.08")
        case Kind.DECIMAL:
            return _decimals(column)
        case Kind.FLOAT if column.precision == 4:
            return ("0", "-0", "3.4028235e38", "1e-45", "NaN", "Infinity", "-Infinity")
        case Kind.FLOAT:
            return ("0", "-0", "1.7976931348623157e308", "5e-324", "NaN", "Infinity", "-Infinity")
        case Kind.TEXT:
            return _texts(column)
        case Kind.ARRAY:
            return _arrays(column)
        case kind:
            return VALUES.get(kind, ANYTHING)


def _integers(column: Column) -> Sequence[str]:
    bits = 8 * (column.precision or 4)
    if column.unsigned:
        return ("0", str(2**bits - 1))
    return ("0", str(-(2 ** (bits - 1))), str(2 ** (bits - 1) - 1))


def _decimals(column: Column) -> Sequence[str]:
    if column.precision is None:
        largest = "9" * 200 + "." + "9" * 200
    else:
        largest = str(10**column.precision - 1) + f"e{-(column.scale or 0)}"
    return (*DECIMALS, largest, f"-{largest}")


def _texts(column: Column) -> Sequence[str]:
    odd = '"\\/\x01\x1f\x7f\u2028中文😀\U0010ffff'
    most = min(column.length or LONGEST_TEXT, LONGEST_TEXT)
    return ("", odd[:most], "\\" * most, "😀" * most)


def _arrays(column: Column) -> Sequence[str]:
    found = ["{}", "{NULL}", "[0:0]={NULL}", "{{NULL,NULL},{NULL,NULL}}"]
    if column.element is not None:
        size = 4 if column.base == "float4" else None
        element = replace(column, kind=column.element, element=None, precision=size)
        for value in _values(element):
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            found.append(f'{{"{escaped}"}}')
    return found
