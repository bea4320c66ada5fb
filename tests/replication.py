"""A replication as a test sees it: a configuration file, and the product run on it.

Everything goes the way a user's would: a TOML file, the installed triggers, target tables made by
the SQL target's own statements, and the replicator in this process or in one of its own.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from replicator import config, service
from replicator.compose import open_source, table_specs
from replicator.pipeline.contract import DeliveryName
from replicator.pipeline.deliveries import Deliveries
from replicator.pipeline.sealing import Sealer
from replicator.targets.sql.preparation import create_statements
from tests.memory import peak_memory
from tests.wait import wait_until
from triggers.capture import Capture
from triggers.engine import make_engine

Section = Mapping[str, object]

ROOT = Path(__file__).parent.parent


def sql(url: str) -> Section:
    """A SQL target's section of the configuration."""
    return {"type": "sql", "url": url}


class Replication:
    """One configuration file, and what it describes."""

    def __init__(
        self,
        folder: Path,
        *,
        sources: Mapping[str, str | Section],
        targets: Mapping[str, Section],
        routes: Sequence[Section],
    ) -> None:
        """Write the file into a folder; a source is its URL, or its whole section."""
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "replicator.toml"
        self.write(sources=sources, targets=targets, routes=routes)

    @classmethod
    def of(cls, path: Path) -> Replication:
        """The replication of a file that is there already."""
        made = cls.__new__(cls)
        made.path = path
        made.settings = config.load(path)
        return made

    def write(
        self,
        *,
        sources: Mapping[str, str | Section],
        targets: Mapping[str, Section],
        routes: Sequence[Section],
    ) -> None:
        """Write the file anew and read it."""
        lines: list[str] = []
        for name, source in sources.items():
            section = {"url": source} if isinstance(source, str) else source
            lines += [f"[sources.{name}]", *_keys(section)]
        for name, target in targets.items():
            lines += [f"[targets.{name}]", *_keys(target)]
        for route in routes:
            lines += ["[[routes]]", *_keys(route)]
        fresh = self.path.with_suffix(".new")
        fresh.write_text("\n".join(lines) + "\n", encoding="utf-8")
        fresh.replace(self.path)
        self.settings = config.load(self.path)

    def capture(self, source: str) -> Capture:
        """The capture of a source; `close` its engine when done."""
        settings = self.settings.sources[source]
        return Capture(make_engine(settings.connection_url()), settings.schema_name)

    def install(self) -> None:
        """Install the triggers of every source."""
        for name in self.settings.sources:
            capture = self.capture(name)
            try:
                capture.install(table_specs(self.settings, name), prove=False)
            finally:
                capture.engine.dispose()

    def register(self) -> None:
        """Make every delivery known to its source, as `triggers install` does."""
        for route in self.settings.routes:
            capture = self.capture(route.source)
            try:
                for target in route.targets:
                    name = DeliveryName(route.name, target)
                    Deliveries(capture.engine, capture.outbox, name).register()
            finally:
                capture.engine.dispose()

    def create_target_tables(self) -> None:
        """Create the missing tables of every SQL target; its database must be reachable."""
        for route in self.settings.routes:
            capture = self.capture(route.source)
            try:
                captured = capture.tables()
                tables = [captured[capture.dialect.canonical(table)] for table in route.tables]
                into = {capture.dialect.canonical(t): other for t, other in route.into.items()}
            finally:
                capture.engine.dispose()
            for name in route.targets:
                target = self.settings.targets[name]
                if isinstance(target, config.SqlTarget):
                    url = target.connection_url()
                    _execute(make_engine(url), create_statements(tables, into, url))

    def prepare(self) -> None:
        """Install the triggers and create the target tables."""
        self.install()
        self.create_target_tables()

    def run_once(self) -> dict[str, BaseException | None]:
        """Deliver what is sealed now; return each delivery's error."""
        results = service.run_once(self.settings, threading.Event())
        return {str(result.name): result.error for result in results}

    def deliver(self) -> None:
        """Deliver what is sealed now; fail when a delivery ends with an error."""
        for name, error in self.run_once().items():
            if error is not None:
                raise AssertionError(f"{name}: {error}") from error

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the replicator in this process, until the block ends."""
        stop = threading.Event()
        thread = threading.Thread(target=service.run, args=(self.path, self.settings, stop))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    @contextmanager
    def sealer(self, source: str, batch_rows: int = 20_000) -> Iterator[Sealer]:
        """A sealer of a source, as the service makes it."""
        opened = open_source(source, self.settings.sources[source])
        try:
            sealer = Sealer(
                opened.engine, opened.capture.outbox, opened.capture.dialect, batch_rows
            )
            yield sealer
            sealer.close()
        finally:
            opened.close()

    def record(self, source: str, delivery: str) -> sa.Row[tuple[object, ...]]:
        """The source's record of a delivery; fails when there is none."""
        row = self.find_record(source, delivery)
        assert row is not None, f"{delivery} is not known to {source}"
        return row

    def find_record(self, source: str, delivery: str) -> sa.Row[tuple[object, ...]] | None:
        """The source's record of a delivery."""
        route, _, target = delivery.partition("/")
        capture = self.capture(source)
        table = capture.outbox.delivery
        name = DeliveryName(route, target)
        query = sa.select(table).where(table.c.route == name.route, table.c.target == name.target)
        try:
            with capture.engine.connect() as connection:
                return connection.execute(query).first()
        finally:
            capture.engine.dispose()


class ReplicatorProcess:
    """`replicator run` in a process of its own."""

    def __init__(self, replication: Replication, name: str = "replicator") -> None:
        """Prepare; `start` starts it, any number of times. `name` is that of its log."""
        self._path = replication.path
        self._log = replication.path.with_name(f"{name}.log")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """What it has written so far."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def start(self) -> None:
        """Start it."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "replicator", "run", "-c", self._path],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait_until_up(self, seconds: float = 30) -> None:
        """Wait until it has read its configuration; for its first start."""
        wait_until(lambda: " starts with " in self.log, seconds, "the replicator starts")

    def kill(self) -> None:
        """Kill it with SIGKILL, and return when it is gone."""
        process = self._running()
        process.kill()
        process.wait()
        self._process = None

    def send(self, what: signal.Signals) -> None:
        """Send it a signal, such as SIGSTOP and SIGCONT."""
        os.kill(self._running().pid, what)

    def stop(self) -> None:
        """End it with SIGTERM; it must do so in good order within ten seconds."""
        process = self._running()
        process.terminate()
        try:
            code = process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"did not stop:\n{self.log[-4000:]}") from None
        finally:
            self._process = None
        assert code == 0, f"ended with {code}:\n{self.log[-4000:]}"

    def peak_memory(self) -> int:
        """The largest resident size so far, in bytes."""
        peak = peak_memory(self._running().pid)
        assert peak is not None
        return peak

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        code = self._process.poll()
        assert code is None, f"ended by itself with {code}:\n{self.log[-4000:]}"
        return self._process

    def __enter__(self) -> ReplicatorProcess:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def content(engine: Engine, table: str) -> list[tuple[object, ...]]:
    """A table's rows in order of its first column."""
    with engine.connect() as connection:
        rows = connection.execute(sa.text(f"SELECT * FROM {table} ORDER BY 1")).all()
        return [tuple(row) for row in rows]


def wait_until_equal(source: Engine, target: Engine, table: str, seconds: float) -> None:
    """Wait until a table of the target holds what the source's holds."""
    expected = content(source, table)
    try:
        wait_until(lambda: content(target, table) == expected, seconds)
    except AssertionError:
        assert content(target, table) == expected  # the difference, shown by pytest
        raise


def execute(engine: Engine, *statements: str) -> None:
    """Execute statements in one transaction."""
    with engine.begin() as connection:
        for statement in statements:
            run_statement(connection, statement)


def run_statement(connection: Connection, statement: str) -> None:
    """Execute a statement exactly as written: no placeholders in it."""
    if connection.dialect.paramstyle in ("format", "pyformat"):
        statement = statement.replace("%", "%%")
    connection.exec_driver_sql(statement)


def _execute(engine: Engine, statements: Sequence[str]) -> None:
    try:
        execute(engine, *statements)
    finally:
        engine.dispose()


def _keys(section: Section) -> list[str]:
    return [f"{_value(key)} = {_value(value)}" for key, value in section.items()]


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_value(k)} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
