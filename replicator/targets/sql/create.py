"""CREATE TABLE statements for target tables, made from source tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from replicator.targets.sql.dialect import DataDefinition, Dialect, TargetColumn
from triggers.model import Column, ForeignKey, Table
from triggers.order import parents_first


@dataclass(frozen=True, slots=True)
class _Link:
    """A foreign key between two target tables."""

    key: ForeignKey
    child: str
    parent: str


def create_tables(
    tables: Sequence[Table],
    names: Mapping[str, str],
    definition: DataDefinition,
    dialect: Dialect,
) -> list[str]:
    """Statements for these source tables, parents first; `names`: source -> target table.

    Comments in them say where a column's values are converted, and which of them it cannot hold.

    Foreign keys are those among the given tables that refer to a primary key. One that closes a
    cycle is added at the end, where the engine needs that.
    """
    created: set[str] = set()
    statements: list[str] = []
    later: list[str] = []
    for table in parents_first(tables):
        created.add(table.name)
        links = _links(table, tables, names)
        at_once = [
            link for link in links if link.key.table in created or not definition.adds_foreign_keys
        ]
        statements.append(create_table(table, names[table.name], at_once, definition, dialect))
        later += [
            f"ALTER TABLE {definition.quote_table(link.child)} ADD {_clause(link, definition)};"
            for link in links
            if link not in at_once
        ]
    return statements + later


def create_table(
    table: Table,
    name: str,
    links: Sequence[_Link],
    definition: DataDefinition,
    dialect: Dialect,
) -> str:
    """One statement: all columns, the source's key as primary key, and the given foreign keys.

    A table whose rows nothing tells apart, which only a transform makes, has no key.
    """
    indexed = {*table.key}.union(*(link.key.columns for link in links))
    lines: list[tuple[str, str]] = []
    for column in table.columns:
        kind = definition.column_type(column, indexed=column.name in indexed)
        required = column.name in table.key or not column.nullable
        line = f"{definition.quote(column.name)} {kind}{' NOT NULL' if required else ''}"
        lines.append((line, _remark(dialect, column, kind)))
    if table.key:
        lines.append((f"PRIMARY KEY ({_names(table.key, definition)})", ""))
    lines += [(_clause(link, definition), "") for link in links]
    last = len(lines) - 1
    body = "\n".join(
        f"    {line}{',' if place < last else ''}{remark}"
        for place, (line, remark) in enumerate(lines)
    )
    return f"CREATE TABLE {definition.quote_table(name)} (\n{body}\n){definition.table_options};"


def _remark(dialect: Dialect, column: Column, kind: str) -> str:
    """A comment where a column does not simply keep the source's values."""
    conversion = dialect.conversion(column, TargetColumn(column.name, kind.lower()))
    limits = "" if conversion.limits == "NUL" else conversion.limits  # of all text; rarely there
    parts = [conversion.note, f"cannot hold {limits}" if limits else ""]
    said = "; ".join(filter(None, parts))
    return "  -- " + " ".join(f"{column.native}: {said}".split()) if said else ""


def _links(table: Table, tables: Sequence[Table], names: Mapping[str, str]) -> list[_Link]:
    keys = {other.name: other.key for other in tables}
    return [
        _Link(key, names[table.name], names[key.table])
        for key in table.foreign_keys
        if key.table in keys and key.referred == keys[key.table]
    ]


def _clause(link: _Link, definition: DataDefinition) -> str:
    key = link.key
    return (
        f"FOREIGN KEY ({_names(key.columns, definition)}) "
        f"REFERENCES {definition.quote_table(link.parent)} ({_names(key.referred, definition)})"
        f"{definition.action('ON DELETE', key.on_delete)}"
        f"{definition.action('ON UPDATE', key.on_update)}"
    )


def _names(columns: Sequence[str], definition: DataDefinition) -> str:
    return ", ".join(map(definition.quote, columns))
