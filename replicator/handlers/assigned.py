"""The handlers of one delivery, and the tables that each one takes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from replicator.change import Block, Change, encode
from replicator.errors import DeliveryStopped, describe
from replicator.handlers.containing import contained
from replicator.handlers.contract import Context, Handler
from replicator.handlers.executed import ExecHandler, find_program
from replicator.handlers.program import ExecProgram, Program
from replicator.handlers.python import load_class
from replicator.pipeline.contract import DeliveryName, Parked
from triggers.model import Table

log = logging.getLogger(__name__)


class Handlers:
    """Opens, calls and closes the handlers of a delivery; one for each program."""

    def __init__(
        self,
        delivery: DeliveryName,
        programs: Mapping[str, Program] | None = None,
        *,
        look_up: Callable[[], Connection] | None = None,
        seconds: float = 60.0,
        stop: threading.Event | None = None,
    ) -> None:
        """`programs` by source table (canonical); the target itself takes all other tables.

        `look_up` opens a read-only connection to the source. `seconds` is the time limit of
        programs for one batch; they are ended soon after `stop` is set.
        """
        self._delivery = delivery
        self._programs = dict(programs or {})
        self._look_up = look_up or _no_source
        self._seconds = seconds
        self._stop = stop or threading.Event()
        self._open: dict[Program, tuple[Handler, Context]] = {}
        self._source: Connection | None = None

    def take(self, table: str) -> bool:
        """Tell whether a handler takes this table."""
        return table in self._programs

    def open(
        self, tables: Mapping[str, Table], transaction: Callable[[], Connection] | None = None
    ) -> None:
        """Make the handlers of these tables ready. `transaction` returns the round's."""
        for program in dict.fromkeys(self._programs[n] for n in tables if n in self._programs):
            mine = {n: t for n, t in tables.items() if self._programs.get(n) == program}
            context = Context(
                self._delivery,
                mine,
                logging.getLogger(f"replicator.handler.{self._delivery}"),
                self._source_connection,
                transaction,
            )
            with contained(program):
                handler = self._make(program)
                self._open[program] = (handler, context)
                handler.open(context)

    def close(self) -> None:
        """Close them; never raises."""
        for program, (handler, _context) in self._open.items():
            try:
                with contained(program):
                    handler.close()
            except Exception as error:  # noqa: BLE001 - somebody else's code
                log.warning("%s: close of %s: %s", self._delivery, program, describe(error))
        self._open.clear()
        connection, self._source = self._source, None
        if connection is not None:
            with suppress(DBAPIError):
                connection.close()

    def divide(self, blocks: Iterable[Block]) -> Iterator[tuple[Program | None, Block]]:
        """Yield the changes in their order, in pieces that one handler takes; None: the target."""
        if not self._programs:
            for block in blocks:
                yield None, block
            return
        for block in blocks:
            takers = [self._programs.get(change.table) for change in block.raw_changes()]
            if all(taker == takers[0] for taker in takers):
                yield takers[0], block
                continue
            changes = zip(takers, block.changes(), strict=True)
            for taker, group in groupby(changes, key=lambda pair: pair[0]):
                lines = [encode(change) for _taker, change in group]
                yield taker, Block.of(lines)

    def deliver(self, program: Program, changes: Sequence[Change]) -> list[Parked]:
        """Have a handler deliver changes; return what it parks."""
        handler, context = self._open[program]
        context.take_parked()
        with self._watched(program), contained(program):
            handler.deliver(changes)
        return context.take_parked()

    @contextmanager
    def _watched(self, program: Program) -> Iterator[None]:
        """Tell when a class takes longer than programs may: nothing can end it."""
        if isinstance(program, ExecProgram):
            yield
            return
        text = "%s: handler %s has been busy with one batch for %g s"
        arguments = (text, self._delivery, program, self._seconds)
        timer = threading.Timer(self._seconds, log.warning, arguments)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _make(self, program: Program) -> Handler:
        if isinstance(program, ExecProgram):
            return ExecHandler(program, self._seconds, self._stop)
        return load_class(program)()

    def _source_connection(self) -> Connection:
        if self._source is None:
            self._source = self._look_up()
        return self._source


def find_handler(program: Program) -> None:
    """Raise `DeliveryStopped` when a handler is not there, or cannot be one."""
    if isinstance(program, ExecProgram):
        find_program(program)
    else:
        load_class(program)


def _no_source() -> Connection:
    raise DeliveryStopped("there is no source to look things up in")
