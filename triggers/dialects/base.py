"""What the capture library needs of a database engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from triggers.model import Column, Table, TableSpec
from triggers.outbox import Outbox


class Form(StrEnum):
    """How a table's changes are captured."""

    STATEMENT = "statement"  # one trigger call per statement, from transition tables
    ROW = "row"  # one trigger call per row
    REREAD = "reread"  # per row, and the row is read again: other triggers may change it


@dataclass(frozen=True, slots=True)
class Subject:
    """A source table, with what decides how its triggers look."""

    table: Table
    form: Form
    relation: str  # the quoted, qualified name for SQL
    excluded: bool = False  # some column is not captured
    equals: tuple[str, ...] = ()  # PostgreSQL: the operator that compares each key column
    keys_change_unnamed: bool = False  # an UPDATE may change a key column that it does not name


@dataclass(frozen=True, slots=True)
class TriggerSet:
    """The triggers that capture one table.

    `bodies` maps each trigger's name to text that the engine reports back while the trigger is
    unchanged. `replace` holds the statements that put all of them in place, or renew them, without
    a moment at which a change goes uncaptured. `finish` ends what `replace` began, after triggers
    that are no longer needed have been dropped.
    """

    bodies: Mapping[str, str]
    replace: Sequence[str]
    finish: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class LiveTrigger:
    """A trigger as it is in the database now."""

    body: str
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that `check` tells about a source."""

    level: str  # "problem", "warning" or "unknown" (could not be checked)
    subject: str
    message: str
    remedy: str = ""  # the exact statement, or what to do


class GapProof(Protocol):
    """Proves that an id which is not visible will never be.

    Lives as long as its sealer. Used inside each sealing transaction, on its connection, in this
    order: `before_reading`, then the visible ids are read, then the others. What `before_reading`
    and the first `is_dead` have learnt holds for this one transaction. See docs/decisions for each
    engine's argument.
    """

    def before_reading(self, connection: Connection, *, open_gaps: bool) -> None:
        """Look at the running transactions, before the transaction's snapshot is taken."""

    def horizon_now(self, connection: Connection) -> int | None:
        """Return, after reading, a horizon for gaps that this sealing has found, or None."""

    def horizon_before(self) -> int | None:
        """Return a horizon for gaps that an earlier sealing found, and that have none yet."""

    dead_when_seen: bool  # nothing can be in flight while a sealer reads

    def is_dead(self, connection: Connection, horizon: int | None) -> bool:
        """Tell whether every transaction that could fill a gap with this horizon has ended."""

    reason: str


@dataclass(frozen=True, slots=True)
class Scratch:
    """A copy of a table without its rows and constraints, and an outbox for its triggers."""

    subject: Subject
    outbox: Outbox


class Canary(Protocol):
    """What an engine needs to try triggers where nobody sees them."""

    rounds: Sequence[Sequence[str]]
    """Statements that begin each round: one round for each way in which the triggers run."""

    def scratch(
        self, connection: Connection, subject: Subject, outbox: Outbox
    ) -> AbstractContextManager[Scratch]:
        """Make a scratch table of the captured columns; nothing is left of it at the end.

        Values that the table takes, it takes too. Used inside a transaction. No row of the table
        is locked by reading it meanwhile.
        """

    def drop_leftovers(self, connection: Connection) -> None:
        """Drop what an installation that crashed has left."""

    def extremes(self, column: Column) -> Sequence[str]:
        """Return SQL expressions of values at a type's limits, a harmless one first.

        The column may refuse some of them.
        """

    def is_needed(self, column: Column) -> bool:
        """Tell whether a row cannot be written without a value for this column."""


class Dialect(Protocol):
    """One database engine, as a source."""

    name: str
    default_schema: str | None  # of the outbox tables
    sealing_options: Mapping[str, object]  # SQLAlchemy execution options of a sealing transaction
    joins_laterally: bool
    """Whether a join of ranges with the rows inside them has to be written LATERAL.

    PostgreSQL would rather read the whole table once for each range. MySQL and MariaDB check for
    each range which index to use, SQLite always looks rows up by their number.
    """

    canary: Canary

    def quote(self, name: str) -> str:
        """Quote an identifier."""

    def canonical(self, name: str) -> str:
        """Return the one name under which a table is recorded, whatever way it was written."""

    def describe(self, connection: Connection, spec: TableSpec) -> Subject:
        """Read a table's definition. Raises `TableRefused` for one that cannot be captured."""

    def definition_stamp(self, connection: Connection, tables: Sequence[str]) -> object:
        """Return what changes with every change of these tables' columns, by one cheap query.

        It may change without one. `tables` are canonical names; some may be gone.
        """

    def failing_writes(
        self, dropped: Sequence[str], retyped: Sequence[str], live: Mapping[str, LiveTrigger]
    ) -> str:
        """Say which of the application's writes fail because columns that are captured have gone.

        They do until the triggers are installed anew; nothing where none does.
        """

    def triggers(self, subject: Subject, spec: TableSpec, outbox: Outbox) -> TriggerSet:
        """Generate the triggers for a table."""

    def live_triggers(
        self, connection: Connection, table: str, outbox: Outbox
    ) -> dict[str, LiveTrigger]:
        """Return this program's triggers on a table (by canonical name), by trigger name."""

    def drop_statements(
        self, connection: Connection, table: str, names: Sequence[str]
    ) -> list[str]:
        """Return the statements that remove these triggers of a table, which may be gone."""

    def clean_up_statements(self, table: str, outbox: Outbox) -> list[str]:
        """Return the statements that remove what else belongs to a table without triggers."""

    def in_transaction(self, statements: Sequence[str]) -> list[str]:
        """Wrap statements for execution by hand, where the engine's DDL is transactional."""

    def wait_for_turn(self, connection: Connection) -> None:
        """Wait until no other session installs; this one's turn ends with its connection."""

    def is_busy(self, error: DBAPIError) -> bool:
        """Tell whether a statement failed because other transactions hold the table."""

    def lock_for_sealing(self, connection: Connection, outbox: Outbox) -> None:
        """Serialise sealers: wait for another one's transaction; must not take a snapshot."""

    def gap_proof(self) -> GapProof:
        """Return a proof for one sealer."""

    def coverage(
        self, connection: Connection, subjects: Sequence[Subject], outbox: Outbox
    ) -> list[Finding]:
        """Report what may escape capture, or stand in the way of installing it."""
