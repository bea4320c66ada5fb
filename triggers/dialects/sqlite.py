"""SQLite: row-level triggers that log the row as it is when they fire."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from triggers import naming
from triggers.dialects import sqlite_catalog as catalog
from triggers.dialects import sqlite_coverage
from triggers.dialects.base import Canary, Finding, LiveTrigger, Subject, TriggerSet
from triggers.dialects.sqlite_canary import SqliteCanary
from triggers.model import Column, TableSpec
from triggers.outbox import Outbox
from triggers.templates import render

PURPOSES = ("insert", "update", "key", "delete")
"""In the order of creation: SQLite fires the newest first, and a changed key is logged as a delete
and then an update (either order would be right: they are about two keys)."""

FIELDS_AT_ONCE = 100
"""Fewer than the 500 terms that a compound SELECT may have."""

ROWID_NAMES = ("rowid", "_rowid_", "oid")
"""Other names by which an UPDATE may change an integer primary key."""

ENOUGH_DIGITS = (
    "abs({value}) >= 1e-4 AND abs({value}) < 1e15 AND CAST(replace({short}, '.', '') AS REAL)"
    " / CAST('1e' || (length({short}) - instr({short}, '.')) AS REAL) = {value}"
)
"""Whether 15 digits read back as the same double: a division of exact doubles rounds once.

CAST of the whole text tells it wrongly now and then, as versions before 3.43 do their 17th digit:
where 15 are not enough, 20 are written.
"""


class SqliteDialect:
    """SQLite 3.38 and later."""

    name = "sqlite"
    default_schema: str | None = None
    sealing_options: Mapping[str, object] = {"sqlite_begin": "IMMEDIATE"}
    joins_laterally = False
    canary: Canary = SqliteCanary()

    def quote(self, name: str) -> str:
        """Quote an identifier."""
        return catalog.quote(name)

    def canonical(self, name: str) -> str:
        """Return the table's name: a source is one file."""
        return name

    def describe(self, connection: Connection, spec: TableSpec) -> Subject:
        """Read a table's definition. Raises `TableRefused` for one that cannot be captured."""
        return catalog.describe(connection, spec)

    def definition_stamp(self, connection: Connection, tables: Sequence[str]) -> object:
        """Return the counter that every statement of data definition raises."""
        del tables
        return connection.exec_driver_sql("PRAGMA schema_version").scalar()

    def failing_writes(
        self, dropped: Sequence[str], retyped: Sequence[str], live: Mapping[str, LiveTrigger]
    ) -> str:
        """None: it renames columns in triggers, too, and drops none that a trigger names."""
        del dropped, retyped, live
        return ""

    def triggers(self, subject: Subject, spec: TableSpec, outbox: Outbox) -> TriggerSet:
        """Generate the three triggers of the table."""
        del outbox
        table = subject.table
        record = spec.origin == "record"
        keys = [self.quote(name) for name in table.key]
        full = (
            f"CASE WHEN {_any_differs(keys)} THEN NULL ELSE {self.image('OLD', table.columns)} END"
        )
        bodies: dict[str, str] = {}
        statements: list[str] = []
        for purpose in PURPOSES:
            name = naming.generated_name(table.name, purpose)
            create = render(
                "sqlite",
                purpose,
                trigger=self.quote(name),
                relation=subject.relation,
                condition="" if record else "\nWHEN NOT EXISTS (SELECT 1 FROM outbox_origin)",
                table=_text(table.name),
                image=self.image("c", table.columns),
                old_image=self.image("OLD", table.columns),
                before=full if spec.before == "full" else "NULL",
                is_new=_same("NEW", keys),
                is_old=_same("OLD", keys),
                key_changed=_any_differs(keys),
                keys=", ".join([*keys, *ROWID_NAMES]),
                origin_column=", origin" if record else "",
                origin=", (SELECT max(origin) FROM outbox_origin)" if record else "",
            )
            bodies[name] = create
            statements += [f"DROP TRIGGER IF EXISTS {self.quote(name)}", create]
        return TriggerSet(bodies=bodies, replace=statements)

    def live_triggers(
        self, connection: Connection, table: str, outbox: Outbox
    ) -> dict[str, LiveTrigger]:
        """Return this program's triggers on a table, by trigger name."""
        del outbox
        rows = connection.execute(
            sa.text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :t"),
            {"t": table},
        )
        return {name: LiveTrigger(body) for name, body in rows if naming.is_generated(name)}

    def drop_statements(
        self, connection: Connection, table: str, names: Sequence[str]
    ) -> list[str]:
        """Return the statements that remove these triggers of a table, which may be gone."""
        del connection, table
        return [f"DROP TRIGGER IF EXISTS {self.quote(name)}" for name in names]

    def clean_up_statements(self, table: str, outbox: Outbox) -> list[str]:
        """Nothing else belongs to a table."""
        del table, outbox
        return []

    def in_transaction(self, statements: Sequence[str]) -> list[str]:
        """Wrap statements into a transaction."""
        return ["BEGIN IMMEDIATE", *statements, "COMMIT"]

    def wait_for_turn(self, connection: Connection) -> None:
        """Nothing to wait for: each transaction begins with the database's only write lock."""
        del connection

    def is_busy(self, error: DBAPIError) -> bool:
        """Tell nothing: SQLite has waited long enough when it gives up."""
        del error
        return False

    def lock_for_sealing(self, connection: Connection, outbox: Outbox) -> None:
        """Nothing to do: the sealing transaction began with the database's only write lock."""
        del connection, outbox

    def gap_proof(self) -> SqliteGapProof:
        """Return a proof for one sealer."""
        return SqliteGapProof()

    def coverage(
        self, connection: Connection, subjects: Sequence[Subject], outbox: Outbox
    ) -> list[Finding]:
        """Report what may escape capture, or stand in the way of installing it."""
        return sqlite_coverage.findings(connection, subjects, outbox)

    def image(self, row: str, columns: Sequence[Column]) -> str:
        """Return an expression for the JSON image of some columns of a row."""
        # Text, not json_object(): that takes at most 63 columns, and rounds reals to 15 digits.
        parts = []
        for start in range(0, len(columns), FIELDS_AT_ONCE):
            fields = " UNION ALL ".join(
                f"SELECT {_text(json.dumps(column.name) + ':')} AS f,"
                f" {row}.{self.quote(column.name)} AS v"
                for column in columns[start : start + FIELDS_AT_ONCE]
            )
            parts.append(render("sqlite", "image", value=_value("v"), fields=fields))
        return " || ',' || ".join(parts).join(("'{' || ", " || '}'"))


class SqliteGapProof:
    """One writer at a time: while the sealer holds the write lock, nothing else is in flight."""

    reason = "SQLite has one writer, and it was the sealer"
    dead_when_seen = True

    def before_reading(self, connection: Connection, *, open_gaps: bool) -> None:
        """Nothing to look at."""
        del connection, open_gaps

    def horizon_now(self, connection: Connection) -> int | None:
        """Return a horizon that has passed already."""
        del connection
        return 0

    def horizon_before(self) -> int | None:
        """Every gap was given its horizon when it was found."""
        return None

    def is_dead(self, connection: Connection, horizon: int | None) -> bool:
        """Every gap is dead when seen."""
        del connection
        return horizon is not None


def _same(row: str, keys: Sequence[str]) -> str:
    # The first comparison finds the row through the key's index, whatever its collation; the
    # second is exact, as keys are in other databases.
    return " AND ".join(
        f"c.{key} IS {row}.{key} AND c.{key} IS {row}.{key} COLLATE BINARY" for key in keys
    )


def _any_differs(keys: Sequence[str]) -> str:
    changed = " OR ".join(f"OLD.{key} IS NOT NEW.{key} COLLATE BINARY" for key in keys)
    return f"({changed})"


def _value(value: str) -> str:
    short = f"printf('%!.15g', {value})"
    enough = ENOUGH_DIGITS.format(value=value, short=short)
    return (
        f"CASE typeof({value})"
        f" WHEN 'blob' THEN '\"\\\\x' || lower(hex({value})) || '\"'"
        f" WHEN 'real' THEN CASE {value} WHEN 9e999 THEN '\"Infinity\"'"
        f" WHEN -9e999 THEN '\"-Infinity\"' ELSE"
        f" CASE WHEN {value} = 0 OR {enough} THEN {short}"
        f" ELSE printf('%!.20g', {value}) END END"
        f" WHEN 'text' THEN json_quote(CASE WHEN substr({value}, 1, 1) = '\\'"
        f" OR {value} || '' IN ('Infinity', '-Infinity') THEN '\\' || {value} ELSE {value} END)"
        f" ELSE json_quote({value}) END"
    )


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
