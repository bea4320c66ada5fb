"""What may escape capture on PostgreSQL, or stand in the way of installing it.

Rights and settings here; what concerns single tables in the second half.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from triggers.dialects import postgresql_catalog as catalog
from triggers.dialects.base import Finding, Subject
from triggers.outbox import Outbox

RIGHTS = sa.text("""
SELECT current_user, current_database(), has_database_privilege(current_database(), 'CREATE'),
       n.oid IS NOT NULL,
       has_schema_privilege(n.oid, 'USAGE') AND has_schema_privilege(n.oid, 'CREATE')
FROM (SELECT) AS one LEFT JOIN pg_namespace n ON n.nspname = :schema
""")

OUTBOX_TABLES = sa.text("""
SELECT c.relname, c.relpersistence, s.seqcache, s.seqrelid::regclass::text
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_depend d ON d.refobjid = c.oid AND d.deptype = 'i' AND d.classid = 'pg_class'::regclass
LEFT JOIN pg_sequence s ON s.seqrelid = d.objid
WHERE n.nspname = :schema AND c.relkind = 'r' AND c.relname LIKE 'outbox\\_%'
ORDER BY c.relname
""")

DEFINERS = sa.text("""
SELECT DISTINCT r.rolname
FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_roles r ON r.oid = p.proowner
JOIN pg_trigger t ON t.tgfoid = p.oid
JOIN pg_class c ON c.relname = 'outbox_change' AND c.relnamespace = n.oid
WHERE n.nspname = :schema
  AND NOT (has_schema_privilege(p.proowner, n.oid, 'USAGE')
           AND has_table_privilege(p.proowner, c.oid, 'INSERT'))
""")

REPLICA_BY_DEFAULT = sa.text("""
SELECT coalesce('ROLE ' || quote_ident(r.rolname), 'DATABASE ' || quote_ident(d.datname), 'ALL')
FROM pg_db_role_setting s
LEFT JOIN pg_roles r ON r.oid = s.setrole
LEFT JOIN pg_database d ON d.oid = s.setdatabase
WHERE 'session_replication_role=replica' = ANY (s.setconfig)
  AND (d.datname IS NULL OR d.datname = current_database())
""")

TABLE = sa.text("""
SELECT pg_has_role(c.relowner, 'USAGE') AS owner, o.rolname AS owner_name,
       has_schema_privilege(c.relnamespace, 'USAGE') AS usage,
       has_table_privilege(c.oid, 'TRIGGER') AS trigger,
       has_table_privilege(c.oid, 'SELECT') AS select,
       c.relpersistence = 'u' AS unlogged,
       row_security_active(c.oid) AS filtered,
       c.relkind = 'p' AS partitioned,
       ARRAY(SELECT i.inhrelid::regclass::text FROM pg_inherits i
             JOIN pg_class k ON k.oid = i.inhrelid
             WHERE i.inhparent = c.oid AND NOT k.relispartition ORDER BY 1) AS children,
       EXISTS (SELECT FROM pg_subscription_rel s WHERE s.srrelid = c.oid) AS subscribed,
       EXISTS (SELECT FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
               JOIN pg_namespace n ON n.oid = p.pronamespace
               WHERE t.tgrelid = c.oid AND n.nspname = :schema AND t.tgenabled = 'A') AS always
FROM pg_class c JOIN pg_roles o ON o.oid = c.relowner
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = :table_schema AND c.relname = :table
""")


def findings(connection: Connection, subjects: Sequence[Subject], outbox: Outbox) -> list[Finding]:
    """Report what may escape capture, or stand in the way of installing it."""
    assert outbox.schema is not None
    bound = {"schema": outbox.schema}
    user = connection.execute(sa.text("SELECT current_user")).scalar_one()
    return [
        *_rights(connection, bound),
        *_outbox(connection, bound),
        *_replica_by_default(connection),
        *(f for subject in subjects for f in _table(connection, subject, bound, user)),
    ]


def _rights(connection: Connection, bound: dict[str, str]) -> Iterator[Finding]:
    user, database, create, exists, both = connection.execute(RIGHTS, bound).one()
    schema = catalog.quote(bound["schema"])
    if not exists and not create:
        yield Finding(
            "problem",
            database,
            f"{user} may not create the schema {bound['schema']}",
            f"GRANT CREATE ON DATABASE {catalog.quote(database)} TO {catalog.quote(user)};",
        )
    if exists and not both:
        yield Finding(
            "problem",
            bound["schema"],
            f"{user} may not create tables and functions in the schema {bound['schema']}",
            f"GRANT USAGE, CREATE ON SCHEMA {schema} TO {catalog.quote(user)};",
        )


def _outbox(connection: Connection, bound: dict[str, str]) -> Iterator[Finding]:
    schema = catalog.quote(bound["schema"])
    for name, persistence, cache, sequence in connection.execute(OUTBOX_TABLES, bound):
        if persistence == "u":
            yield Finding(
                "problem",
                f"{bound['schema']}.{name}",
                "the table is unlogged: a crash of the server empties it",
                f"ALTER TABLE {schema}.{catalog.quote(name)} SET LOGGED;",
            )
        if cache is not None and cache != 1:
            yield Finding(
                "problem",
                f"{bound['schema']}.{name}",
                f"its sequence hands ids out in lots of {cache}, so that their order says nothing"
                " about the order of changes",
                f"ALTER SEQUENCE {sequence} CACHE 1;",
            )
    for (definer,) in connection.execute(DEFINERS, bound):
        yield Finding(
            "problem",
            bound["schema"],
            f"the triggers write as {definer}, who may not write to the outbox any more:"
            " the application's own statements fail",
            f"GRANT USAGE ON SCHEMA {schema} TO {catalog.quote(definer)};"
            f" GRANT INSERT ON {schema}.outbox_change TO {catalog.quote(definer)};",
        )


def _replica_by_default(connection: Connection) -> Iterator[Finding]:
    for (whom,) in connection.execute(REPLICA_BY_DEFAULT):
        yield Finding(
            "warning",
            whom,
            "sessions begin in replica role, in which ordinary triggers do not fire",
            f"ALTER {whom} RESET session_replication_role;",
        )


def _table(
    connection: Connection, subject: Subject, bound: dict[str, str], user: str
) -> Iterator[Finding]:
    name, relation = subject.table.name, subject.relation
    schema, table = catalog.split_name(name)
    values = {**bound, "table_schema": schema, "table": table}
    row = connection.execute(TABLE, values).mappings().one()
    to_user = f"TO {catalog.quote(user)};"
    if not row["usage"]:
        yield Finding(
            "problem",
            name,
            f"{user} may not use the schema of the table",
            f"GRANT USAGE ON SCHEMA {catalog.quote(schema)} {to_user}",
        )
    missing = [right for right in ("TRIGGER", "SELECT") if not row[right.lower()]]
    if missing:
        yield Finding(
            "problem",
            name,
            f"{user} lacks {' and '.join(missing)} on the table",
            f"GRANT {', '.join(missing)} ON {relation} {to_user}",
        )
    elif not row["owner"]:
        yield Finding(
            "warning",
            name,
            f"{user} does not own the table: installing works, removing a trigger will not",
            f"GRANT {catalog.quote(row['owner_name'])} {to_user}",
        )
    if row["filtered"]:
        yield Finding(
            "problem",
            name,
            f"row-level security hides rows of the table from {user}",
            f"ALTER ROLE {catalog.quote(user)} BYPASSRLS;",
        )
    if row["unlogged"]:
        yield Finding(
            "warning",
            name,
            "the table is unlogged: a crash of the server empties it, and no trigger sees that",
            f"ALTER TABLE {relation} SET LOGGED;",
        )
    if row["children"]:
        yield Finding(
            "problem",
            name,
            f"{', '.join(row['children'])} inherit from the table: their rows show up in it, but"
            " writing to them does not fire its triggers",
            "add them to the route's tables, or turn them into partitions",
        )
    if row["partitioned"]:
        yield Finding(
            "warning",
            name,
            "TRUNCATE of a single partition, DETACH PARTITION and dropping a partition remove rows"
            " that no trigger sees",
            f"DELETE FROM {relation} WHERE ...; before the partition goes",
        )
    if row["subscribed"] and not row["always"]:
        yield Finding(
            "warning",
            name,
            "a subscription writes to the table in replica role, in which ordinary triggers do not"
            " fire",
            "set `always = true` for the table, then: replicator triggers install",
        )
