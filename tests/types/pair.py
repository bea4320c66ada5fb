"""A source with the test tables, a target, and what has arrived there."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from replicator import config, service
from replicator.compose import open_source
from replicator.targets.sql.conversion import Conversion
from replicator.targets.sql.preparation import type_pairs
from tests.replication import Replication, run_statement, sql
from tests.servers import Database
from tests.types.columns import SampleTable
from tests.types.compare import same_value
from tests.types.reading import SESSION, Row, read_table

Key = tuple[str, int]
"""A table's name and a row's `id`."""


@dataclass
class Arrived:
    """How the rows of one delivery fared."""

    equal: int = 0
    parked: dict[Key, str] = field(default_factory=dict)  # with the error
    differences: list[str] = field(default_factory=list)


class Pair:
    """The tables of a source, captured, and created in a target; `close` it when done."""

    def __init__(
        self,
        source: Database,
        target: Database,
        tables: Sequence[SampleTable],
        folder: Path,
    ) -> None:
        """Create the tables, install the triggers, and let `tables create` do its part."""
        self.source, self.target, self.tables = source, target, tables
        self.write(statement for table in tables for statement in table.create)
        self.replication = Replication(
            folder,
            sources={"here": _without_tls(source)},
            targets={"there": sql(_without_tls(target))},
            routes=[
                {
                    "name": "all",
                    "source": "here",
                    "tables": [table.name for table in tables],
                    "targets": ["there"],
                }
            ],
        )
        self.replication.prepare()
        self.conversions = self._conversions()
        self._stack = ExitStack()
        # Opened once, and not for each delivery as `service.run_once` does: connecting is slow.
        self._opened = open_source("here", self.replication.settings.sources["here"])
        self._stack.callback(self._opened.close)
        self._former: dict[Key, list[Row]] = {}
        self._last_parked = 0

    def close(self) -> None:
        """Close what it has opened."""
        self._stack.close()

    def insert(self, table: SampleTable, rows: Mapping[int, Mapping[str, str]]) -> None:
        """Insert rows by their `id`: SQL expressions by column, the other columns NULL."""
        self.write(table.insert(number, values) for number, values in rows.items())

    def update(self, table: SampleTable, rows: Mapping[int, Mapping[str, str]]) -> None:
        """Update rows by their `id`: SQL expressions by column."""
        self.write(table.update(number, values) for number, values in rows.items())

    def write(self, statements: Iterable[str]) -> None:
        """Execute statements in one transaction of the source."""
        write(self.source, statements)

    def deliver(self, *tables: SampleTable) -> Arrived:
        """Deliver what was written since, and compare, row by row and value by value.

        All tables, or those given.
        """
        for result in service.run_source_once(
            self.replication.settings, self._opened, threading.Event()
        ):
            if result.error is not None:
                raise AssertionError(str(result.error)) from result.error
        arrived = Arrived(parked=self._newly_parked())
        for table in tables or self.tables:
            self._compare(table, arrived)
        return arrived

    def _conversions(self) -> dict[tuple[str, str], Conversion]:
        """What the product says of each column, by the names of table and column."""
        capture = self.replication.capture("here")
        target = self.replication.settings.targets["there"]
        assert isinstance(target, config.SqlTarget)
        try:
            tables = list(capture.tables().values())
        finally:
            capture.engine.dispose()
        return {
            (pair.table.rpartition(".")[2], pair.column.name): pair.conversion
            for pair in type_pairs(tables, {}, target.connection_url())
        }

    def _compare(self, table: SampleTable, arrived: Arrived) -> None:
        names = [column.name for column in table.columns]
        expected = read_table(self.source, table.name, names)
        found = read_table(self.target, table.name, names)
        for number, row in expected.items():
            key = (table.name, number)
            former = self._former.setdefault(key, [])
            there = found.get(number)
            if key in arrived.parked:
                # Not written at all: the row is missing, or as it was before.
                if there is not None and not any(
                    not self._unequal(table, old, there) for old in former
                ):
                    arrived.differences.append(f"{key} is parked, and yet there is {there!r:.300}")
            elif there is None:
                arrived.differences.append(f"{key} is missing: {row!r:.300}")
            else:
                unequal = self._unequal(table, row, there)
                arrived.differences += [f"{key} {difference}" for difference in unequal]
                arrived.equal += not unequal
            former.append(row)
        arrived.differences += [
            f"{(table.name, number)} is still there" for number in found.keys() - expected.keys()
        ]

    def _unequal(self, table: SampleTable, expected: Row, found: Row) -> list[str]:
        # No function of SQLite tells -0.0 from 0.0, and its REAL columns do not keep it.
        signed_zero = not {"sqlite", "mariadb"} & {self.source.kind, self.target.kind}
        return [
            f"{column.name} {column.type}: {before!r:.150} became {after!r:.150}"
            for column, before, after in zip(table.columns, expected, found, strict=True)
            if not same_value(column.meaning, before, after, signed_zero=signed_zero)
        ]

    def _newly_parked(self) -> dict[Key, str]:
        dead = self._opened.capture.outbox.dead_letter
        query = sa.select(dead).where(dead.c.change_id > self._last_parked)
        parked = {}
        with self._opened.engine.connect() as connection:
            for row in connection.execute(query.order_by(dead.c.change_id)):
                change = json.loads(row.change)
                image = change[4] or change[3]
                parked[row.table_name.rpartition(".")[2], int(image["id"])] = str(row.error)
                self._last_parked = row.change_id
        return parked


def write(database: Database, statements: Iterable[str]) -> None:
    """Execute statements in one transaction, in a session of fixed settings."""
    with database.engine.connect() as connection:
        for statement in (*SESSION[database.kind], *statements):
            try:
                run_statement(connection, statement)
            except sa.exc.SQLAlchemyError as error:
                error.add_note(statement[:200])
                raise
        connection.commit()
        connection.invalidate()  # nobody else is to get this session


def _without_tls(database: Database) -> str:
    """PyMySQL would load every certificate of the system for each connection."""
    return database.url + ("?ssl_disabled=1" if database.kind in ("mysql", "mariadb") else "")
