"""A target that is down holds up nobody, and catches up when it is back."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median

import pytest
import sqlalchemy as sa

from replicator.pipeline.contract import DeliveryName
from replicator.pipeline.deliveries import Deliveries
from tests.conftest import MakeDatabase
from tests.load.hot_rows import TABLE
from tests.replication import Replication, execute, sql, wait_until_equal
from tests.servers import DatabaseKind, TCPProxy
from tests.wait import wait_until

WRITES = [60, pytest.param(1500, marks=pytest.mark.torture)]


@pytest.mark.parametrize("writes", WRITES)
@pytest.mark.parametrize("kind", ["postgresql", pytest.param("mariadb", marks=pytest.mark.torture)])
def test_a_dead_target_delays_no_other(
    kind: DatabaseKind, writes: int, make_database: MakeDatabase, tmp_path: Path
) -> None:
    source, healthy, dead = make_database(kind), make_database(kind), make_database(kind)
    assert dead.server is not None
    execute(source.engine, f"CREATE TABLE {TABLE} (id INTEGER PRIMARY KEY, version INTEGER)")
    with TCPProxy(dead.server.port) as proxy:
        url = dead.server.plain_url(dead.name, port=proxy.port)
        targets = {"healthy": sql(healthy.url), "dead": sql(url)}
        route = {"name": "hot", "source": "here", "tables": [TABLE]}
        alone: dict[str, object] = {**route, "targets": ["healthy"]}
        both: dict[str, object] = {**route, "targets": ["healthy", "dead"]}
        replication = Replication(
            tmp_path, sources={"here": source.url}, targets=targets, routes=[both]
        )
        replication.prepare()
        replication.register()  # or the first rows are purged before the dead target's first try

        replication.write(
            sources={"here": source.url}, targets={"healthy": targets["healthy"]}, routes=[alone]
        )
        with replication.running():
            lags_without = [lag(source.engine, healthy.engine, n) for n in range(writes)]

        proxy.refuse()
        replication.write(sources={"here": source.url}, targets=targets, routes=[both])
        with replication.running():
            wait_until(lambda: state(replication) == "failing", 20, "the dead target is noticed")
            lags_with = [lag(source.engine, healthy.engine, n) for n in range(writes, 2 * writes)]
            assert state(replication) == "failing"
            assert replication.record("here", "hot/dead").progress == 0
            assert replication.record("here", "hot/healthy").progress > writes
            assert_rows(healthy.engine, 2 * writes)
            assert_rows(dead.engine, 0)
            proxy.accept()
            wait_until_equal(source.engine, dead.engine, TABLE, 60)

    without, with_ = median(lags_without), median(lags_with)
    print(
        f"\n{kind}: commit to applied, median of {writes}: {without * 1000:.1f} ms without, "
        f"{with_ * 1000:.1f} ms with a dead target beside (ratio {with_ / without:.2f})"
    )


def register(replication: Replication, target: str) -> None:
    """Make a delivery known to its source."""
    capture = replication.capture("here")
    Deliveries(capture.engine, capture.outbox, DeliveryName("hot", target)).register()
    capture.engine.dispose()


def lag(source: sa.Engine, target: sa.Engine, number: int) -> float:
    """Write a row; return the seconds from its commit until it is in the target."""
    execute(source, f"INSERT INTO {TABLE} VALUES ({number}, 1)")
    began = time.monotonic()
    query = sa.text(f"SELECT count(*) FROM {TABLE} WHERE id = :id")
    with target.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        while not connection.execute(query, {"id": number}).scalar_one():
            assert time.monotonic() - began < 20, f"row {number} did not come"
            time.sleep(0.001)
    return time.monotonic() - began


def assert_rows(engine: sa.Engine, expected: int) -> None:
    with engine.connect() as connection:
        found = connection.execute(sa.text(f"SELECT count(*) FROM {TABLE}")).scalar_one()
    assert found == expected


def state(replication: Replication) -> str | None:
    """What the source's record says of the delivery to the dead target."""
    record = replication.find_record("here", "hot/dead")
    return None if record is None else record.state
