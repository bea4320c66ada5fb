"""A target database and what a test does with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.engine import make_url

from replicator.change import Change, Operation, Row
from replicator.pipeline.contract import DeliveryName, Outcome, Parked, Progress, Round
from replicator.targets.sql import SqlTarget
from replicator.targets.sql.engines import definition_for
from tests.blocks import in_blocks
from tests.servers import Database
from triggers.model import Column, Kind, Table

DELIVERY = DeliveryName("orders", "crm")
SECRET = "4111-1111"

ID = Column("id", Kind.INTEGER, "bigint", nullable=False, precision=8)
ITEM = Table("public.item", (ID, Column("code", Kind.TEXT, "varchar(40)", length=40)), ("id",))
NODE = Table("public.node", (ID, Column("parent", Kind.INTEGER, "bigint", precision=8)), ("id",))
LEAF = Table("public.leaf", NODE.columns, ("id",))
FILLER = Table("public.filler", (ID,), ("id",))
FILLER_DDL = "CREATE TABLE filler (id bigint NOT NULL PRIMARY KEY)"
ITEM_DDL = "CREATE TABLE item (id bigint NOT NULL PRIMARY KEY, code varchar(8) NOT NULL UNIQUE)"


@dataclass
class Numbers:
    """Gives changes their ids."""

    last: int = 0

    def change(self, table: Table, op: Operation, **row: Any) -> Change:
        return self.of(table, op, row)

    def of(self, table: Table, op: Operation, row: Row) -> Change:
        self.last += 1
        before = row if op == "D" else None
        after = row if op in ("I", "U") else None
        return Change(self.last, table.name, op, before, after, None, "2026-11-21T00:00:00.000000")


@dataclass
class TargetDatabase:
    """Delivers changes in rounds, each by a newly opened target, along one of the two paths."""

    database: Database
    bulk: bool
    progress: Progress | None = None
    parked: list[Parked] = field(default_factory=list)

    def execute(self, *statements: str) -> None:
        with self.database.engine.begin() as connection:
            for statement in statements:
                connection.execute(self._text(statement))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.database.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(self._text(query)).all()]

    @staticmethod
    def _text(statement: str) -> TextClause:
        """A statement in which no character is special."""
        return text(statement.rstrip().removesuffix(";").replace(":", "\\:"))

    def quote(self, name: str) -> str:
        return definition_for(make_url(self.database.url)).quote(name)

    def target(self, into: Mapping[str, str] | None = None) -> SqlTarget:
        return SqlTarget(make_url(self.database.url), DELIVERY, "me", into or {})

    def work(self) -> Round:
        """The round after the last one that was delivered."""
        number = self.progress.batch_no + 1 if self.progress else 1
        return Round(self.progress, Progress("epoch", number, f"mark {number}"), number, 0)

    def padded(self, changes: Sequence[Change]) -> list[Change]:
        """For the bulk path: as many more changes, of another table, as that takes."""
        numbers = Numbers(1_000_000)
        filling = [numbers.change(FILLER, "U", id=n) for n in range(30 if self.bulk else 0)]
        return [*changes, *filling]

    def deliver(
        self,
        tables: Sequence[Table],
        changes: Sequence[Change],
        into: Mapping[str, str] | None = None,
    ) -> Outcome:
        target = self.target(into)
        self.parked = []
        try:
            progress = target.open({table.name: table for table in (*tables, FILLER)})
            assert progress == self.progress
            work = self.work()
            outcome = target.deliver(work, in_blocks(self.padded(changes), 7), self.park)
        finally:
            target.close()
        self.progress = work.reached
        assert outcome.changes == len(self.padded(changes))
        assert outcome.parked == len(self.parked)
        return outcome

    def park(self, parked: Sequence[Parked]) -> None:
        self.parked += parked
