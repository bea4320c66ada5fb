"""What may escape capture on MySQL and MariaDB, or stand in the way of installing it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import sqlalchemy as sa
from sqlalchemy import Connection

from triggers.dialects import mysql_catalog as catalog
from triggers.dialects.base import Finding, Subject
from triggers.dialects.mysql_grants import Grants, read_grants

NEEDED = ("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "INDEX", "TRIGGER")
MAY_CREATE_TRIGGERS = ("SUPER", "SET_USER_ID", "SET_ANY_DEFINER", "BINLOG ADMIN")

SETTINGS = sa.text(
    "SELECT DATABASE(), @@log_bin, @@log_bin_trust_function_creators,"
    " @@GLOBAL.auto_increment_increment"
)

CASCADES = sa.text(
    "SELECT k.constraint_name, k.referenced_table_name, r.delete_rule, r.update_rule,"
    " k.column_name, k.referenced_column_name"
    " FROM information_schema.key_column_usage k"
    " JOIN information_schema.referential_constraints r"
    " ON r.constraint_schema = k.constraint_schema AND r.constraint_name = k.constraint_name"
    " AND r.table_name = k.table_name"
    " WHERE k.table_schema = DATABASE() AND k.table_name = :table"
    " AND k.referenced_table_name IS NOT NULL"
    " AND (r.delete_rule IN ('CASCADE', 'SET NULL', 'SET DEFAULT')"
    " OR r.update_rule IN ('CASCADE', 'SET NULL', 'SET DEFAULT'))"
    " ORDER BY k.constraint_name, k.ordinal_position"
)

DEFINERS = sa.text(
    "SELECT DISTINCT definer FROM information_schema.triggers"
    " WHERE trigger_schema = DATABASE() AND trigger_name LIKE 'outbox\\_%'"
)

ACCOUNT = sa.text("SELECT COUNT(*) FROM mysql.user WHERE user = :user AND host = :host")


def findings(
    connection: Connection, subjects: Sequence[Subject], more_rights: Sequence[str]
) -> list[Finding]:
    """Report what may escape capture, or stand in the way of installing it."""
    grants = read_grants(connection)
    database, log_bin, trusted, increment = connection.execute(SETTINGS).one()
    return [
        *_rights(grants, database, subjects, [*NEEDED, *more_rights]),
        *_settings(grants, database, bool(log_bin) and not trusted, increment),
        *_definers(connection, grants),
        *_truncate(database, subjects),
        *(f for subject in subjects for f in _cascades(connection, subject)),
    ]


def _rights(
    grants: Grants, database: str, subjects: Sequence[Subject], needed: Sequence[str]
) -> Iterator[Finding]:
    missing = [
        right
        for right in needed
        if not grants.on_database(right, database)
        and not (
            right == "TRIGGER"
            and all(grants.on_table(right, database, s.table.name) for s in subjects)
        )
    ]
    if missing:
        yield Finding(
            "problem",
            database,
            f"{grants.account} lacks {', '.join(missing)} on the database",
            f"GRANT {', '.join(missing)} ON {catalog.quote(database)}.* TO {grants.account};",
        )


def _settings(grants: Grants, database: str, guarded: bool, increment: int) -> Iterator[Finding]:
    if guarded and not any(grants.everywhere(right) for right in MAY_CREATE_TRIGGERS):
        yield Finding(
            "problem",
            database,
            f"the binary log is on, and {grants.account} may not create triggers then (error 1419)",
            "SET GLOBAL log_bin_trust_function_creators = 1;",
        )
    if not grants.everywhere("PROCESS"):
        yield Finding(
            "warning",
            database,
            f"{grants.account} may not see other accounts' transactions, so that the gaps which"
            " rolled back transactions leave stay open longer (nothing is lost)",
            f"GRANT PROCESS ON *.* TO {grants.account};",
        )
    if increment > 1:
        yield Finding(
            "warning",
            database,
            f"auto_increment_increment is {increment}: every outbox id but one in {increment} is a"
            " gap that has to be watched",
            "SET GLOBAL auto_increment_increment = 1; (not on a multi-primary cluster)",
        )


def _definers(connection: Connection, grants: Grants) -> Iterator[Finding]:
    for (definer,) in connection.execute(DEFINERS):
        user, _at, host = definer.rpartition("@")
        account = f"'{user}'@'{host}'"
        if account == grants.account:
            continue
        try:
            known = connection.execute(ACCOUNT, {"user": user, "host": host}).scalar_one()
        except sa.exc.DBAPIError:
            yield Finding(
                "unknown",
                definer,
                f"{grants.account} may not see whether the account that the triggers write as"
                " still exists",
                f"GRANT SELECT ON mysql.user TO {grants.account};",
            )
            continue
        if not known:
            yield Finding(
                "problem",
                definer,
                "the account that the triggers write as does not exist any more (error 1449):"
                " the application's own statements fail",
                f"CREATE USER {account} ACCOUNT LOCK; GRANT SELECT, INSERT, TRIGGER"
                f" ON {catalog.quote(connection.engine.url.database or '')}.* TO {account};",
            )


def _truncate(database: str, subjects: Sequence[Subject]) -> Iterator[Finding]:
    if subjects:
        yield Finding(
            "warning",
            database,
            "TRUNCATE TABLE fires no trigger: rows that it removes stay in the targets",
            f"let the application write: DELETE FROM {subjects[0].relation}; (and so on)",
        )


def _cascades(connection: Connection, subject: Subject) -> Iterator[Finding]:
    table, relation = subject.table.name, subject.relation
    rows = connection.execute(CASCADES, {"table": table})
    for name, group in groupby(rows, lambda row: row[0]):
        parts = list(group)
        _name, parent, on_delete, on_update, _column, _referred = parts[0]
        columns = ", ".join(catalog.quote(part[4]) for part in parts)
        referred = ", ".join(catalog.quote(part[5]) for part in parts)
        yield Finding(
            "problem",
            table,
            f"the foreign key {name} changes rows of {table} when {parent} changes (ON DELETE"
            f" {on_delete}, ON UPDATE {on_update}), and InnoDB fires no trigger for that",
            f"ALTER TABLE {relation} DROP FOREIGN KEY {catalog.quote(name)};"
            f" ALTER TABLE {relation} ADD CONSTRAINT {catalog.quote(name)} FOREIGN KEY ({columns})"
            f" REFERENCES {catalog.quote(parent)} ({referred});"
            f" -- and change {table} first in the application, or in a BEFORE trigger on {parent}",
        )
