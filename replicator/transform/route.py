"""The transforms of one route, from what the configuration says to what a delivery reads."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from replicator.config.keypath import key_path
from replicator.errors import DeliveryStopped
from replicator.pipeline.reader import ChangeReader
from replicator.transform.engines import evaluator_for, sql_for
from replicator.transform.model import Problem, Result, Transform
from replicator.transform.reading import TransformingReader
from replicator.transform.resolve import resolve
from triggers.capture import Capture
from triggers.model import Table
from triggers.record import read_records

TargetKeys = Callable[[Sequence[Table]], Mapping[str, Sequence[Sequence[str]]]]
"""Gives the keys of the tables' target tables, primary keys first, by source table."""


@dataclass
class RouteTransforms:
    """Transforms by the canonical name of their table.

    `before_full`: the tables whose changes hold the old row. `remedy` says how a table becomes one
    of them. `target_keys` is asked when tables are resolved, and may raise what targets raise.
    """

    capture: Capture
    transforms: Mapping[str, Transform]
    before_full: Collection[str]
    remedy: Callable[[str], str]
    target_keys: TargetKeys
    results: dict[str, Result] = field(default_factory=dict)

    def resolve(self, tables: Mapping[str, Table]) -> list[Problem]:
        """Try every transform on the source; `results` are those that can run."""
        self.results = {}
        wanted = [table for name, table in tables.items() if name in self.transforms]
        if not wanted:
            return []
        sql = sql_for(self.capture.dialect)
        keys = self.target_keys(wanted)
        problems: list[Problem] = []
        with self.capture.engine.connect() as connection, connection.begin():
            for table in wanted:
                result, found = resolve(
                    connection,
                    sql,
                    table,
                    self.transforms[table.name],
                    keys.get(table.name, ()),
                    keeps_before=table.name in self.before_full,
                    remedy=self.remedy(table.name),
                )
                problems += found
                if result is not None:
                    self.results[table.name] = result
        return problems

    def tables(self, tables: Mapping[str, Table]) -> Mapping[str, Table]:
        """The tables as targets are to see them. `DeliveryStopped` when a transform cannot run."""
        problems = self.resolve(tables)
        if problems:
            raise DeliveryStopped(
                "; ".join(f"{key_path(p.place(p.table))}: {p.message}" for p in problems),
                "\n  ".join(dict.fromkeys(p.remedy for p in problems if p.remedy)),
            )
        return self.seen(tables)

    def require_old_rows(self) -> None:
        """Refuse computed keys of tables whose triggers were not told yet to keep the old row."""
        with self.capture.engine.connect() as connection:
            records = read_records(connection, self.capture.outbox)
        for name, result in self.results.items():
            installed = records.get(name)
            full = installed is not None and installed.options.get("before") == "full"
            if not result.key_is_own and not full:
                raise DeliveryStopped(
                    f'the triggers of table {name} are not those of before = "full" yet',
                    "replicator triggers install",
                )

    def seen(self, tables: Mapping[str, Table]) -> Mapping[str, Table]:
        """The tables as targets are to see them, as far as they are resolved."""
        return {
            name: self.results[name].as_table() if name in self.results else table
            for name, table in tables.items()
        }

    def reader(self, reader: ChangeReader) -> ChangeReader:
        """Return a reader of changes as targets are to see them; after `tables`."""
        if not self.results:
            return reader
        capture = self.capture
        return TransformingReader(
            reader,
            evaluator_for(capture.engine, capture.dialect, capture.outbox),
            self.results,
            inserts_replace=capture.dialect.name == "sqlite",
        )
