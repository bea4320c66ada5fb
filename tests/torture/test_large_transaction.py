"""A single transaction of a million rows arrives whole, in little memory."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from tests.conftest import MakeDatabase
from tests.replication import Replication, ReplicatorProcess, execute, sql
from tests.servers import DatabaseKind
from tests.wait import wait_until

ROWS = [100_000, pytest.param(1_000_000, marks=pytest.mark.torture)]
MOST_MEMORY = 300 << 20

SERIES = {
    "postgresql": "SELECT n, 'row ' || n, n * 2 FROM generate_series(1, {rows}) AS g(n)",
    "mariadb": "SELECT seq, CONCAT('row ', seq), seq * 2 FROM seq_1_to_{rows}",
}


def digest(engine: Engine) -> tuple[int, int, int, int]:
    """What tells a table from one with a missing, doubled or different row."""
    query = (
        "SELECT count(*), sum(id), sum(amount * (id % 1009)), sum(char_length(name) * (id % 97))"
        " FROM large"
    )
    with engine.connect() as connection:
        row = connection.execute(sa.text(query)).one()
    return int(row[0]), int(row[1] or 0), int(row[2] or 0), int(row[3] or 0)


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("kind", ["postgresql", pytest.param("mariadb", marks=pytest.mark.torture)])
def test_a_large_transaction(
    kind: DatabaseKind, rows: int, make_database: MakeDatabase, tmp_path: Path
) -> None:
    source, target = make_database(kind), make_database(kind)
    execute(
        source.engine,
        "CREATE TABLE large (id INTEGER PRIMARY KEY, name VARCHAR(80), amount INTEGER)",
    )
    replication = Replication(
        tmp_path,
        sources={"here": source.url},
        targets={"there": sql(target.url)},
        routes=[{"name": "all", "source": "here", "tables": ["large"], "targets": ["there"]}],
    )
    replication.prepare()
    with ReplicatorProcess(replication) as replicator:
        execute(
            source.engine,
            f"INSERT INTO large {SERIES[kind].format(rows=rows)}",
            "UPDATE large SET amount = amount + 1 WHERE id % 10 = 0",
        )
        wait_until(lambda: digest(target.engine) == digest(source.engine), 40 + rows / 5_000)
        peak = replicator.peak_memory()
        replicator.stop()
    print(f"\n{kind}: {rows} rows in one transaction, peak memory {peak >> 20} MB")
    assert digest(source.engine)[0] == rows
    assert peak < MOST_MEMORY
