"""MySQL and MariaDB: one row-level trigger per operation."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from triggers import naming
from triggers.dialects import mysql_catalog as catalog
from triggers.dialects import mysql_coverage
from triggers.dialects.base import Canary, Finding, LiveTrigger, Subject, TriggerSet
from triggers.dialects.mysql_canary import SESSION, MysqlCanary
from triggers.dialects.mysql_gap import MysqlGapProof
from triggers.model import INCOMPLETE, Column, Kind, Table, TableSpec
from triggers.outbox import Outbox
from triggers.templates import render

LONGEST_WAIT_SECONDS = 3
"""While an installation waits for a table, the application's new statements wait behind it."""

BYTES_MARK = "\\x"
TOO_LARGE = "the row is larger than max_allowed_packet of the source"
SHORT = 4096  # characters: their value stays within the smallest sensible max_allowed_packet
PURPOSES = ("insert", "update", "delete")


class MysqlDialect:
    """MySQL 8.0 and later, InnoDB."""

    name = "mysql"
    default_schema: str | None = None
    sealing_options: Mapping[str, object] = {"isolation_level": "REPEATABLE READ"}
    joins_laterally = False
    canary: Canary = MysqlCanary()

    def quote(self, name: str) -> str:
        """Quote an identifier."""
        return catalog.quote(name)

    def canonical(self, name: str) -> str:
        """Return the table's name: every table of a source is in the database of its URL."""
        return name

    def describe(self, connection: Connection, spec: TableSpec) -> Subject:
        """Read a table's definition. Raises `TableRefused` for one that cannot be captured."""
        return catalog.describe(connection, spec)

    def definition_stamp(self, connection: Connection, tables: Sequence[str]) -> object:
        """Return the names and types of the tables' columns."""
        return connection.execute(catalog.DEFINITIONS, {"tables": list(tables)}).all()

    def failing_writes(
        self, dropped: Sequence[str], retyped: Sequence[str], live: Mapping[str, LiveTrigger]
    ) -> str:
        """All, after a column was dropped or renamed that a trigger names."""
        del retyped
        return "every write to the table fails" if dropped and live else ""

    def triggers(self, subject: Subject, spec: TableSpec, outbox: Outbox) -> TriggerSet:
        """Generate the three triggers of the table."""
        table = subject.table
        record = spec.origin == "record"
        key_changed = " OR ".join(
            f"NOT ({self._exact('OLD', table.column(k))} <=> {self._exact('NEW', table.column(k))})"
            for k in table.key
        )
        created: dict[str, str] = {}
        for purpose in PURPOSES:
            create = render(
                "mysql",
                purpose,
                or_replace=self._or_replace,
                trigger="{trigger}",
                relation=subject.relation,
                outbox=outbox.change.name,
                wanted="TRUE" if record else "@outbox_origin IS NULL",
                key_changed=key_changed,
                table=catalog.text(table.name),
                old_image=self.image("OLD", table),
                new_image=self.image("NEW", table),
                before=self.image("OLD", table) if spec.before == "full" else "NULL",
                origin_column=", origin" if record else "",
                origin=", @outbox_origin" if record else "",
            )
            name = self._name(table.name, purpose, create)
            created[name] = create.replace("{trigger}", self.quote(name), 1)
        return TriggerSet(
            bodies={name: _body(create) for name, create in created.items()},
            replace=[SESSION, *self._replacing(subject, created)],
            finish=self._finish,
        )

    def live_triggers(
        self, connection: Connection, table: str, outbox: Outbox
    ) -> dict[str, LiveTrigger]:
        """Return this program's triggers on a table, by trigger name."""
        del outbox
        names = connection.execute(
            sa.text(
                "SELECT trigger_name FROM information_schema.triggers"
                " WHERE trigger_schema = DATABASE() AND event_object_table = :table"
            ),
            {"table": table},
        ).scalars()
        live = {}
        for name in [name for name in names if naming.is_generated(name)]:
            # information_schema's action_statement is not the original: backticks get lost in it.
            shown = connection.exec_driver_sql(f"SHOW CREATE TRIGGER {self.quote(name)}").one()
            live[name] = LiveTrigger(_body(shown[2]))
        return live

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
        """Return the statements as they are: DDL commits by itself."""
        return list(statements)

    def wait_for_turn(self, connection: Connection) -> None:
        """Take a lock of the session, then limit how long it waits for tables."""
        lock = "SELECT GET_LOCK(CONCAT('outbox_', MD5(DATABASE())), 3600)"
        connection.exec_driver_sql(lock)
        connection.exec_driver_sql(f"SET SESSION lock_wait_timeout = {LONGEST_WAIT_SECONDS}")

    def is_busy(self, error: DBAPIError) -> bool:
        """Tell whether a lock timed out, or a deadlock was broken."""
        return error.orig is not None and error.orig.args[0] in (1205, 1213)

    def lock_for_sealing(self, connection: Connection, outbox: Outbox) -> None:
        """Lock the state row; a locking read does not open the transaction's read view."""
        connection.execute(sa.select(outbox.state.c.id).with_for_update())

    def gap_proof(self) -> MysqlGapProof:
        """Return a proof for one sealer."""
        return MysqlGapProof()

    def coverage(
        self, connection: Connection, subjects: Sequence[Subject], outbox: Outbox
    ) -> list[Finding]:
        """Report what may escape capture, or stand in the way of installing it."""
        del outbox
        return mysql_coverage.findings(connection, subjects, self._more_rights)

    def image(self, row: str, table: Table) -> str:
        """Return an expression for the JSON image of a row's captured columns."""
        # Where a function's result is larger than max_allowed_packet it is NULL, with a warning.
        whole = self._object(row, table.columns)
        marked = self._object(row, [table.column(name) for name in table.key], TOO_LARGE)
        long = [column for column in table.columns if _is_long(column)]
        image = f"COALESCE({whole}, {marked})"
        if not long:
            return image
        lost = " OR ".join(self._is_lost(row, column) for column in long)
        return f"CASE WHEN {lost} THEN {marked} ELSE {image} END"

    _or_replace = ""
    _float = "{}"  # JSON_OBJECT widens a FLOAT to a double before it prints it

    _finish: Sequence[str] = ("UNLOCK TABLES",)
    _more_rights: Sequence[str] = ("LOCK TABLES",)

    def _name(self, table: str, purpose: str, create: str) -> str:
        # MySQL cannot replace a trigger. The new one gets a name of its own, so that it can be
        # created before the old one is dropped: there is none at no time, whatever fails when.
        digest = hashlib.sha256(create.encode()).hexdigest()[:6]
        return naming.generated_name(table, f"{purpose}_{digest}")

    def _replacing(self, subject: Subject, created: Mapping[str, str]) -> list[str]:
        # The lock keeps writers out while there are two: a change would be logged twice.
        statements = [f"LOCK TABLES {subject.relation} WRITE"]
        for name, create in created.items():
            statements += [f"DROP TRIGGER IF EXISTS {self.quote(name)}", create]
        return statements

    def _exact(self, row: str, column: Column) -> str:
        value = f"{row}.{self.quote(column.name)}"
        # Under a case-insensitive collation 'a' and 'A' are equal, and yet another key elsewhere.
        return f"CAST({value} AS BINARY)" if column.kind in (Kind.TEXT, Kind.ENUM) else value

    def _object(self, row: str, columns: Sequence[Column], incomplete: str = "") -> str:
        members = [(column.name, self._value(row, column)) for column in columns]
        if incomplete:
            members.append((INCOMPLETE, catalog.text(incomplete)))
        return f"JSON_OBJECT({', '.join(f'{catalog.text(n)}, {v}' for n, v in members)})"

    def _is_lost(self, row: str, column: Column) -> str:
        value = f"{row}.{self.quote(column.name)}"
        if column.kind is Kind.JSON:  # its text is not made only to be measured
            most = f"JSON_STORAGE_SIZE({value}) * 8"
        else:
            most = f"LENGTH({value}) * 4"
        return f"{most} > @@max_allowed_packet AND {self._value(row, column)} IS NULL"

    def _value(self, row: str, column: Column) -> str:
        value = f"{row}.{self.quote(column.name)}"
        match column.kind:
            case Kind.BYTES:
                return f"CONCAT({catalog.text(BYTES_MARK)}, LOWER(HEX({value})))"
            case Kind.GEOMETRY:
                return f"LOWER(HEX({value}))"
            case Kind.BIT:
                return f"{value} + 0"
            case Kind.INTEGER | Kind.DECIMAL | Kind.FLOAT if _has_leading_zeros(column):
                return f"{value} + 0"
            case Kind.FLOAT:
                return self._float.format(value)
            case Kind.INTEGER | Kind.DECIMAL:
                return value
            case Kind.TEXT | Kind.ENUM | Kind.JSON:
                # CONCAT makes it a plain string: MariaDB embeds JSON columns as documents.
                return f"CONCAT(CONVERT({value} USING utf8mb4), '')"
            case Kind.TIMESTAMPTZ:
                return (
                    # Of the zero time in a trigger, MySQL makes 0 and MariaDB makes NULL.
                    f"CASE WHEN COALESCE(UNIX_TIMESTAMP({value}), 0) = 0 THEN CAST({value} AS CHAR)"
                    f" ELSE CONCAT(CAST(TIMESTAMP'1970-01-01 00:00:00.000000'"
                    f" + INTERVAL UNIX_TIMESTAMP({value}) SECOND AS CHAR), '+00:00') END"
                )
            case _:
                return f"CAST({value} AS CHAR)"


class MariadbDialect(MysqlDialect):
    """MariaDB 10.6 and later, InnoDB."""

    name = "mariadb"
    _or_replace = "OR REPLACE "
    _float = "CAST({} AS DOUBLE)"

    _finish: Sequence[str] = ()
    _more_rights: Sequence[str] = ()

    def _name(self, table: str, purpose: str, create: str) -> str:
        del create
        return naming.generated_name(table, purpose)

    def _replacing(self, subject: Subject, created: Mapping[str, str]) -> list[str]:
        del subject
        return list(created.values())

    def _object(self, row: str, columns: Sequence[Column], incomplete: str = "") -> str:
        # JSON_OBJECT wants eight times the room that hexadecimal takes, for escapes it has none of.
        large = [column for column in columns if column.kind is Kind.BYTES and _is_long(column)]
        others = [column for column in columns if column not in large]
        start = super()._object(row, others, incomplete)
        if not large:
            return start
        parts = [f"TRIM(TRAILING '}}' FROM {start})"]
        comma = ", " if others or incomplete else ""
        for column in large:
            quoted = [catalog.text(text) for text in ('"\\\\x', '"')]
            value = f"LOWER(HEX({row}.{self.quote(column.name)}))"
            parts += [
                catalog.text(f"{comma}{json.dumps(column.name, ensure_ascii=False)}: "),
                f"COALESCE(CONCAT({quoted[0]}, {value}, {quoted[1]}), 'null')",
            ]
            comma = ", "
        return f"CONCAT({', '.join(parts)}, '}}')"


def _is_long(column: Column) -> bool:
    """Tell whether a value may be too long for one string."""
    if column.kind in (Kind.TEXT, Kind.BYTES):
        return (column.length or 0) > SHORT
    return column.kind in (Kind.JSON, Kind.GEOMETRY)


def _has_leading_zeros(column: Column) -> bool:
    """Tell whether MariaDB's JSON_OBJECT prints numbers that are not JSON."""
    return "zerofill" in column.native or column.native.startswith("year")


def _body(statement: str) -> str:
    return statement[statement.index("BEGIN") :]
