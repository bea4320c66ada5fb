"""Rows that are copied in their engine's own form: values of every type that may go that way."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from replicator.compose import build_target, open_source
from replicator.config import Config
from replicator.pipeline.batches import Batches
from replicator.pipeline.contract import DeliveryName, Round
from replicator.sources import open_pages
from replicator.targets.sql import SqlTarget
from replicator.targets.sql.dialect import TakesRaw, TargetColumn
from replicator.targets.sql.engines import dialect_for
from tests.acceptance.command_line import CommandLine
from tests.conftest import MakeDatabase
from tests.servers import Database, DatabaseKind
from tests.types.columns import SampleTable
from tests.types.pair import Pair, write
from tests.types.samples import TABLES
from tests.types.test_pairs import extreme_rows
from triggers.capture import Capture
from triggers.engine import make_engine
from triggers.model import TableSpec


def plain_table(source: Database) -> SampleTable:
    """A table of all sample columns whose type the dialect reads in that form."""
    tables = TABLES[source.kind]
    write(source, [statement for table in tables for statement in table.create])
    capture = Capture(make_engine(source.url))
    canonical = capture.dialect.canonical
    described = capture.tables_now([TableSpec(canonical(table.name)) for table in tables])
    capture.engine.dispose()
    dialect = dialect_for(capture.engine.url)
    assert isinstance(dialect, TakesRaw)
    columns = {}
    for table in tables:
        for column in table.columns:
            found = described[canonical(table.name)].column(column.name)
            if dialect.reads_raw(found, TargetColumn(found.name, found.native)):
                columns[column.name] = column
    return SampleTable("plain", tuple(columns.values()))


@pytest.mark.parametrize("kind", ["postgresql", "mariadb", "mysql"])
def test_every_type_of_its_own_form(
    kind: DatabaseKind, make_database: MakeDatabase, tmp_path: Path
) -> None:
    """Rows that no trigger has seen are copied; each value arrives equal."""
    table = plain_table(make_database(kind))
    assert len(table.columns) > 20
    databases = make_database(kind), make_database(kind)
    with closing(Pair(*databases, [table], tmp_path)) as pair:
        line = CommandLine(tmp_path, pair.replication.path.read_text(encoding="utf-8"))
        line.ok("triggers", "uninstall")
        rows = extreme_rows(table)
        pair.insert(table, rows)
        line.ok("triggers", "install")
        copy_as_it_is(pair.replication.settings)
        arrived = pair.deliver()
    assert arrived.differences == []
    assert arrived.equal == len(rows) > 80


def copy_as_it_is(settings: Config) -> None:
    """Copy the table as one page in the engine's own form; the target has to take it."""
    with closing(open_source("here", settings.sources["here"])) as source:
        capture = source.capture
        name = capture.dialect.canonical("plain")
        target = build_target(settings, DeliveryName("all", "there"), capture.dialect.canonical)
        assert isinstance(target, SqlTarget)
        batches = Batches(source.engine, capture.outbox)
        with closing(target), closing(batches), closing(open_pages(capture)) as reader:
            kept = target.open(capture.tables())
            form = target.raw_form(name)
            assert form is not None
            page = reader.raw_page(capture.tables()[name], None, 1000, form)
            assert page is not None
            assert page.raw is not None
            work = Round(kept, batches.start(kept), 1, page.rows)
            assert target.deliver_raw(work, name, page.raw)
