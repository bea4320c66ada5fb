"""Install, inspect and remove the capture triggers of a source."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from triggers import canary, migrations
from triggers.dialects import dialect_of
from triggers.dialects.base import Dialect, Finding, Subject, TriggerSet
from triggers.errors import OutboxMissing, TableBusy, TableRefused
from triggers.model import Table, TableSpec
from triggers.outbox import Outbox, define_outbox
from triggers.record import Record, drift, gone_columns, read_records, record_statements
from triggers.statements import as_text, execute

ATTEMPTS = 20
PAUSE_SECONDS = 1.0
"""How often, and how far apart, a table is tried that other transactions hold."""

Result = TypeVar("Result")


class State(StrEnum):
    """What `status` says of one table."""

    INSTALLED = "installed"
    MISSING = "missing"
    DRIFTED = "drifted"
    REFUSED = "refused"
    LEFT_OVER = "left over"  # has triggers, though nobody asks for its capture any more


@dataclass(frozen=True, slots=True)
class TableStatus:
    """The state of one table's capture, and why it is not simply installed."""

    table: str
    state: State
    reasons: tuple[str, ...] = ()
    unproven: str = ""  # why `install` could not try the triggers on a scratch table


class Capture:
    """The capture triggers of one source database.

    Holds an engine and the name of the outbox schema (PostgreSQL; None: the engine's default).
    Every method opens its own connection; all are safe to repeat.
    """

    def __init__(self, engine: Engine, schema: str | None = None) -> None:
        self.engine = engine
        self.dialect: Dialect = dialect_of(engine)
        default = self.dialect.default_schema
        self.outbox: Outbox = define_outbox(schema if default and schema else default)

    def install(self, specs: Sequence[TableSpec], *, prove: bool = True) -> list[TableStatus]:
        """Create or upgrade the outbox tables and put every table's triggers in place.

        Nothing is changed when one of the tables is refused (`TableRefused` names the first). With
        `prove`, all triggers are tried on scratch tables first: `CanaryFailed` when one of them
        would fail a write, and then no trigger is changed.
        Each table is done in a step of its own, which waits for transactions that write to the
        table, and keeps new ones waiting for no longer than a few seconds; `TableBusy` when the
        table was not free in many attempts. Two installations at once take turns.
        Returns what each table's state was before.
        """
        with self.engine.connect() as connection:
            self._subjects(connection, specs)
        with self._exclusively() as connection:
            with connection.begin():
                migrations.upgrade(connection, self.outbox.schema)
            with connection.begin():
                before = self._status(connection, specs)
            if prove:
                before = self._prove(connection, specs, before)
            for spec in specs:
                step = partial(self._install_table, connection, spec)
                self._patiently(connection, spec.name, step)
        return before

    def install_statements(self, specs: Sequence[TableSpec]) -> list[str]:
        """Return the statements that `install` would execute now; change nothing.

        Where the engine can, the statements of one table are in a transaction of their own.
        """
        statements: list[str] = []
        with self.engine.connect() as connection:
            subjects = self._subjects(connection, specs)
            statements += migrations.upgrade_statements(connection, self.outbox.schema)
            status = self._status(connection, specs)
            for subject, spec, found in zip(subjects, specs, status, strict=False):
                if found.state is State.INSTALLED:
                    continue
                planned = self.dialect.triggers(subject, spec, self.outbox)
                step = self._statements(connection, subject, planned)
                step += [
                    as_text(connection, record)
                    for record in record_statements(self.outbox, subject, spec, planned)
                ]
                statements += self.dialect.in_transaction(step)
        return statements

    def uninstall(self, tables: Iterable[str] | None = None, *, purge: bool = False) -> list[str]:
        """Remove the triggers of these tables (None: of all); return the tables.

        With `purge` the outbox tables go too, with every change that is still in them.
        """
        with self._exclusively() as connection:
            with connection.begin():
                if migrations.installed_version(connection, self.outbox.schema) is None:
                    return []
                records = read_records(connection, self.outbox)
            wanted = None if tables is None else {self.dialect.canonical(t) for t in tables}
            removed = [name for name in records if wanted is None or name in wanted]
            for name in removed:
                step = partial(self._uninstall_table, connection, name, records[name])
                self._patiently(connection, name, step)
            if purge:
                with connection.begin():
                    migrations.remove(connection, self.outbox.schema)
        return removed

    def status(self, specs: Sequence[TableSpec]) -> list[TableStatus]:
        """Tell the state of each of these tables, in order; then of tables that are left over."""
        with self.engine.connect() as connection:
            return self._status(connection, specs)

    def tables(self) -> dict[str, Table]:
        """Return the captured tables as they were when their triggers were installed, by name.

        Raises `OutboxMissing` when the source has no outbox tables.
        """
        with self.engine.connect() as connection:
            if migrations.installed_version(connection, self.outbox.schema) is None:
                raise OutboxMissing(
                    "the source has no outbox tables",
                    "install them: replicator triggers install",
                )
            records = read_records(connection, self.outbox)
        return {name: record.table for name, record in records.items()}

    def tables_now(self, specs: Sequence[TableSpec]) -> dict[str, Table]:
        """Return the tables as `install` would capture them now, by name; not those it refuses."""
        found = {}
        with self.engine.connect() as connection:
            for spec in specs:
                try:
                    table = self.dialect.describe(connection, spec).table
                except TableRefused:
                    continue
                found[table.name] = table
        return found

    def stamp(self) -> object:
        """Return what changes with the columns of captured tables, or with their capture; cheap."""
        capture = self.outbox.capture
        installed = sa.select(capture.c.table_name, capture.c.hash).order_by(capture.c.table_name)
        with self.engine.connect() as connection:
            hashes = connection.execute(installed).all()
            names = [row.table_name for row in hashes]
            return hashes, self.dialect.definition_stamp(connection, names)

    def coverage(self, specs: Sequence[TableSpec]) -> list[Finding]:
        """Report what may escape capture, or stand in the way of installing it."""
        findings: list[Finding] = []
        with self.engine.connect() as connection:
            subjects = []
            for spec in specs:
                try:
                    subjects.append(self.dialect.describe(connection, spec))
                except TableRefused as refused:
                    findings.append(Finding("problem", spec.name, refused.message, refused.hint))
            findings += self.dialect.coverage(connection, subjects, self.outbox)
        return findings

    def _subjects(self, connection: Connection, specs: Sequence[TableSpec]) -> list[Subject]:
        return [self.dialect.describe(connection, spec) for spec in specs]

    def _status(self, connection: Connection, specs: Sequence[TableSpec]) -> list[TableStatus]:
        if migrations.installed_version(connection, self.outbox.schema) is None:
            reason = ("the outbox tables are not installed",)
            return [
                TableStatus(self.dialect.canonical(s.name), State.MISSING, reason) for s in specs
            ]
        records = read_records(connection, self.outbox)
        found = [self._table_status(connection, spec, records) for spec in specs]
        named = {status.table for status in found}
        found += [
            TableStatus(name, State.LEFT_OVER, ("no route asks for this table any more",))
            for name in records
            if name not in named
        ]
        return found

    def _table_status(
        self, connection: Connection, spec: TableSpec, records: dict[str, Record]
    ) -> TableStatus:
        name = self.dialect.canonical(spec.name)
        try:
            subject = self.dialect.describe(connection, spec)
        except TableRefused as refused:
            return TableStatus(name, State.REFUSED, (str(refused),))
        planned = self.dialect.triggers(subject, spec, self.outbox)
        live = self.dialect.live_triggers(connection, name, self.outbox)
        record = records.get(name)
        if record is None and not live:
            return TableStatus(name, State.MISSING, ("no triggers are installed",))
        reasons = drift(record, live, subject, spec, planned)
        if record is not None and reasons:
            dropped, retyped = gone_columns(record.table, subject.table, spec.exclude)
            failing = self.dialect.failing_writes(dropped, retyped, live)
            if failing:
                reasons[-1] += f" (until it is installed anew, {failing})"
        return TableStatus(name, State.DRIFTED if reasons else State.INSTALLED, tuple(reasons))

    @contextmanager
    def _exclusively(self) -> Iterator[Connection]:
        """Open a connection of which there is one at a time, and which is closed at the end.

        Closed, not given back: session settings and locks end with it, also after a failure.
        """
        with self.engine.connect() as connection:
            connection.detach()
            connection.execution_options(sqlite_begin="IMMEDIATE")
            with connection.begin():
                self.dialect.wait_for_turn(connection)
            yield connection

    def _patiently(self, connection: Connection, table: str, step: Callable[[], Result]) -> Result:
        attempt = 1
        while True:
            try:
                with connection.begin():
                    return step()
            except DBAPIError as error:
                if not self.dialect.is_busy(error):
                    raise
                if attempt == ATTEMPTS:
                    raise TableBusy(
                        f"table {table} is held by other transactions all the time",
                        "end the session that has been writing to it for long, or try again when"
                        " the application is at rest",
                    ) from error
            time.sleep(PAUSE_SECONDS)
            attempt += 1

    def _prove(
        self, connection: Connection, specs: Sequence[TableSpec], found: Sequence[TableStatus]
    ) -> list[TableStatus]:
        """Try the triggers of every table that gets new ones; note where that cannot be done."""
        with connection.begin():
            self.dialect.canary.drop_leftovers(connection)
        proven = list(found)
        for place, (spec, status) in enumerate(zip(specs, found, strict=False)):
            if status.state is State.INSTALLED:
                continue
            step = partial(canary.prove, connection, self.dialect, spec, self.outbox)
            proven[place] = replace(status, unproven=self._patiently(connection, spec.name, step))
        return proven

    def _install_table(self, connection: Connection, spec: TableSpec) -> None:
        [status, *_left_over] = self._status(connection, [spec])
        if status.state is State.INSTALLED:
            return
        subject = self.dialect.describe(connection, spec)
        planned = self.dialect.triggers(subject, spec, self.outbox)
        execute(connection, self._statements(connection, subject, planned))
        for statement in record_statements(self.outbox, subject, spec, planned):
            connection.execute(statement)

    def _uninstall_table(self, connection: Connection, name: str, record: Record) -> None:
        live = self.dialect.live_triggers(connection, name, self.outbox)
        names = sorted({*live, *record.triggers})
        drops = self.dialect.drop_statements(connection, name, names)
        execute(connection, [*drops, *self.dialect.clean_up_statements(name, self.outbox)])
        capture = self.outbox.capture
        connection.execute(sa.delete(capture).where(capture.c.table_name == name))

    def _statements(
        self, connection: Connection, subject: Subject, planned: TriggerSet
    ) -> list[str]:
        name = subject.table.name
        live = self.dialect.live_triggers(connection, name, self.outbox)
        unneeded = [trigger for trigger in live if trigger not in planned.bodies]
        drops = self.dialect.drop_statements(connection, name, unneeded)
        return [*planned.replace, *drops, *planned.finish]
