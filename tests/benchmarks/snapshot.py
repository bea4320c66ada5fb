"""How fast `replicator snapshot` copies a table, beside what copies it without the product.

Within one engine that is its own dump, loaded at once; between engines a plain client-side copy.
"""

from __future__ import annotations

import random
import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median

import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from tests.benchmarks import measuring, workload
from tests.benchmarks.measuring import Measured, medians
from tests.benchmarks.place import Place, configuration
from tests.servers import Database, DatabaseKind

GOAL = 0.7
"""Of the rate of a dump that is loaded at once."""

PAIRS: tuple[tuple[DatabaseKind, DatabaseKind], ...] = (
    ("postgresql", "postgresql"),
    ("mariadb", "mariadb"),
    ("mariadb", "postgresql"),
    ("postgresql", "mariadb"),
    ("sqlite", "postgresql"),
)


@dataclass
class _Runs:
    snapshots: list[Measured] = field(default_factory=list)
    others: list[float] = field(default_factory=list)
    """Seconds that the copy without the product takes, from start to end of its processes."""


def benchmark(console: Console, runs: int, rows: int, only: str | None = None) -> None:
    """Copy each pair `runs` times, in turns with the other way, and print the medians."""
    measured = {pair: _Runs() for pair in PAIRS if only in (None, "-".join(pair))}
    with ExitStack() as stack:
        place = Place(stack)
        sources: dict[DatabaseKind, Database] = {}
        for kind in {kind: None for kind, _target in measured}:
            console.print(f"[dim]{rows:,} rows for {kind}[/dim]")
            sources[kind] = stack.enter_context(place.database(kind))
            _fill(sources[kind], rows)
        for number in range(runs):
            for (kind, other), results in measured.items():
                console.print(f"[dim]run {number + 1} of {runs}: {kind} to {other}[/dim]")
                results.others.append(_plain(place, sources[kind], other))
                results.snapshots.append(_snapshot(place, sources[kind], other))
    console.print(_report(measured, rows))
    console.print(
        "Servers not durable (no fsync), all on this machine; nobody else writes. Times are those"
        " of whole processes, with starting them. CPU and memory are the client's alone."
    )


def _fill(source: Database, rows: int) -> None:
    rng = random.Random(5)
    insert = sa.insert(sa.table(workload.TABLE, *map(sa.column, workload.COLUMNS)))
    for start in range(1, rows + 1, 10_000):
        numbers = range(start, min(start + 10_000, rows + 1))
        with source.engine.begin() as connection:
            connection.execute(insert, [workload.row(number, rng) for number in numbers])
    workload.install(source.engine, source.kind)


def _snapshot(place: Place, source: Database, kind: DatabaseKind) -> Measured:
    with place.database(kind) as target:
        path = place.folder / "replicator.toml"
        path.write_text(configuration(source, target), encoding="utf-8")
        measured = measuring.run("tests.benchmarks.snapshot_once", str(path))
        if workload.content(source.engine) != workload.content(target.engine):
            raise RuntimeError("source and target differ")
    return measured


def _plain(place: Place, source: Database, kind: DatabaseKind) -> float:
    with place.database(kind) as target:
        if source.kind != target.kind:
            return measuring.run("tests.benchmarks.plain_copy", source.url, target.url).with_start
        began = time.perf_counter()
        subprocess.run(["bash", "-o", "pipefail", "-c", _dump_and_load(source, target)], check=True)
        return time.perf_counter() - began


def _dump_and_load(source: Database, target: Database) -> str:
    """The dump of one table, loaded at once into another that is there already."""
    if source.kind == "postgresql":
        dump = f"pg_dump --data-only --table {workload.TABLE} '{source.url}'"
        return f"{dump} | psql --quiet --set ON_ERROR_STOP=1 '{target.url}' > /dev/null"
    assert source.server is not None
    options = f"--no-defaults --host 127.0.0.1 --port {source.server.port} --user root"
    dump = f"mariadb-dump {options} --single-transaction --no-create-info --skip-triggers"
    return f"{dump} {source.name} {workload.TABLE} | mariadb {options} {target.name}"


def _report(measured: dict[tuple[DatabaseKind, DatabaseKind], _Runs], rows: int) -> Table:
    table = Table(title=f"First copy of {rows:,} rows, {measuring.machine()}")
    table.add_column("source to target")
    table.add_column("beside")
    for heading in ("rows/s", "its rows/s", "ratio", "goal", "CPU s", "peak MB"):
        table.add_column(heading, justify="right")
    for (kind, other), runs in measured.items():
        snapshot, seconds = medians(runs.snapshots), median(runs.others)
        table.add_row(
            f"{kind} to {other}",
            "dump, loaded at once" if kind == other else "plain copy",
            f"{rows / snapshot.with_start:,.0f}",
            f"{rows / seconds:,.0f}",
            f"{seconds / snapshot.with_start:.2f}",
            f"{GOAL}" if kind == other else "",
            f"{snapshot.cpu:.2f}",
            f"{snapshot.peak_mb:.0f}",
        )
    return table
