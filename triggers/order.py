"""In which order tables are created and filled."""

from __future__ import annotations

from collections.abc import Sequence

from triggers.model import Table


def parents_first(tables: Sequence[Table]) -> list[Table]:
    """Sort tables after those that they refer to, as far as cycles allow."""
    by_name = {table.name: table for table in tables}
    ordered: dict[str, Table] = {}
    seen: set[str] = set()

    def visit(table: Table) -> None:
        if table.name in seen:
            return
        seen.add(table.name)
        for foreign_key in table.foreign_keys:
            if foreign_key.table in by_name:
                visit(by_name[foreign_key.table])
        ordered[table.name] = table

    for table in tables:
        visit(table)
    return list(ordered.values())
