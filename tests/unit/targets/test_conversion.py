"""Conversions of single values; what servers make of them is shown by the conformance tests."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from replicator.targets.sql.conversion import Conversion, Fit, Unfit
from replicator.targets.sql.dialect import TargetColumn
from replicator.targets.sql.engines import dialect_for
from triggers.model import Column, Kind

URLS = {"postgresql": "postgresql://", "mysql": "mysql://", "sqlite": "sqlite://"}


def pair(engine: str, kind: Kind, native: str, to: str, type_: str, **facts: Any) -> Conversion:
    column = Column("c", kind, native, engine=engine, **facts)  # type: ignore[arg-type]
    return dialect_for(make_url(URLS[to])).conversion(column, TargetColumn("c", type_))


@pytest.mark.parametrize(
    ("engine", "kind", "native", "to", "type_", "facts"),
    [
        ("postgresql", Kind.INTEGER, "integer", "mysql", "bigint", {"precision": 4}),
        (
            "mysql",
            Kind.INTEGER,
            "int unsigned",
            "postgresql",
            "bigint",
            {"precision": 4, "unsigned": True},
        ),
        ("postgresql", Kind.TEXT, "text", "postgresql", "text", {}),
        ("postgresql", Kind.TEXT, "character varying(40)", "postgresql", "text", {"length": 40}),
        ("postgresql", Kind.TEXT, "character varying(40)", "mysql", "varchar(40)", {"length": 40}),
        ("mysql", Kind.TEXT, "varchar(40)", "sqlite", "text", {"length": 40}),
        (
            "postgresql",
            Kind.DECIMAL,
            "numeric(12,2)",
            "postgresql",
            "numeric(14,2)",
            {"precision": 12, "scale": 2},
        ),
        (
            "mysql",
            Kind.DECIMAL,
            "decimal(12,2)",
            "mysql",
            "decimal(14,2)",
            {"precision": 12, "scale": 2},
        ),
        (
            "postgresql",
            Kind.TIMESTAMP,
            "timestamp(6) without time zone",
            "postgresql",
            "timestamp without time zone",
            {},
        ),
        ("mysql", Kind.TIMESTAMP, "datetime(6)", "mysql", "datetime(6)", {"precision": 6}),
        ("postgresql", Kind.BYTES, "bytea", "postgresql", "bytea", {}),
        ("postgresql", Kind.FLOAT, "real", "postgresql", "real", {"precision": 4}),
    ],
)
def test_a_type_that_proves_it_costs_nothing_for_each_value(
    engine: str, kind: Kind, native: str, to: str, type_: str, facts: dict[str, Any]
) -> None:
    assert pair(engine, kind, native, to, type_, **facts) == Conversion(Fit.EXACT)


@pytest.mark.parametrize(
    ("engine", "kind", "native", "to", "type_"),
    [
        ("postgresql", Kind.BYTES, "bytea", "postgresql", "integer"),
        ("postgresql", Kind.TEXT, "text", "postgresql", "integer"),
        ("postgresql", Kind.TEXT, "text", "mysql", "blob"),
        ("mysql", Kind.TIMESTAMP, "datetime(6)", "postgresql", "timestamp with time zone"),
        ("postgresql", Kind.TIMESTAMP, "timestamp without time zone", "mysql", "timestamp(6)"),
        ("postgresql", Kind.TIMETZ, "time with time zone", "mysql", "time(6)"),
        ("postgresql", Kind.ARRAY, "integer[]", "postgresql", "uuid[]"),
        ("postgresql", Kind.GEOMETRY, "geometry", "mysql", "geometry"),
        ("postgresql", Kind.OTHER, "inet", "postgresql", "cidr"),
    ],
)
def test_types_that_do_not_go_together(
    engine: str, kind: Kind, native: str, to: str, type_: str
) -> None:
    conversion = pair(engine, kind, native, to, type_)
    assert conversion.fit is Fit.REFUSED
    assert conversion.note


@pytest.mark.parametrize(
    ("engine", "kind", "native", "to", "type_", "value", "nearest"),
    [
        ("postgresql", Kind.INTEGER, "bigint", "postgresql", "smallint", -40_000, -32_768),
        (
            "postgresql",
            Kind.DECIMAL,
            "numeric",
            "postgresql",
            "numeric(3,1)",
            Decimal("0.25"),
            Decimal("0.2"),
        ),
        (
            "postgresql",
            Kind.DECIMAL,
            "numeric",
            "postgresql",
            "numeric(3,1)",
            Decimal("99.99"),
            Decimal("99.9"),
        ),
        (
            "postgresql",
            Kind.DECIMAL,
            "numeric",
            "mysql",
            "decimal(3,1)",
            "-Infinity",
            Decimal("-99.9"),
        ),
        ("postgresql", Kind.DECIMAL, "numeric", "mysql", "decimal(3,1)", "NaN", None),
        ("postgresql", Kind.DECIMAL, "numeric", "mysql", "int", Decimal("1e100000"), 2**31 - 1),
        (
            "postgresql",
            Kind.FLOAT,
            "double precision",
            "mysql",
            "double",
            "Infinity",
            1.7976931348623157e308,
        ),
        ("mysql", Kind.FLOAT, "double", "postgresql", "real", Decimal("0.1"), 0.10000000149011612),
        ("postgresql", Kind.TEXT, "text", "mysql", "varchar(3)", "中文😀!", "中文😀"),
        ("postgresql", Kind.TEXT, "text", "mysql", "tinytext", "中" * 86, "中" * 85),
        ("mysql", Kind.TEXT, "text", "postgresql", "text", "a\0b", "ab"),
        ("postgresql", Kind.DATE, "date", "mysql", "date", "infinity", "9999-12-31"),
        ("postgresql", Kind.DATE, "date", "mysql", "date", "0044-03-15 BC", "0001-01-01"),
        ("mysql", Kind.DATE, "date", "postgresql", "date", "0000-00-00", None),
        (
            "mysql",
            Kind.TIME,
            "time(6)",
            "postgresql",
            "time without time zone",
            "838:59:59",
            "24:00:00",
        ),
        (
            "postgresql",
            Kind.TIMESTAMP,
            "timestamp without time zone",
            "mysql",
            "datetime",
            "2026-12-31T23:59:59.6",
            "2027-01-01 00:00:00",
        ),
        (
            "postgresql",
            Kind.TIME,
            "time without time zone",
            "mysql",
            "time",
            "23:59:59.6",
            "24:00:00",
        ),
    ],
)
def test_the_nearest_value(
    engine: str, kind: Kind, native: str, to: str, type_: str, value: Any, nearest: Any
) -> None:
    convert = pair(
        engine, kind, native, to, type_, precision=8 if kind in (Kind.FLOAT, Kind.INTEGER) else None
    ).convert
    assert convert is not None
    with pytest.raises(Unfit) as caught:
        convert(value)
    assert caught.value.nearest == nearest
