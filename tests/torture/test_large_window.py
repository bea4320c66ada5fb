"""An hour of a million changes becomes one drop, in little memory."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from replicator.targets.files.verify import verify_folder
from tests.conftest import MakeDatabase
from tests.replication import Replication, ReplicatorProcess, execute
from tests.wait import wait_until

ROWS = [50_000, pytest.param(1_000_000, marks=pytest.mark.torture)]
MOST_MEMORY = 300 << 20


@pytest.mark.parametrize("rows", ROWS)
def test_a_large_window(rows: int, make_database: MakeDatabase, tmp_path: Path) -> None:
    source = make_database("postgresql")
    execute(source.engine, "CREATE TABLE large (id INTEGER PRIMARY KEY, name TEXT, amount NUMERIC)")
    replication = Replication(
        tmp_path,
        sources={"here": source.url},
        targets={
            "partner": {
                "type": "files",
                "url": "file:out",
                "local_copy": "copy",
                "window": "1h",
                "name": "{table}_{window}_{seq}.csv",
                "manifest": "{window}.json",
                "roll_rows": 400_000,
            }
        },
        routes=[{"name": "all", "source": "here", "tables": ["large"], "targets": ["partner"]}],
    )
    replication.prepare()
    execute(
        source.engine,
        f"INSERT INTO large SELECT n, 'row ' || n, n / 8.0 FROM generate_series(1, {rows}) AS g(n)",
    )
    with replication.sealer("here") as sealer:
        while sealer.seal().rows:
            pass
    _an_hour_ago(replication)
    out = tmp_path / "out"
    with ReplicatorProcess(replication) as replicator:
        wait_until(lambda: bool(list(out.glob("*.json"))), 60 + rows / 2_000)
        peak = replicator.peak_memory()
        replicator.stop()
    print(f"\n{rows} rows in one window, peak memory {peak >> 20} MB")
    verified = verify_folder(out)
    assert not verified.problems
    lines = sum(path.read_bytes().count(b"\n") - 1 for path in out.glob("*.csv"))
    assert lines == rows
    assert peak < MOST_MEMORY


def _an_hour_ago(replication: Replication) -> None:
    """Let everything count as sealed in the hour before this one."""
    capture = replication.capture("here")
    batch, moment = capture.outbox.batch, datetime.now(UTC) - timedelta(hours=1)
    with capture.engine.begin() as connection:
        connection.execute(sa.update(batch).values(sealed_at=moment))
        connection.execute(sa.update(capture.outbox.state).values(sealed_to=moment))
    capture.engine.dispose()
