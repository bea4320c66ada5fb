"""PostgreSQL: statement-level triggers with transition tables, row-level where those fall short."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from triggers import naming
from triggers.dialects import postgresql_catalog as catalog
from triggers.dialects import postgresql_coverage
from triggers.dialects.base import Canary, Finding, Form, LiveTrigger, Subject, TriggerSet
from triggers.dialects.postgresql_canary import PostgresqlCanary
from triggers.dialects.postgresql_function import function_body, text
from triggers.dialects.postgresql_gap import PostgresqlGapProof
from triggers.model import TableSpec
from triggers.outbox import Outbox
from triggers.templates import render

LONGEST_WAIT_SECONDS = 3
"""While an installation waits for a table, the application's new statements wait behind it."""

ALWAYS = "-- fires in every session, replica role or not"
"""Added to the body of a trigger that is enabled as ALWAYS, to tell it from one that is not."""


class PostgresqlDialect:
    """PostgreSQL 14 and later."""

    name = "postgresql"
    default_schema: str | None = "outbox"
    sealing_options: Mapping[str, object] = {"isolation_level": "REPEATABLE READ"}
    joins_laterally = True
    canary: Canary = PostgresqlCanary()

    def quote(self, name: str) -> str:
        """Quote an identifier."""
        return catalog.quote(name)

    def canonical(self, name: str) -> str:
        """Return `schema.table`; a name without schema is in `public`."""
        schema, table = catalog.split_name(name)
        return f"{catalog.written(schema)}.{catalog.written(table)}"

    def describe(self, connection: Connection, spec: TableSpec) -> Subject:
        """Read a table's definition. Raises `TableRefused` for one that cannot be captured."""
        return catalog.describe(connection, spec, self.canonical(spec.name))

    def definition_stamp(self, connection: Connection, tables: Sequence[str]) -> object:
        """Return the names and types of the tables' columns."""
        named = [catalog.split_name(table) for table in tables]
        wanted = {"schemas": [schema for schema, _ in named], "names": [name for _, name in named]}
        return connection.execute(catalog.DEFINITIONS, wanted).all()

    def failing_writes(
        self, dropped: Sequence[str], retyped: Sequence[str], live: Mapping[str, LiveTrigger]
    ) -> str:
        """It depends on whether a session has planned the function's statements before.

        A function without a column that needs a special form names none but the key's.
        """
        names = [f"s.{self.quote(name)}" for name in dropped]
        if any(name in trigger.body for name in names for trigger in live.values()):
            return "writes to the table fail in sessions that have begun since"
        if retyped and live:
            return "writes to the table fail in sessions that had written to it before"
        return ""

    def triggers(self, subject: Subject, spec: TableSpec, outbox: Outbox) -> TriggerSet:
        """Generate one function for the table, and the triggers that call it."""
        table = subject.table
        function = self._function(table.name, outbox)
        body = function_body(subject, spec, outbox)
        statements = [
            render(
                "postgresql",
                "function",
                function=function,
                body=text(body),
            )
        ]
        bodies = {}
        for purpose, event, level, referencing, condition in _events(subject):
            name = _trigger_name(table.name, purpose)
            statements.append(
                render(
                    "postgresql",
                    "trigger",
                    trigger=self.quote(name),
                    event=event,
                    relation=subject.relation,
                    referencing=f"REFERENCING {referencing}\n" if referencing else "",
                    level=level,
                    condition=f"\nWHEN ({condition})" if condition else "",
                    function=function,
                )
            )
            if spec.always:
                statements.append(
                    render(
                        "postgresql",
                        "enable_always",
                        relation=subject.relation,
                        trigger=self.quote(name),
                    )
                )
            bodies[name] = body + ALWAYS if spec.always else body
        return TriggerSet(bodies=bodies, replace=statements)

    def live_triggers(
        self, connection: Connection, table: str, outbox: Outbox
    ) -> dict[str, LiveTrigger]:
        """Return this program's triggers on a table, by trigger name."""
        found = catalog.find(connection, table)
        if found is None:
            return {}
        rows = connection.execute(
            sa.text(
                "SELECT t.tgname, p.prosrc, t.tgenabled FROM pg_catalog.pg_trigger t"
                " JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid"
                " JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace"
                " WHERE t.tgrelid = :oid AND NOT t.tgisinternal AND n.nspname = :schema"
            ),
            {"oid": found[0], "schema": outbox.schema},
        )
        return {
            name: LiveTrigger(body + ALWAYS if enabled == "A" else body, enabled in "OA")
            for name, body, enabled in rows
        }

    def drop_statements(
        self, connection: Connection, table: str, names: Sequence[str]
    ) -> list[str]:
        """Return the statements that remove these triggers of a table, which may be gone."""
        if catalog.find(connection, table) is None:
            return []
        relation = catalog.relation(table)
        return [
            render("postgresql", "drop_trigger", trigger=self.quote(name), relation=relation)
            for name in names
        ]

    def clean_up_statements(self, table: str, outbox: Outbox) -> list[str]:
        """Return the statement that removes the table's function."""
        return [render("postgresql", "drop_function", function=self._function(table, outbox))]

    def in_transaction(self, statements: Sequence[str]) -> list[str]:
        """Wrap statements into a transaction."""
        return ["BEGIN", *statements, "COMMIT"]

    def wait_for_turn(self, connection: Connection) -> None:
        """Take a lock of the session, then limit how long it waits for tables."""
        connection.exec_driver_sql("SELECT pg_advisory_lock(hashtext('outbox installation'))")
        connection.exec_driver_sql(f"SET lock_timeout = '{LONGEST_WAIT_SECONDS}s'")

    def is_busy(self, error: DBAPIError) -> bool:
        """Tell whether a lock timed out, or a deadlock was broken."""
        return getattr(error.orig, "sqlstate", None) in ("55P03", "40P01")

    def lock_for_sealing(self, connection: Connection, outbox: Outbox) -> None:
        """Lock the state table: unlike a SELECT, LOCK TABLE takes no snapshot before it waits."""
        state = connection.dialect.identifier_preparer.format_table(outbox.state)
        connection.exec_driver_sql(f"LOCK TABLE {state} IN SHARE ROW EXCLUSIVE MODE")

    def gap_proof(self) -> PostgresqlGapProof:
        """Return a proof for one sealer."""
        return PostgresqlGapProof()

    def coverage(
        self, connection: Connection, subjects: Sequence[Subject], outbox: Outbox
    ) -> list[Finding]:
        """Report what may escape capture, or stand in the way of installing it."""
        return postgresql_coverage.findings(connection, subjects, outbox)

    def _function(self, table: str, outbox: Outbox) -> str:
        assert outbox.schema is not None
        name = naming.generated_name(table, "capture")
        return f"{self.quote(outbox.schema)}.{self.quote(name)}"


def _trigger_name(table: str, purpose: str) -> str:
    # Triggers fire in the order of their names. The row goes into the outbox before the rows that
    # the application's own triggers write because of it.
    return "00_" + naming.generated_name(table, purpose)


def _events(subject: Subject) -> list[tuple[str, str, str, str, str]]:
    """Return (purpose, event, level, referencing, condition) of each trigger."""
    truncate = ("truncate", "TRUNCATE", "STATEMENT", "", "")
    if subject.form is not Form.STATEMENT:
        return [("change", "INSERT OR UPDATE OR DELETE", "ROW", "", ""), truncate]
    keys = [catalog.quote(name) for name in subject.table.key]
    old = ", ".join(f"OLD.{key}" for key in keys)
    new = ", ".join(f"NEW.{key}" for key in keys)
    named = "" if subject.keys_change_unnamed else f" OF {', '.join(keys)}"
    return [
        ("insert", "INSERT", "STATEMENT", "NEW TABLE AS new_rows", ""),
        ("update", "UPDATE", "STATEMENT", "NEW TABLE AS new_rows", ""),
        ("delete", "DELETE", "STATEMENT", "OLD TABLE AS old_rows", ""),
        ("key", f"UPDATE{named}", "ROW", "", f"pg_catalog.record_image_ne(ROW({old}), ROW({new}))"),
        truncate,
    ]
