"""PostgreSQL: statement-level triggers with transition tables, row-level where those fall short."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from triggers import naming
from triggers.dialects import postgresql_catalog as catalog
from triggers.dialects import postgresql_coverage
from triggers.dialects.base import Finding, Form, LiveTrigger, Subject, TriggerSet
from triggers.dialects.postgresql_gap import PostgresqlGapProof
from triggers.model import Column, Kind, TableSpec
from triggers.outbox import Outbox
from triggers.templates import render

NOT_MARKED = (
    "coalesce(pg_catalog.current_setting('outbox.origin', true), '') OPERATOR(pg_catalog.=) ''"
)

ORIGIN = ", nullif(pg_catalog.current_setting('outbox.origin', true), '')"

SETTINGS = {
    "timezone": "\nSET timezone = 'UTC'",
    "float": "\nSET extra_float_digits = 1",
    "interval": "\nSET intervalstyle = 'postgres'",
    "bytea": "\nSET bytea_output = 'hex'",
    "date": "\nSET datestyle = 'ISO, YMD'",
}
"""Session settings that change how values of some types are printed; fixed inside the function."""


class PostgresqlDialect:
    """PostgreSQL 13 and later."""

    name = "postgresql"
    default_schema: str | None = "outbox"
    transactional_ddl = True
    sealing_options: Mapping[str, object] = {"isolation_level": "REPEATABLE READ"}

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

    def triggers(self, subject: Subject, spec: TableSpec, outbox: Outbox) -> TriggerSet:
        """Generate one function for the table, and the triggers that call it."""
        table = subject.table
        function = self._function(table.name, outbox)
        body = self._body(subject, spec, outbox)
        settings = "".join(SETTINGS[name] for name in _settings_for(table.columns))
        if settings:
            settings += "\nSET search_path = pg_catalog, pg_temp"
        statements = [
            render(
                "postgresql",
                "function",
                function=function,
                settings=settings,
                body=_text(body),
            )
        ]
        bodies = {}
        marked = "" if spec.origin == "record" else NOT_MARKED
        for purpose, event, level, referencing, condition in _events(subject):
            name = _trigger_name(table.name, purpose, subject.form)
            conditions = " AND ".join(part for part in (condition, marked) if part)
            statements.append(
                render(
                    "postgresql",
                    "trigger",
                    trigger=self.quote(name),
                    event=event,
                    relation=subject.relation,
                    referencing=f"REFERENCING {referencing}\n" if referencing else "",
                    level=level,
                    condition=f"\nWHEN ({conditions})" if conditions else "",
                    function=function,
                )
            )
            statements.append(
                render(
                    "postgresql",
                    "enable",
                    relation=subject.relation,
                    always="ALWAYS " if spec.always else "",
                    trigger=self.quote(name),
                )
            )
            bodies[name] = body
        return TriggerSet(bodies=bodies, replace=statements)

    def live_triggers(
        self, connection: Connection, table: str, outbox: Outbox
    ) -> dict[str, LiveTrigger]:
        """Return this program's triggers on a table, by trigger name."""
        rows = connection.execute(
            sa.text(
                "SELECT t.tgname, p.prosrc, t.tgenabled FROM pg_catalog.pg_trigger t"
                " JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid"
                " JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace"
                " WHERE t.tgrelid = to_regclass(:relation) AND NOT t.tgisinternal"
                " AND n.nspname = :schema"
            ),
            {"relation": catalog.relation(table), "schema": outbox.schema},
        )
        return {name: LiveTrigger(body, enabled != "D") for name, body, enabled in rows}

    def drop_statements(
        self, connection: Connection, table: str, names: Sequence[str], outbox: Outbox
    ) -> list[str]:
        """Return the statements that remove these triggers and the table's function."""
        relation = catalog.relation(table)
        exists = connection.execute(
            sa.text("SELECT to_regclass(:relation) IS NOT NULL"), {"relation": relation}
        ).scalar_one()
        drops = [
            render("postgresql", "drop_trigger", trigger=self.quote(name), relation=relation)
            for name in names
            if exists
        ]
        function = self._function(table, outbox)
        return [*drops, render("postgresql", "drop_function", function=function)]

    def lock_for_sealing(self, connection: Connection, outbox: Outbox) -> None:
        """Lock the state table: unlike a SELECT, LOCK TABLE takes no snapshot before it waits."""
        state = connection.dialect.identifier_preparer.format_table(outbox.state)
        connection.exec_driver_sql(f"LOCK TABLE {state} IN SHARE ROW EXCLUSIVE MODE")

    def gap_proof(self) -> PostgresqlGapProof:
        """Return a proof for one sealing transaction."""
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

    def _body(self, subject: Subject, spec: TableSpec, outbox: Outbox) -> str:
        assert outbox.schema is not None
        table = subject.table
        record = spec.origin == "record"
        old_row = _image_source(subject, "(SELECT OLD.*)")
        key_changed = "(" + ", ".join(f"OLD.{self.quote(k)}" for k in table.key) + ")"
        key_changed = f"{key_changed} IS DISTINCT FROM {key_changed.replace('OLD.', 'NEW.')}"
        full = f"(SELECT pg_catalog.row_to_json(o) FROM {old_row} o)"
        full = f"CASE WHEN NOT ({key_changed}) THEN {full} END" if spec.before == "full" else "NULL"
        if spec.before == "full" and subject.form is Form.REREAD:
            full = f"CASE WHEN TG_OP OPERATOR(pg_catalog.=) 'UPDATE' THEN {full} END"

        def current(image: str) -> str:
            same = " AND ".join(
                f"c.{self.quote(k)} OPERATOR(pg_catalog.=) {image}.{self.quote(k)}"
                for k in table.key
            )
            rows = f"(SELECT c.* FROM {subject.relation} c WHERE {same})"
            return _image_source(subject, rows)

        values = {
            "outbox": f"{self.quote(outbox.schema)}.outbox_change",
            "table": _text(table.name),
            "origin_column": ", origin" if record else "",
            "origin": ORIGIN if record else "",
            "new_rows": _image_source(subject, "new_rows"),
            "old_rows": _image_source(subject, "old_rows"),
            "new_row": _image_source(subject, "(SELECT NEW.*)"),
            "old_row": old_row,
            "old_image": full,
            "key_changed": key_changed,
            "current_old": current("OLD"),
            "current_new": current("NEW"),
        }
        return "\n" + render("postgresql", subject.form.value, **values) + "\n"


def _trigger_name(table: str, purpose: str, form: Form) -> str:
    name = naming.generated_name(table, purpose)
    # Row triggers fire in the order of their names; an image is best taken before others write.
    return name if form is Form.STATEMENT else f"00_{name}"


def _events(subject: Subject) -> list[tuple[str, str, str, str, str]]:
    """Return (purpose, event, level, referencing, condition) of each trigger."""
    truncate = ("truncate", "TRUNCATE", "STATEMENT", "", "")
    if subject.form is not Form.STATEMENT:
        return [("change", "INSERT OR UPDATE OR DELETE", "ROW", "", ""), truncate]
    old = ", ".join(f"OLD.{catalog.quote(k)}" for k in subject.table.key)
    new = ", ".join(f"NEW.{catalog.quote(k)}" for k in subject.table.key)
    return [
        ("insert", "INSERT", "STATEMENT", "NEW TABLE AS new_rows", ""),
        ("update", "UPDATE", "STATEMENT", "NEW TABLE AS new_rows", ""),
        ("delete", "DELETE", "STATEMENT", "OLD TABLE AS old_rows", ""),
        ("key", "UPDATE", "ROW", "", f"({old}) IS DISTINCT FROM ({new})"),
        truncate,
    ]


def _image_source(subject: Subject, rows: str) -> str:
    """Return a FROM item whose rows are images of `rows`.

    `rows` itself where every column is captured and prints as the wire format wants; otherwise a
    sub-select of the captured columns.
    """
    columns = subject.table.columns
    if not subject.excluded and not any(_cast(column) for column in columns):
        return rows
    fields = ", ".join(
        f"s.{catalog.quote(column.name)}{_cast(column)} AS {catalog.quote(column.name)}"
        for column in columns
    )
    return f"(SELECT {fields} FROM {rows} s)"


def _cast(column: Column) -> str:
    match column.kind:
        case Kind.JSON | Kind.OTHER:
            return "::pg_catalog.text"
        case Kind.DECIMAL if column.native == "money":
            return "::pg_catalog.numeric"
        case _:
            return ""


def _settings_for(columns: Sequence[Column]) -> list[str]:
    kinds = {column.kind for column in columns}
    if kinds & {Kind.ARRAY, Kind.OTHER}:
        return list(SETTINGS)
    wanted = {
        "timezone": Kind.TIMESTAMPTZ,
        "float": Kind.FLOAT,
        "interval": Kind.INTERVAL,
        "bytea": Kind.BYTES,
    }
    return [setting for setting, kind in wanted.items() if kind in kinds]


def _text(value: str) -> str:
    """Quote a string literal (the session has standard_conforming_strings on, its default)."""
    return "'" + value.replace("'", "''") + "'"
