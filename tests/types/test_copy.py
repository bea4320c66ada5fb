"""Rows that go from PostgreSQL to PostgreSQL in its own form: values of every type that may."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from replicator.compose import build_target, open_source
from replicator.pipeline.contract import DeliveryName
from replicator.targets.sql import SqlTarget
from replicator.targets.sql.dialect import TargetColumn
from replicator.targets.sql.postgresql.dialect import PostgreSQLDialect
from tests.acceptance.command_line import CommandLine
from tests.conftest import MakeDatabase
from tests.types.columns import SampleTable
from tests.types.pair import Pair, write
from tests.types.samples import TABLES
from tests.types.test_pairs import extreme_rows
from triggers.capture import Capture
from triggers.engine import make_engine
from triggers.model import TableSpec

NAME = "public.plain"


def plain_table(make_database: MakeDatabase) -> SampleTable:
    """A table of all sample columns whose type the dialect reads in that form."""
    source = make_database("postgresql")
    tables = TABLES["postgresql"]
    write(source, [statement for table in tables for statement in table.create])
    capture = Capture(make_engine(source.url))
    described = capture.tables_now([TableSpec(f"public.{table.name}") for table in tables])
    capture.engine.dispose()
    dialect = PostgreSQLDialect()
    columns = {}
    for table in tables:
        for column in table.columns:
            found = described[f"public.{table.name}"].column(column.name)
            if dialect.reads_raw(found, TargetColumn(found.name, found.native)):
                columns[column.name] = column
    return SampleTable("plain", tuple(columns.values()))


def test_every_type_of_its_own_form(make_database: MakeDatabase, tmp_path: Path) -> None:
    """Rows that no trigger has seen are copied; each value arrives equal."""
    table = plain_table(make_database)
    assert len(table.columns) > 20
    databases = make_database("postgresql"), make_database("postgresql")
    with closing(Pair(*databases, [table], tmp_path)) as pair:
        rows = extreme_rows(table)
        inserts = [table.insert(number, values) for number, values in rows.items()]
        pair.write(["SET session_replication_role = replica", *inserts])
        settings = pair.replication.settings
        with closing(open_source("here", settings.sources["here"])) as source:
            canonical = source.capture.dialect.canonical
            target = build_target(settings, DeliveryName("all", "there"), canonical)
            assert isinstance(target, SqlTarget)
            with closing(target):
                target.open(source.capture.tables())
                assert target.raw_form(NAME) is not None
        line = CommandLine(tmp_path, pair.replication.path.read_text(encoding="utf-8"))
        line.ok("snapshot", "all")
        arrived = pair.deliver()
    assert arrived.differences == []
    assert arrived.equal == len(rows) > 100
