"""Handlers inside the transaction of a round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, StaticPool, event
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from replicator.change import Change
from replicator.errors import DeliveryStopped
from replicator.handlers import Program
from replicator.handlers.assigned import Handlers
from replicator.handlers.containing import HandlerFailed
from replicator.pipeline.contract import Parked
from replicator.targets.sql.conversion import Refused
from replicator.targets.sql.dialect import Dialect
from replicator.targets.sql.engines import Judge
from replicator.targets.sql.strict import Written
from triggers.engine import DRIVERS

_SAVEPOINT = "handler"


class RoundTransaction:
    """The dialect's open transaction as a connection of SQLAlchemy that can neither end it."""

    def __init__(self, url: URL, driver_connection: Any) -> None:
        """Wrap an idle connection."""
        self._engine = _wrap(url, driver_connection)
        self._connection: Connection | None = None
        self._guarded = False
        self._last: BaseException | None = None
        event.listen(self._engine, "commit", self._refuse)
        event.listen(self._engine, "rollback", self._refuse)
        event.listen(self._engine, "handle_error", self._note)
        self._engine.connect().close()  # asks the server for its version, then rolls back

    def connection(self) -> Connection:
        """Return the connection, inside the transaction that is open."""
        if not self._guarded:
            raise DeliveryStopped("the handler uses the transaction outside of deliver")
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def lend(self, action: Callable[[], list[Parked]]) -> list[Parked]:
        """Call a handler, which may use the connection meanwhile."""
        self._guarded = True
        try:
            parked = action()
        finally:
            self._guarded = False
        if self._connection is not None and self._connection.in_nested_transaction():
            raise DeliveryStopped(
                "the handler leaves a savepoint open", "use `with transaction.begin_nested():`"
            )
        return parked

    def raised(self, error: DBAPIError) -> bool:
        """Tell whether it was a statement on this connection that failed."""
        return error.orig is not None and error.orig is self._last

    def end(self) -> None:
        """Forget the transaction, which the dialect has ended; never raises."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError):
                connection.close()

    def _refuse(self, _connection: Connection) -> None:
        if self._guarded:
            raise DeliveryStopped(
                "the handler ends the round's transaction",
                "the replicator does that; take commit and rollback out of the handler",
            )

    def _note(self, context: ExceptionContext) -> None:
        self._last = context.original_exception


class HandledWriter:
    """Has handlers write changes into the open transaction.

    A change that the database refuses is found by handing the changes over one by one, and parked.
    """

    def __init__(
        self,
        dialect: Dialect,
        judge: Judge,
        handlers: Handlers,
        transaction: RoundTransaction,
    ) -> None:
        self._dialect = dialect
        self._judge = judge
        self._handlers = handlers
        self._transaction = transaction

    def write(self, program: Program, changes: Sequence[Change]) -> Written:
        """Hand changes to a handler; refused ones are returned, not raised."""
        try:
            return self._attempt(program, changes)
        except Refused:
            pass
        written = Written()
        for change in changes:
            try:
                one = self._attempt(program, [change])
            except Refused as refused:
                written.parked.append(Parked(change, refused.error))
            else:
                written.rows += one.rows
                written.parked += one.parked
        return written

    def _attempt(self, program: Program, changes: Sequence[Change]) -> Written:
        self._dialect.savepoint(_SAVEPOINT)
        try:
            parked = self._transaction.lend(lambda: self._handlers.deliver(program, changes))
        except HandlerFailed as failure:
            error = failure.__cause__
            if not isinstance(error, DBAPIError) or not self._transaction.raised(error):
                raise
            judged = self._judge(error)
            if isinstance(judged, Refused):
                self._dialect.rollback_to_savepoint(_SAVEPOINT)
            raise judged from None
        return Written(len(changes) - len(parked), parked)


def _wrap(url: URL, driver_connection: Any) -> Engine:
    drivername = DRIVERS[url.get_backend_name()]
    return sa.create_engine(
        url.set(drivername=drivername),
        creator=lambda: driver_connection,
        poolclass=StaticPool,
        pool_reset_on_return=None,
        hide_parameters=True,
    )
