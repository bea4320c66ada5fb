"""Trying triggers on MySQL and MariaDB: on a scratch table that is dropped again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy import Connection

from triggers import naming
from triggers.dialects import mysql_catalog as catalog
from triggers.dialects.base import Scratch, Subject
from triggers.model import Column, Kind
from triggers.outbox import Outbox
from triggers.statements import execute

SESSION = "SET SESSION sql_mode = ''"
"""A trigger keeps the sql_mode it was created under; ours must never refuse a value."""

READ_WITHOUT_LOCKS = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"

LONGEST_TEXT = 1000

ROW_NUMBER = "outbox_canary_no"
"""A server may insist on primary keys."""

VALUES = {
    Kind.DATE: ("'2000-02-29'", "'0000-00-00'", "'2021-02-00'", "'1000-01-01'", "'9999-12-31'"),
    Kind.TIME: ("0", "'-838:59:59'", "'838:59:59'", "'-00:00:00.000001'"),
    Kind.TIMESTAMP: (
        "'2000-02-29 00:00:00'",
        "'0000-00-00 00:00:00'",
        "'2021-00-00 00:00:00'",
        "'1000-01-01 00:00:00'",
        "'9999-12-31 23:59:59.999999'",
    ),
    Kind.TIMESTAMPTZ: (
        "'2000-02-29 00:00:00'",
        "'0000-00-00 00:00:00'",
        "'1970-01-01 00:00:01'",
        "'2038-01-19 03:14:07.499999'",
    ),
    Kind.JSON: ("'{}'", "'null'", """'{"a": 1.10, "a": [null, ""]}'""", "'18446744073709551615'"),
    Kind.BIT: ("0", "18446744073709551615"),
    Kind.ENUM: ("1", "0", "18446744073709551615"),
    Kind.OTHER: ("'::'", "'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'", "'255.255.255.255'"),
    Kind.UUID: (
        "'00000000-0000-0000-0000-000000000000'",
        "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
    ),
}
"""SQL expressions of each kind; without a strict sql_mode, what goes too far is cut back."""

SHAPES = {
    "point": "POINT(-180 90)",
    "linestring": "LINESTRING(0 0,1e300 1)",
    "polygon": "POLYGON((0 0,1 0,1 1,0 0))",
    "multipoint": "MULTIPOINT(0 0,1 1)",
    "multilinestring": "MULTILINESTRING((0 0,1 1))",
    "multipolygon": "MULTIPOLYGON(((0 0,1 0,1 1,0 0)))",
    "geometrycollection": "GEOMETRYCOLLECTION(POINT(0 0))",
    "geomcollection": "GEOMETRYCOLLECTION(POINT(0 0))",
}


class MysqlCanary:
    """DDL cannot be rolled back here: tables are dropped at the end, or by the next installation.

    The application's tables are not locked, and no ids of the outbox are taken.
    """

    rounds: Sequence[Sequence[str]] = ((),)

    @contextmanager
    def scratch(
        self, connection: Connection, subject: Subject, outbox: Outbox
    ) -> Iterator[Scratch]:
        """Make a table of the same columns, and an outbox beside it."""
        name = naming.generated_name(subject.table.name, "canary")
        change = naming.generated_name(subject.table.name, "canary_change")
        relation, log = catalog.quote(name), catalog.quote(change)
        columns = ", ".join(catalog.quote(column.name) for column in subject.table.columns)
        try:
            execute(
                connection,
                [
                    SESSION,
                    READ_WITHOUT_LOCKS,
                    f"CREATE TABLE {relation} ({ROW_NUMBER} bigint AUTO_INCREMENT PRIMARY KEY)"
                    f" ENGINE = InnoDB AS SELECT {columns} FROM {subject.relation} LIMIT 0",
                    f"CREATE TABLE {log} LIKE outbox_change",
                ],
            )
            yield Scratch(
                replace(subject, table=replace(subject.table, name=name), relation=relation),
                replace(outbox, change=outbox.change.to_metadata(sa.MetaData(), name=change)),
            )
        finally:
            execute(connection, ["UNLOCK TABLES", f"DROP TABLE IF EXISTS {relation}, {log}"])

    def drop_leftovers(self, connection: Connection) -> None:
        """Drop the scratch tables of an installation that crashed."""
        names = connection.execute(
            sa.text(
                "SELECT table_name FROM information_schema.tables"
                " WHERE table_schema = DATABASE() AND table_name LIKE 'outbox\\_canary\\_%'"
            )
        ).scalars()
        left = [name for name in names if naming.is_generated(name)]
        execute(connection, [f"DROP TABLE {catalog.quote(name)}" for name in left])

    def extremes(self, column: Column) -> Sequence[str]:
        """Return values at the type's limits, and NULL where the column takes it."""
        values = _values(column)
        return [*values, "NULL"] if column.nullable else values

    def is_needed(self, column: Column) -> bool:
        """Tell whether the type has no value that an INSERT without one could put there."""
        return not column.nullable and column.kind in (
            *(Kind.GEOMETRY, Kind.JSON, Kind.UUID, Kind.OTHER),
        )


def _values(column: Column) -> Sequence[str]:
    match column.kind:
        case Kind.INTEGER:
            return ("0", "-9223372036854775808", "18446744073709551615")
        case Kind.DECIMAL:
            return ("0", "9" * 65, "-" + "9" * 65, "0." + "9" * 30)
        case Kind.FLOAT:
            return ("0", "-0e0", "1.7976931348623157e308", "-1e308", "2.2250738585072014e-308")
        case Kind.TEXT:
            most = min(column.length or LONGEST_TEXT, LONGEST_TEXT)
            odd = catalog.text('"\\/\0\x01\x1f\x7f\u2028中文😀')
            return ("''", odd, f"REPEAT({catalog.text(chr(92))}, {most})", f"REPEAT('中', {most})")
        case Kind.BYTES:
            return ("''", "x'00FF5C27'", f"REPEAT(x'FF', {LONGEST_TEXT})")
        case Kind.GEOMETRY:
            shapes = SHAPES.get(column.native.partition(" ")[0].lower())
            wanted = [shapes] if shapes else list(SHAPES.values())
            return [f"ST_GeomFromText('{shape}')" for shape in wanted]
        case kind:
            return VALUES[kind]
