"""Reading table definitions from PostgreSQL's catalogs."""

from __future__ import annotations

import re

import sqlalchemy as sa
from sqlalchemy import Connection

from triggers.dialects.base import Form, Subject
from triggers.dialects.postgresql_columns import read_columns
from triggers.errors import TableRefused
from triggers.keys import choose_key, keep_columns
from triggers.model import ForeignKey, Table, TableSpec

# With the operator by which the index tells equal keys: a key's type may come from any schema.
UNIQUE_KEYS = """
SELECT c.relname, i.indisprimary,
       array_agg(a.attname::text ORDER BY k.place), bool_and(a.attnotnull),
       array_agg(format('OPERATOR(%I.%s)', n.nspname, o.oprname) ORDER BY k.place)
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
CROSS JOIN LATERAL unnest(i.indkey::int2[], i.indclass::oid[])
  WITH ORDINALITY AS k (attnum, class, place)
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
JOIN pg_opclass l ON l.oid = k.class
JOIN pg_amop m ON m.amopfamily = l.opcfamily AND m.amopstrategy = 3
 AND m.amoplefttype = l.opcintype AND m.amoprighttype = l.opcintype
JOIN pg_operator o ON o.oid = m.amopopr
JOIN pg_namespace n ON n.oid = o.oprnamespace
WHERE i.indrelid = :oid AND i.indisunique AND i.indisvalid
  AND i.indpred IS NULL AND i.indexprs IS NULL AND k.place <= i.indnkeyatts
GROUP BY c.relname, i.indisprimary
ORDER BY i.indisprimary DESC, c.relname
"""

FOREIGN_KEYS = """
SELECT n.nspname, f.relname, c.confdeltype, c.confupdtype,
       (SELECT array_agg(a.attname::text ORDER BY k.place)
        FROM unnest(c.conkey) WITH ORDINALITY AS k (attnum, place)
        JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum),
       (SELECT array_agg(a.attname::text ORDER BY k.place)
        FROM unnest(c.confkey) WITH ORDINALITY AS k (attnum, place)
        JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.attnum)
FROM pg_constraint c
JOIN pg_class f ON f.oid = c.confrelid
JOIN pg_namespace n ON n.oid = f.relnamespace
WHERE c.contype = 'f' AND c.conrelid = :oid AND c.conparentid = 0
ORDER BY c.conname
"""

DEFINITIONS = sa.text("""
SELECT a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN unnest(CAST(:schemas AS text[]), CAST(:names AS text[])) AS wanted (nspname, relname)
  ON wanted.nspname = n.nspname AND wanted.relname = c.relname
WHERE a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
""")

# tgtype: 1 = row level, 2 = BEFORE, 16 = UPDATE, 64 = INSTEAD OF
OTHER_ROW_TRIGGERS = """
SELECT COALESCE(bool_or(t.tgtype & 66 = 0), false),
       COALESCE(bool_or(t.tgtype & 18 = 18), false)
FROM pg_trigger t
JOIN pg_proc p ON p.oid = t.tgfoid
WHERE t.tgrelid = :oid AND NOT t.tgisinternal AND t.tgtype & 1 = 1
  AND p.proname NOT LIKE 'outbox\\_capture\\_%'
"""

INHERITS = """
SELECT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = :oid)
"""

PART = r'"(?:[^"]|"")+"|[^".]+'
NAME = re.compile(rf"(?:(?P<schema>{PART})\.)?(?P<table>{PART})")

ACTIONS = {
    "a": "NO ACTION",
    "r": "RESTRICT",
    "c": "CASCADE",
    "n": "SET NULL",
    "d": "SET DEFAULT",
}


def quote(name: str) -> str:
    """Quote an identifier."""
    return '"' + name.replace('"', '""') + '"'


def written(part: str) -> str:
    """Write one part of a canonical name: quoted only when it holds a dot or a quote."""
    return quote(part) if re.search(r'[."]', part) else part


def split_name(name: str) -> tuple[str, str]:
    """Split `schema.table`; parts that hold dots or quotes are written in double quotes.

    A name without a schema is in `public`. Raises `TableRefused` for anything else.
    """
    found = NAME.fullmatch(name)
    if found is None:
        raise TableRefused(
            f"{name!r} is not a table name",
            "write schema.table; a part that holds a dot goes in double quotes: 'public.\"a.b\"'",
        )
    schema, table = (_unquoted(part) for part in (found["schema"] or "public", found["table"]))
    return schema, table


def _unquoted(part: str) -> str:
    return part[1:-1].replace('""', '"') if part.startswith('"') else part


def relation(canonical: str) -> str:
    """Return the quoted, qualified form of a canonical name."""
    schema, table = split_name(canonical)
    return f"{quote(schema)}.{quote(table)}"


def find(connection: Connection, canonical: str) -> tuple[int, str] | None:
    """Return a table's oid and relkind; needs no right to its schema, unlike to_regclass."""
    schema, table = split_name(canonical)
    query = sa.text(
        "SELECT c.oid, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = :schema AND c.relname = :table"
    )
    row = connection.execute(query, {"schema": schema, "table": table}).one_or_none()
    return None if row is None else (row.oid, row.relkind)


def describe(connection: Connection, spec: TableSpec, canonical: str) -> Subject:
    """Read a table's definition. Raises `TableRefused` for one that cannot be captured."""
    found = find(connection, canonical)
    if found is None:
        raise TableRefused(
            f"table {canonical} does not exist in the source",
            "correct the name (schema.table, case as stored) or create the table",
        )
    oid, kind = found
    bound = {"oid": oid}
    if kind not in ("r", "p"):
        raise TableRefused(f"{canonical} is not a table", "only ordinary tables can be captured")
    columns = read_columns(connection, oid)
    indexes = connection.execute(sa.text(UNIQUE_KEYS), bound).all()
    keys = [
        (name, tuple(names), primary, not_null)
        for name, primary, names, not_null, _equals in indexes
    ]
    key = choose_key(canonical, spec, keys)
    equals = {tuple(names): tuple(operators) for _i, _p, names, _n, operators in indexes}[key]
    foreign = tuple(
        ForeignKey(
            columns=tuple(names),
            table=f"{written(schema)}.{written(name)}",
            referred=tuple(referred),
            on_delete=ACTIONS[on_delete],
            on_update=ACTIONS[on_update],
        )
        for schema, name, on_delete, on_update, names, referred in connection.execute(
            sa.text(FOREIGN_KEYS), bound
        )
    )
    after, before_update = connection.execute(sa.text(OTHER_ROW_TRIGGERS), bound).one()
    inherits = connection.execute(sa.text(INHERITS), bound).scalar_one()
    by_row = kind == "p" or inherits or after or spec.before == "full" or spec.always
    kept = keep_columns(canonical, spec, columns, key)
    return Subject(
        table=Table(name=canonical, columns=kept, key=key, foreign_keys=foreign),
        form=Form.ROW if by_row else Form.STATEMENT,
        relation=relation(canonical),
        excluded=len(kept) < len(columns),
        equals=equals,
        keys_change_unnamed=before_update or any(c.generated for c in columns if c.name in key),
    )
