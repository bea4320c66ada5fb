"""Install, inspect and remove the capture triggers of a source."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from triggers import migrations
from triggers.dialects import dialect_of
from triggers.dialects.base import Dialect, Finding, Subject, TriggerSet
from triggers.errors import OutboxMissing, TableRefused
from triggers.model import Column, ForeignKey, Kind, Table, TableSpec
from triggers.outbox import Outbox, define_outbox

GENERATOR_VERSION = 1
"""Raised whenever generated triggers change, so that `status` reports older ones as drifted."""


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

    def install(self, specs: Sequence[TableSpec]) -> list[TableStatus]:
        """Create or upgrade the outbox tables and put every table's triggers in place.

        Nothing is changed when one of the tables is refused (`TableRefused` names the first).
        Returns what each table's state was before.
        """
        with self.engine.connect() as connection:
            self._subjects(connection, specs)
        with self.engine.begin() as connection:
            migrations.upgrade(connection, self.outbox.schema)
        before = self.status(specs)
        for spec, status in zip(specs, before, strict=False):
            if status.state is State.INSTALLED:
                continue
            with self.engine.begin() as connection:
                subject = self.dialect.describe(connection, spec)
                planned = self.dialect.triggers(subject, spec, self.outbox)
                for statement in self._statements(connection, subject, planned):
                    connection.exec_driver_sql(_escaped(connection, statement))
                self._record(connection, subject, spec, planned)
        return before

    def install_statements(self, specs: Sequence[TableSpec]) -> list[str]:
        """Return the statements that `install` would execute now; change nothing."""
        statements: list[str] = []
        with self.engine.connect() as connection:
            subjects = self._subjects(connection, specs)
            statements += migrations.upgrade_statements(connection, self.outbox.schema)
            installed = {
                status.table for status in self.status(specs) if status.state is State.INSTALLED
            }
            for subject, spec in zip(subjects, specs, strict=True):
                if subject.table.name in installed:
                    continue
                planned = self.dialect.triggers(subject, spec, self.outbox)
                statements += self._statements(connection, subject, planned)
                for record in self._record_statements(subject, spec, planned):
                    compiled = record.compile(
                        dialect=connection.dialect, compile_kwargs={"literal_binds": True}
                    )
                    statements.append(str(compiled))
        return statements

    def uninstall(self, tables: Iterable[str] | None = None, *, purge: bool = False) -> list[str]:
        """Remove the triggers of these tables (None: of all); return the tables.

        With `purge` the outbox tables go too, with every change that is still in them.
        """
        with self.engine.begin() as connection:
            if migrations.installed_version(connection, self.outbox.schema) is None:
                return []
            capture = self.outbox.capture
            wanted = None if tables is None else {self.dialect.canonical(t) for t in tables}
            removed = []
            rows = connection.execute(sa.select(capture.c.table_name, capture.c.triggers)).all()
            for name, names in rows:
                if wanted is not None and name not in wanted:
                    continue
                for statement in self.dialect.drop_statements(
                    connection, name, json.loads(names), self.outbox
                ):
                    connection.exec_driver_sql(_escaped(connection, statement))
                connection.execute(sa.delete(capture).where(capture.c.table_name == name))
                removed.append(name)
            if purge:
                migrations.remove(connection, self.outbox.schema)
        return removed

    def status(self, specs: Sequence[TableSpec]) -> list[TableStatus]:
        """Tell the state of each of these tables, in order; then of tables that are left over."""
        with self.engine.connect() as connection:
            version = migrations.installed_version(connection, self.outbox.schema)
            if version is None:
                reason = ("the outbox tables are not installed",)
                return [
                    TableStatus(self.dialect.canonical(s.name), State.MISSING, reason)
                    for s in specs
                ]
            recorded = {
                row.table_name: row
                for row in connection.execute(sa.select(self.outbox.capture)).all()
            }
            found = [self._table_status(connection, spec, recorded) for spec in specs]
            named = {status.table for status in found}
            found += [
                TableStatus(name, State.LEFT_OVER, ("no route asks for this table any more",))
                for name in recorded
                if name not in named
            ]
            return found

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
            capture = self.outbox.capture
            rows = connection.execute(sa.select(capture.c.table_name, capture.c.description)).all()
        return {name: _read_description(name, text) for name, text in rows}

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

    def _table_status(
        self, connection: Connection, spec: TableSpec, recorded: dict[str, Any]
    ) -> TableStatus:
        name = self.dialect.canonical(spec.name)
        try:
            subject = self.dialect.describe(connection, spec)
        except TableRefused as refused:
            return TableStatus(name, State.REFUSED, (str(refused),))
        planned = self.dialect.triggers(subject, spec, self.outbox)
        live = self.dialect.live_triggers(connection, name, self.outbox)
        row = recorded.get(name)
        if row is None and not live:
            return TableStatus(name, State.MISSING, ("no triggers are installed",))
        reasons: list[str] = []
        if row is None:
            reasons.append("there is no record of its installation")
        elif row.hash != _fingerprint(subject, spec, planned):
            reasons += _differences(_read_description(name, row.description), subject.table)
            if json.loads(row.options) != _options(subject, spec):
                reasons.append("the capture options changed, or how the table must be captured")
            if not reasons:
                reasons.append("the triggers were made by another version of this program")
        for trigger, body in planned.bodies.items():
            if trigger not in live:
                reasons.append(f"the trigger {trigger} was dropped")
            elif not live[trigger].enabled:
                reasons.append(f"the trigger {trigger} is disabled")
            elif live[trigger].body != body and row is not None and not reasons:
                reasons.append(f"the trigger {trigger} was altered")
        extra = sorted(set(live) - set(planned.bodies))
        reasons += [f"the trigger {trigger} is not needed any more" for trigger in extra]
        state = State.DRIFTED if reasons else State.INSTALLED
        return TableStatus(name, state, tuple(reasons))

    def _statements(
        self, connection: Connection, subject: Subject, planned: TriggerSet
    ) -> list[str]:
        live = self.dialect.live_triggers(connection, subject.table.name, self.outbox)
        unneeded = [name for name in live if name not in planned.bodies]
        drops = self.dialect.drop_statements(connection, subject.table.name, unneeded, self.outbox)[
            : len(unneeded)
        ]
        return [*planned.replace, *drops]

    def _record(
        self, connection: Connection, subject: Subject, spec: TableSpec, planned: TriggerSet
    ) -> None:
        for statement in self._record_statements(subject, spec, planned):
            connection.execute(statement)

    def _record_statements(
        self, subject: Subject, spec: TableSpec, planned: TriggerSet
    ) -> list[sa.Delete | sa.Insert]:
        capture = self.outbox.capture
        name = subject.table.name
        return [
            sa.delete(capture).where(capture.c.table_name == name),
            sa.insert(capture).values(
                table_name=name,
                triggers=json.dumps(list(planned.bodies)),
                description=json.dumps(asdict(subject.table), ensure_ascii=False),
                options=json.dumps(_options(subject, spec)),
                hash=_fingerprint(subject, spec, planned),
                installed_at=datetime.now(UTC),
            ),
        ]


def _escaped(connection: Connection, statement: str) -> str:
    """Double per cent signs where the driver would take them for placeholders."""
    formatted = connection.dialect.paramstyle in ("format", "pyformat")
    return statement.replace("%", "%%") if formatted else statement


def _options(subject: Subject, spec: TableSpec) -> dict[str, Any]:
    return {
        "before": spec.before,
        "exclude": sorted(spec.exclude),
        "origin": spec.origin,
        "always": spec.always,
        "form": subject.form.value,
        "keys_change_unnamed": subject.keys_change_unnamed,
    }


def _fingerprint(subject: Subject, spec: TableSpec, planned: TriggerSet) -> str:
    parts = [
        GENERATOR_VERSION,
        asdict(subject.table),
        _options(subject, spec),
        list(planned.replace),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _differences(before: Table, now: Table) -> list[str]:
    old = {column.name: column for column in before.columns}
    new = {column.name: column for column in now.columns}
    found = [f"column {name!r} was added" for name in new if name not in old]
    found += [f"column {name!r} was dropped" for name in old if name not in new]
    found += [
        f"column {name!r} was {old[name].native}, is {new[name].native}"
        for name in new
        if name in old and old[name].native != new[name].native
    ]
    if before.key != now.key:
        found.append(f"the key was ({', '.join(before.key)}), is ({', '.join(now.key)})")
    if not found and before != now:
        found.append("the table's definition changed")
    return found


def _read_description(name: str, text: str) -> Table:
    data = json.loads(text)
    return Table(
        name=name,
        columns=tuple(Column(**{**c, "kind": Kind(c["kind"])}) for c in data["columns"]),
        key=tuple(data["key"]),
        foreign_keys=tuple(
            ForeignKey(
                columns=tuple(f["columns"]),
                table=f["table"],
                referred=tuple(f["referred"]),
                on_delete=f["on_delete"],
                on_update=f["on_update"],
            )
            for f in data["foreign_keys"]
        ),
    )
