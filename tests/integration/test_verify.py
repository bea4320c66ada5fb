"""Comparing targets with their source, and mending them, while the source is in use."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.command_line import CommandLine, Done, Running
from tests.conftest import MakeDatabase
from tests.load.planted import TABLES, Planted, Writers, content, create, fill, plant
from tests.replication import Replication, sql
from tests.servers import Database, DatabaseKind

PAIRS: list[tuple[DatabaseKind, DatabaseKind]] = [
    ("postgresql", "postgresql"),
    ("mariadb", "postgresql"),
    ("postgresql", "mariadb"),
    ("sqlite", "postgresql"),
]

ROWS = 4_000


def prepared(source: Database, target: Database, folder: Path) -> CommandLine:
    """A route whose target has everything, and its command line."""
    replication = Replication(
        folder,
        sources={"shop": source.url},
        targets={"copy": sql(target.url)},
        routes=[{"name": "all", "source": "shop", "tables": TABLES, "targets": ["copy"]}],
    )
    replication.prepare()
    line = CommandLine(folder, replication.path.read_text(encoding="utf-8"))
    line.ok("snapshot", "all")
    return line


def found(done: Done) -> Planted:
    """What a comparison has found."""
    return {
        (table["table"].removeprefix("public."), str(*finding["key"].values())): (
            finding["row_is"],
            tuple(finding["columns"]),
        )
        for table in document(done)["tables"]
        for finding in table["findings"]
    }


def document(done: Done) -> Any:
    """What it printed."""
    assert done.out, done.errors
    return json.loads(done.out)


@pytest.mark.parametrize(("kind", "other"), PAIRS)
def test_exactly_the_differences_are_found_and_mended(
    kind: DatabaseKind, other: DatabaseKind, make_database: MakeDatabase, tmp_path: Path
) -> None:
    source, target = make_database(kind), make_database(other)
    create(source)
    fill(source.engine, ROWS)
    line = prepared(source, target, tmp_path / "route")
    planted = plant(target.engine, ROWS, random.Random(37))
    with Writers(source.engine, ROWS) as writers:
        done = line.run("verify", "all", "--json")
        assert found(done) == planted
        assert done.code == 1
        with Running(line, "run"):
            mended = line.run("verify", "all", "--json", "--repair")
            assert found(mended) == {}
            assert mended.code == 0
            assert sum(table["mended"] for table in document(mended)["tables"]) == 37
        assert writers.committed > 50
    line.ok("run", "--once")
    assert line.run("verify", "all").code == 0
    for table in TABLES:
        assert content(target.engine, table) == content(source.engine, table)
