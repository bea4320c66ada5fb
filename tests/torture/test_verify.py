"""A million rows compared while they are written to, beside dumping and comparing them all."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.acceptance.command_line import Running
from tests.conftest import MakeDatabase
from tests.integration.test_verify import PAIRS, found, prepared
from tests.load.planted import TABLES, Writers, content, create, fill, plain, plant
from tests.servers import Database, DatabaseKind

ROWS = int(os.environ.get("VERIFY_ROWS", "1000000"))
SECONDS = 3600


@pytest.mark.torture
@pytest.mark.parametrize(("kind", "other"), PAIRS)
def test_a_million_rows(
    kind: DatabaseKind, other: DatabaseKind, make_database: MakeDatabase, tmp_path: Path
) -> None:
    source, target = make_database(kind), make_database(other)
    create(source)
    fill(source.engine, ROWS)
    line = prepared(source, target, tmp_path / "route", SECONDS)
    dumped = dump_and_compare(source, target)
    began = time.monotonic()
    line.ok("verify", "all")
    alone = time.monotonic() - began
    planted = plant(target.engine, ROWS, random.Random(37))
    with Writers(source.engine, ROWS) as writers, Running(line):
        began = time.monotonic()
        done = line.run("verify", "all", "--json")
        loaded = time.monotonic() - began
        assert found(done) == planted
        began = time.monotonic()
        assert found(line.run("verify", "all", "--json", "--repair")) == {}
        mended = time.monotonic() - began
    line.ok("run", "--once")
    for table in TABLES:
        assert content(target.engine, table) == content(source.engine, table)
    print(
        f"\n{kind} to {other}, {ROWS:,} rows: verify {alone:.1f} s,"
        f" under load {loaded:.1f} s ({writers.committed:,} transactions), with repair"
        f" {mended:.1f} s; everything dumped and compared {dumped:.1f} s"
    )


def dump_and_compare(source: Database, target: Database) -> float:
    """Seconds that it takes to fetch all rows of both sides, in order of the key, and compare."""
    began = time.monotonic()
    for table in TABLES:
        query = sa.text(f"SELECT * FROM {table} ORDER BY 1")
        with source.engine.connect() as here, target.engine.connect() as there:
            rows = here.execution_options(stream_results=True).execute(query)
            others = there.execution_options(stream_results=True).execute(query)
            if table == "item":
                for row, other in zip(rows, others, strict=True):
                    assert plain(row) == plain(other)
            else:  # text is sorted in different ways
                assert sorted(map(plain, rows)) == sorted(map(plain, others))
    return time.monotonic() - began
