"""Columns that take what another server of the same kind writes."""

from __future__ import annotations

import pytest

from replicator.targets.sql.mysql.raw import reads


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("int(11)", "int(11)"),
        ("tinyint(1)", "bigint"),
        ("int unsigned", "smallint(6)"),  # what does not fit is an error
        ("year(4)", "year(4)"),
        ("year(4)", "smallint(6)"),
        ("decimal(12,2)", "decimal(12,2)"),
        ("char(10)", "char(10)"),
        ("varchar(40)", "varchar(40)"),
        ("varchar(40)", "longtext"),
        ("tinytext", "varchar(255)"),
        ("text", "mediumtext"),
        ("binary(8)", "varbinary(8)"),
        ("blob", "longblob"),
        ("datetime", "datetime(6)"),
        ("timestamp(3)", "datetime(3)"),
        ("time", "time(6)"),
        ("date", "date"),
    ],
)
def test_it_takes_all(source: str, target: str) -> None:
    assert reads(source, target)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("smallint(6)", "year(4)"),
        ("decimal(12,2)", "decimal(12,1)"),
        ("decimal(12,2)", "int(11)"),
        ("double", "double"),
        ("float", "float"),
        ("bit(8)", "bit(8)"),
        ("enum('a')", "enum('a')"),
        ("json", "json"),
        ("longtext", "longtext"),
        ("varchar(40)", "varchar(39)"),
        ("varchar(10)", "char(10)"),
        ("varbinary(8)", "binary(8)"),
        ("text", "varchar(255)"),
        ("text", "blob"),
        ("datetime(6)", "datetime"),
        ("datetime", "timestamp"),
        ("time(6)", "time(3)"),
        ("date", "datetime"),
    ],
)
def test_it_may_not(source: str, target: str) -> None:
    assert not reads(source, target)
