"""The SQL target: rows of third-party databases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from operator import itemgetter

from sqlalchemy import NullPool
from sqlalchemy.engine import URL

from replicator.change import Block
from replicator.errors import DeliveryStopped
from replicator.handlers.assigned import Handlers
from replicator.pipeline.contract import (
    DeliveryName,
    Outcome,
    Park,
    Parked,
    Progress,
    ProgressConflict,
    Round,
)
from replicator.pipeline.copying import RawForm
from replicator.targets.sql.chunk import cut
from replicator.targets.sql.conversion import Refused
from replicator.targets.sql.dialect import TakesRaw
from replicator.targets.sql.engines import definition_for, dialect_for, judge_for
from replicator.targets.sql.handled import HandledWriter, RoundTransaction
from replicator.targets.sql.matching import plan_tables
from replicator.targets.sql.order import arrange
from replicator.targets.sql.plan import TablePlan
from replicator.targets.sql.policy import Policy
from replicator.targets.sql.strict import Written
from replicator.targets.sql.writer import ChunkWriter
from triggers.engine import make_engine
from triggers.model import Table

_PARKED_AT_ONCE = 1000


class SqlTarget:
    """Applies each round in one transaction of the target, its progress included.

    The progress is compared and set by the first statement of that transaction: a second
    replicator waits for the row and then finds it changed. Where the answer to a commit is lost,
    the next `open` reads what became of it. `into` names the target table of a source table; it
    defaults to the source table's name without its schema. `origin` marks the transactions, so
    that triggers in the target do not capture them. `unfit`: what becomes of values that a column
    cannot hold. Tables that handlers take need not exist in the target; handlers write in the
    round's transaction, and changes keep their order across them.
    """

    keeps_progress = True

    def __init__(
        self,
        url: URL,
        delivery: DeliveryName,
        origin: str,
        into: Mapping[str, str],
        unfit: Policy = "error",
        handlers: Handlers | None = None,
    ) -> None:
        self._url = url
        self._delivery = str(delivery)
        self._origin = origin
        self._into = dict(into)
        self._unfit = unfit
        self._dialect = dialect_for(url)
        self._plans: dict[str, TablePlan] = {}
        self._handlers = handlers or Handlers(delivery)
        self._transaction: RoundTransaction | None = None

    def open(self, tables: Mapping[str, Table], memo: str | None = None) -> Progress | None:  # noqa: ARG002
        """Connect, match tables, and read the progress. `DeliveryStopped` when they do not fit."""
        self._dialect.connect(make_engine(self._url, poolclass=NullPool), self._origin)
        plans = plan_tables(
            self._dialect,
            definition_for(self._url),
            [table for table in tables.values() if not self._handlers.take(table.name)],
            self._into,
            self._unfit,
        )
        references = self._dialect.references([plan.target for plan in plans])
        self._plans = {plan.source.name: plan for plan in arrange(plans, references)}
        progress = self._dialect.read_progress(self._delivery)
        if any(map(self._handlers.take, tables)):
            self._transaction = RoundTransaction(self._url, self._dialect.connection)
            self._handlers.open(tables, self._transaction.connection)
        return progress

    def deliver(self, work: Round, blocks: Iterable[Block], park: Park) -> Outcome:
        """Apply a round in one transaction."""
        changes = rows = parked = 0
        waiting: list[Parked] = []
        try:
            if not self._dialect.begin(self._delivery, work.previous, work.reached):
                raise ProgressConflict(self._delivery)
            for taken, written in self._write(blocks):
                changes += taken
                rows += written.rows
                parked += len(written.parked)
                waiting += written.parked
                if len(waiting) >= _PARKED_AT_ONCE:
                    park(waiting)
                    waiting = []
            if waiting:
                park(waiting)
            self._dialect.commit()
        except Refused as refused:  # by the commit itself: a deferred constraint of the target
            self._dialect.rollback()
            raise DeliveryStopped(
                f"the target refuses the round when it commits: {refused.error}",
                "Make the constraint immediate: a deferred one does not tell which row it refuses.",
            ) from None
        except BaseException:
            self._dialect.rollback()
            raise
        finally:
            if self._transaction is not None:
                self._transaction.end()
        coerced = self._dialect.tally.coerced
        return Outcome(changes=changes, written=rows, parked=parked, coerced=coerced)

    def raw_form(self, table: str) -> RawForm | None:
        """See `PageTarget.raw_form`: where every column has the source's type, and takes all."""
        plan = self._plans.get(table)
        engine = self._dialect
        if plan is None or not plan.trusts_inserts or not isinstance(engine, TakesRaw):
            return None
        columns = ((plan.source.column(name), column) for name, column in plan.columns.items())
        if not all(engine.reads_raw(column, target) for column, target in columns):
            return None
        return RawForm(self._url.get_backend_name(), list(plan.columns))

    def deliver_raw(self, work: Round, table: str, rows: bytes) -> bool:
        """See `PageTarget.deliver_raw`."""
        plan, engine = self._plans[table], self._dialect
        assert isinstance(engine, TakesRaw)
        try:
            if not engine.begin(self._delivery, work.previous, work.reached):
                raise ProgressConflict(self._delivery)
            engine.insert_raw(plan.whole, rows, work.rows)
            engine.commit()
        except Refused as refused:
            engine.rollback()
            plan.trusts_inserts = plan.trusts_inserts and not refused.unique
            return False
        except BaseException:
            engine.rollback()
            raise
        return True

    def close(self) -> None:
        """Close the handlers and the connection."""
        self._handlers.close()
        self._transaction = None
        self._dialect.close()

    def _write(self, blocks: Iterable[Block]) -> Iterator[tuple[int, Written]]:
        """Yield how many changes were taken in, and what became of them."""
        writer = ChunkWriter(self._dialect, self._plans)
        for program, run in groupby(self._handlers.divide(blocks), key=itemgetter(0)):
            pieces = (block for _program, block in run)
            if program is None:
                for chunk in cut(pieces, self._plans):
                    yield chunk.taken, writer.write(chunk)
            else:
                assert self._transaction is not None
                handled = HandledWriter(
                    self._dialect, judge_for(self._url), self._handlers, self._transaction
                )
                for block in pieces:
                    yield block.count, handled.write(program, block.changes())
