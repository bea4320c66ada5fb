"""Commit-to-applied latency at 20 changes a second with default settings, and what waiting costs.

The target stamps each row with its own clock when it writes it; client and servers share the
machine's clock. PostgreSQL tells when a transaction was committed (`track_commit_timestamp`), so
there the figure includes the target's commit. MariaDB only knows when the row was written.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from tests.benchmarks import measuring, workload
from tests.benchmarks.place import configuration
from tests.servers import (
    Database,
    DatabaseKind,
    DatabaseServer,
    MariaDBServer,
    PostgreSQLServer,
    server_database,
)

P50_GOAL, P99_GOAL, IDLE_GOAL = 15.0, 60.0, 1.0
_PER_SECOND = 20
_WARM_UP = 2.0
_IDLE_SECONDS = 20.0
_STAMPS = {
    "postgresql": "pg_xact_commit_timestamp(xmin)",
    "mariadb": "applied_at",
}
_APPLIED_AT = "applied_at datetime(6) NOT NULL DEFAULT (sysdate(6))"


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds, and shares of one core in per cent."""

    p50: float
    p95: float
    p99: float
    busy: float
    idle: float


def benchmark(console: Console, seconds: float) -> None:
    """Measure PostgreSQL to PostgreSQL and MariaDB to MariaDB, and print both."""
    table = Table(title=f"Latency at {_PER_SECOND} changes a second, {measuring.machine()}")
    table.add_column("source to target")
    for heading in ("p50 ms", "p95 ms", "p99 ms", "busy %", "idle %"):
        table.add_column(heading, justify="right")
    table.add_row("goal", f"{P50_GOAL:.0f}", "", f"{P99_GOAL:.0f}", "", f"{IDLE_GOAL:.0f}")
    for server in (
        PostgreSQLServer(settings={"track_commit_timestamp": "on"}),
        MariaDBServer(),
    ):
        console.print(f"[dim]{server.kind} to {server.kind}: {seconds:.0f} s busy, then idle[/dim]")
        with server:
            found = _measure(server, seconds)
        figures = (found.p50, found.p95, found.p99, found.busy, found.idle)
        table.add_row(f"{server.kind} to {server.kind}", *(f"{figure:.1f}" for figure in figures))
    console.print(table)
    console.print(
        "Milliseconds from the return of the application's COMMIT to the target's commit"
        " (MariaDB: to the writing of the row). busy, idle: the replicator's share of one core"
        f" meanwhile, and over {_IDLE_SECONDS:.0f} s without changes. Servers not durable."
    )


def _measure(server: DatabaseServer, seconds: float) -> Latency:
    kind: DatabaseKind = "postgresql" if server.kind == "postgresql" else "mariadb"
    extra = _APPLIED_AT if kind == "mariadb" else ""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        source = stack.enter_context(server_database(kind, server))
        target = stack.enter_context(server_database(kind, server))
        workload.create_table(source.engine, kind)
        workload.create_table(target.engine, kind, extra)
        workload.install(source.engine, kind)
        path = folder / "replicator.toml"
        path.write_text(configuration(source, target), encoding="utf-8")
        process = stack.enter_context(_replicator(path))
        _commit(source, first=1, seconds=_WARM_UP)
        cpu = _cpu(process)
        committed = _commit(source, first=1_000_000, seconds=seconds)
        busy = _cpu(process) - cpu
        time.sleep(4.0)  # until it has noticed that nothing comes any more
        cpu = _cpu(process)
        time.sleep(_IDLE_SECONDS)
        idle = _cpu(process) - cpu
        applied = _applied(target)
    waits = [1000 * (applied[number] - at) for number, at in committed.items()]
    cuts = quantiles(waits, n=100)
    return Latency(cuts[49], cuts[94], cuts[98], 100 * busy / seconds, 100 * idle / _IDLE_SECONDS)


@contextmanager
def _replicator(path: Path) -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, "-m", "replicator", "--config", str(path), "run"],
        stdin=subprocess.DEVNULL,
    )
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


def _commit(source: Database, first: int, seconds: float) -> dict[int, float]:
    """Insert single rows at uneven intervals; return when each commit returned."""
    rng = random.Random(first)
    marks = ", ".join(f":{name}" for name in workload.COLUMNS)
    insert = sa.text(f"INSERT INTO {workload.TABLE} VALUES ({marks})")
    committed = {}
    end = time.time() + seconds
    with source.engine.connect() as connection:
        number = first
        while time.time() < end:
            time.sleep(rng.uniform(0.5, 1.5) / _PER_SECOND)
            with connection.begin():
                connection.execute(insert, workload.row(number, rng))
            committed[number] = time.time()
            number += 1
    return committed


def _applied(target: Database) -> dict[int, float]:
    stamp = _STAMPS[target.kind]
    seconds = (
        f"extract(epoch FROM {stamp})"
        if target.kind == "postgresql"
        else f"unix_timestamp({stamp})"
    )
    with target.engine.connect() as connection:
        rows = connection.exec_driver_sql(f"SELECT id, {seconds} FROM {workload.TABLE}").all()
    return {number: float(at) for number, at in rows}


def _cpu(pid: int) -> float:
    """Return the CPU seconds of a process until now."""
    after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")
