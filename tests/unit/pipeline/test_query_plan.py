"""The queries that run all the time find their rows by the primary key, however long the outbox."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, event

from replicator.pipeline.purge import purge
from replicator.pipeline.source import Watch
from replicator.sources import open_reader
from tests.unit.pipeline.captured import Item

ROWS = 50_000
MOST = ROWS // 5  # one purged range is 5,000 rows

FILL = {
    "postgresql": "INSERT INTO outbox.outbox_change (table_name, op, after)"
    " SELECT 'public.item', 'I', '{}' FROM generate_series(1, {rows})",
    "mysql": "INSERT INTO outbox_change (table_name, op, `after`) WITH RECURSIVE s AS"
    " (SELECT 1 AS n UNION ALL SELECT n + 1 FROM s WHERE n < {rows}) SELECT 'item', 'I', '{}'"
    " FROM s",
    "mariadb": "INSERT INTO outbox_change (table_name, op, `after`)"
    " SELECT 'item', 'I', '{}' FROM seq_1_to_{rows}",
    "sqlite": "INSERT INTO outbox_change (table_name, op, after) WITH RECURSIVE s AS"
    " (SELECT 1 AS n UNION ALL SELECT n + 1 FROM s WHERE n < {rows}) SELECT 'item', 'I', '{}'"
    " FROM s",
}


def fill(item: Item, rows: int) -> None:
    with item.database.engine.begin() as connection:
        if item.database.kind == "mysql":
            connection.execute(sa.text(f"SET SESSION cte_max_recursion_depth = {rows + 1}"))
        connection.exec_driver_sql(FILL[item.database.kind].replace("{rows}", str(rows)))


@contextmanager
def explained(item: Item) -> Iterator[list[tuple[str, int]]]:
    """Collect the statements about the change table that are executed, and how many of its rows
    each reads."""
    statements: list[tuple[str, int]] = []

    def explain(
        _connection: Connection, _cursor: Any, statement: str, parameters: Any, *_rest: Any
    ) -> None:
        if "outbox_change" in statement:
            statements.append((statement, rows_read(item, statement, parameters)))

    event.listen(item.engine, "before_cursor_execute", explain)
    try:
        yield statements
    finally:
        event.remove(item.engine, "before_cursor_execute", explain)


def rows_read(item: Item, statement: str, parameters: Any) -> int:
    """How many rows of the change table a statement reads; where that is not known, all of them
    when its plan does not use the primary key, else 0."""
    with item.database.engine.connect() as connection:
        match item.database.kind:
            case "postgresql":
                return _rows_in_postgresql(connection, statement, parameters)
            case "sqlite":
                return _rows_in_sqlite(connection, statement, parameters)
            case _:
                return _rows_in_innodb(connection, statement, parameters)


def _rows_in_postgresql(connection: Connection, statement: str, parameters: Any) -> int:
    explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}"
    (plan,) = connection.exec_driver_sql(explain, parameters).scalar_one()
    connection.rollback()

    def read(node: dict[str, Any]) -> int:
        below = sum(map(read, node.get("Plans", ())))
        if node.get("Relation Name") != "outbox_change" or node["Node Type"] == "ModifyTable":
            return below
        removed = node.get("Rows Removed by Filter", 0)
        return below + int((node["Actual Rows"] + removed) * node["Actual Loops"])

    return read(plan["Plan"])


def _rows_in_sqlite(connection: Connection, statement: str, parameters: Any) -> int:
    rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    lines = [row.detail for row in rows if "outbox_change" in row.detail]
    assert lines, rows
    return 0 if all("SEARCH outbox_change" in line for line in lines) else ROWS


def _rows_in_innodb(connection: Connection, statement: str, parameters: Any) -> int:
    before = _handler_reads(connection)
    connection.exec_driver_sql(statement, parameters).close()
    connection.rollback()
    return _handler_reads(connection) - before


def _handler_reads(connection: Connection, scope: str = "SESSION") -> int:
    rows = connection.execute(sa.text(f"SHOW {scope} STATUS LIKE 'Handler_read_%'"))
    return sum(int(value) for _name, value in rows)


def _handler_reads_of_all(item: Item) -> int:
    with item.database.engine.connect() as connection:
        return _handler_reads(connection, "GLOBAL")


@pytest.mark.parametrize("statistics", [False, True], ids=["fresh", "analyzed"])
def test_watching_sealing_and_purging_use_the_primary_key(item: Item, statistics: bool) -> None:
    change, gap, state = (
        item.capture.outbox.change,
        item.capture.outbox.gap,
        item.capture.outbox.state,
    )
    fill(item, ROWS)
    holes = [100, 200, 25_000, 49_000]
    with item.database.engine.begin() as connection:
        connection.execute(sa.delete(change).where(change.c.id.in_(holes)))
    sealer = item.sealer(batch_rows=ROWS)
    sealer.seal()
    fill(item, 50)
    with item.database.engine.begin() as connection:
        connection.execute(sa.update(state).values(purged_to=5))
        connection.execute(sa.update(gap).values(closed_at=None, horizon=None))
    if statistics:
        with item.database.engine.begin() as connection:
            relation = item.engine.dialect.identifier_preparer.format_table(change)
            table = "TABLE " if item.database.kind in ("mysql", "mariadb") else ""
            connection.exec_driver_sql(f"ANALYZE {table}{relation}")
    item.finish(item.delivery("only"), 1)

    with explained(item) as statements:
        watch = Watch(item.engine, item.capture.outbox)
        assert watch.look() == (1, True)
        watch.close()
        watched = len(statements)
        assert sealer.seal().rows > 50  # the new ones, and late ones below the mark
        sealer.close()
        sealed = len(statements)
        item.finish(item.delivery("only"), 2)
        purge(item.engine, item.capture.outbox, threading.Event())

    assert (watched, sealed - watched) == (1, 4)
    assert len(statements) > sealed
    for statement, rows in statements:
        assert rows <= MOST, statement


def test_reading_changes_uses_the_primary_key(item: Item) -> None:
    fill(item, ROWS)
    table = item.capture.dialect.canonical("item")
    with rows_read_meanwhile(item) as count:
        reader = open_reader(item.engine, item.capture.outbox)
        blocks = list(reader.read([(20_000, 20_500)], [table]))
        reader.close()
    assert blocks
    assert count() <= MOST


@contextmanager
def rows_read_meanwhile(item: Item) -> Iterator[Callable[[], int]]:
    """How many rows the server reads, told by itself, while nobody else uses it."""
    match item.database.kind:
        case "postgresql":
            before = _rows_scanned(item)
            yield lambda: _rows_scanned(item) - before
        case "sqlite":
            statements: list[str] = []

            def trace(connection: Any, *_rest: Any) -> None:
                connection.set_trace_callback(statements.append)

            item.engine.dispose()
            event.listen(item.engine, "connect", trace)
            yield lambda: sum(rows_read(item, s, ()) for s in statements if "outbox_change" in s)
            assert any("outbox_change" in statement for statement in statements)
        case _:
            before = _handler_reads_of_all(item)
            yield lambda: _handler_reads_of_all(item) - before


def _rows_scanned(item: Item) -> int:
    """Rows that PostgreSQL has read from the change table without an index."""
    query = "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'outbox_change'"
    with item.database.engine.connect() as connection:
        return int(connection.execute(sa.text(query)).scalar_one())
