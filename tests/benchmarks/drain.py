"""How fast a backlog of 200,000 changes drains, against a plain copy of the same final rows."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from tests.benchmarks import measuring, workload
from tests.benchmarks.measuring import Measured, medians
from tests.benchmarks.place import Place, configuration
from tests.servers import Database, DatabaseKind
from triggers.capture import Capture

PAIRS: dict[tuple[DatabaseKind, DatabaseKind], int] = {
    ("postgresql", "postgresql"): 120_000,
    ("mariadb", "mariadb"): 60_000,
    ("mariadb", "postgresql"): 80_000,
    ("sqlite", "postgresql"): 80_000,
}
"""Source and target, and the goal in changes per second."""


@dataclass
class _Runs:
    drains: list[Measured] = field(default_factory=list)
    copies: list[Measured] = field(default_factory=list)


class _Place(Place):
    """With a backlog per kind of source."""

    def __init__(self, stack: ExitStack) -> None:
        super().__init__(stack)
        self._sources: dict[DatabaseKind, tuple[Database, Capture]] = {}

    def source(self, kind: DatabaseKind) -> tuple[Database, Capture]:
        """The source of a kind with its backlog, made once."""
        if kind not in self._sources:
            database = self._stack.enter_context(self.database(kind))
            capture = workload.install(database.engine, kind)
            workload.make_backlog(database.engine)
            self._sources[kind] = database, capture
        return self._sources[kind]


def benchmark(console: Console, runs: int, only: str | None = None) -> None:
    """Drain each pair `runs` times, in turns with the plain copy, and print the medians.

    `only` is a pair such as `mariadb-postgresql`.
    """
    measured = {pair: _Runs() for pair in PAIRS if only in (None, "-".join(pair))}
    with ExitStack() as stack:
        place = _Place(stack)
        for number in range(runs):
            for pair, results in measured.items():
                console.print(f"[dim]run {number + 1} of {runs}: {' to '.join(pair)}[/dim]")
                results.copies.append(_copy(place, *pair))
                results.drains.append(_drain(place, *pair))
    console.print(_report(measured))
    console.print(
        "Servers not durable (no fsync), all on this machine. Measured inside the process from the"
        " start of sealing until the target holds everything; 'with start' adds starting Python and"
        " loading its modules. CPU is the client's alone. The plain copy moves the"
        f" {workload.UPDATES:,} rows that are left at the end."
    )


def _drain(place: _Place, source_kind: DatabaseKind, target_kind: DatabaseKind) -> Measured:
    source, capture = place.source(source_kind)
    workload.forget_sealing(source.engine, capture)
    with place.database(target_kind) as target:
        path = place.folder / "replicator.toml"
        path.write_text(configuration(source, target), encoding="utf-8")
        measured = measuring.run("tests.benchmarks.drain_once", str(path))
        if workload.content(source.engine) != workload.content(target.engine):
            raise RuntimeError("source and target differ")
    return measured


def _copy(place: _Place, source_kind: DatabaseKind, target_kind: DatabaseKind) -> Measured:
    source, _capture = place.source(source_kind)
    with place.database(target_kind) as target:
        return measuring.run("tests.benchmarks.plain_copy", source.url, target.url)


def _report(measured: dict[tuple[DatabaseKind, DatabaseKind], _Runs]) -> Table:
    table = Table(title=f"Drain of {workload.CHANGES:,} changes, {measuring.machine()}")
    table.add_column("source to target")
    for heading in (
        "changes/s", "goal", "of goal", "with start", "CPU s", "peak MB", "copy rows/s", "time/copy"
    ):  # fmt: skip
        table.add_column(heading, justify="right")
    for pair, runs in measured.items():
        drain, copy = medians(runs.drains), medians(runs.copies)
        rate = workload.CHANGES / drain.seconds
        table.add_row(
            " to ".join(pair),
            f"{rate:,.0f}",
            f"{PAIRS[pair]:,}",
            f"{rate / PAIRS[pair]:.2f}",
            f"{workload.CHANGES / drain.with_start:,.0f}",
            f"{drain.cpu:.2f}",
            f"{drain.peak_mb:.0f}",
            f"{workload.UPDATES / copy.seconds:,.0f}",
            f"{drain.seconds / copy.seconds:.2f}",
        )
    return table
