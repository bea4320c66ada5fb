"""What the SQL target needs of a database engine: one implementation per folder next to this."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from sqlalchemy import Engine

from replicator.pipeline.contract import Progress
from replicator.targets.sql.conversion import Conversion
from replicator.targets.sql.policy import Tally
from triggers.model import Column

Values = Sequence[Any]


@dataclass(frozen=True, slots=True)
class TargetColumn:
    """A column of a target table."""

    name: str
    type: str  # as the engine prints it, lower case (members as they are); a domain's base type
    required: bool = False  # NOT NULL, and the engine fills in nothing by itself
    generated: bool = False
    fixed: bool = False  # may be inserted, never updated (GENERATED ALWAYS AS IDENTITY)
    folds: bool = False  # different texts may compare equal (case, accents, trailing blanks)
    nullable: bool = True
    members: tuple[str, ...] = ()  # of PostgreSQL's enum types
    charset: str | None = None  # MySQL's name of a text column's character set
    strict: bool = False  # a column of a STRICT table of SQLite


@dataclass(frozen=True, slots=True)
class TargetTable:
    """A table of the target database as it is."""

    identity: str  # equal to `Reference.child` and `Reference.parent`
    quoted: str  # ready for SQL
    columns: dict[str, TargetColumn]
    keys: tuple[tuple[str, ...], ...]  # of unique indexes that can identify rows, primary first
    unique_indexes: int  # all of them, those on expressions or prefixes included
    has_primary_key: bool


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key of the target database."""

    child: str
    parent: str
    acts: bool  # on delete or on update it changes rows of the child


@dataclass(frozen=True)
class Shape:
    """Rows that are written alike: a table, the columns that their images hold, and the key."""

    table: TargetTable
    columns: tuple[TargetColumn, ...]
    key: tuple[TargetColumn, ...]
    insertable: bool  # the columns include every required one

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    @property
    def others(self) -> tuple[TargetColumn, ...]:
        """The columns that an update of an existing row sets."""
        return tuple(c for c in self.columns if c not in self.key and not c.fixed)

    @property
    def only_unique(self) -> bool:
        """Whether the key's is the only unique index, so that no other one can match a row."""
        return self.table.unique_indexes == 1

    def key_of(self, values: Values) -> tuple[Any, ...]:
        """The key's values out of a row's."""
        return tuple(values[self.columns.index(column)] for column in self.key)


@dataclass(frozen=True, slots=True)
class Step:
    """One row to write, or to delete by its key (`shape.columns` is the key then)."""

    op: Literal["upsert", "delete"]
    shape: Shape
    values: Values


class Dialect(Protocol):
    """One connection to a target database.

    Every method raises `TargetUnavailable` or `DeliveryStopped` as the error calls for; methods
    that write also raise `Refused`, after which only `rollback_to_savepoint` or `rollback` may
    follow. Nothing else escapes that comes from the driver, and no message holds row values.
    """

    tally: Tally
    """What was coerced for the transaction that is open, or was the last one."""

    @property
    def connection(self) -> Any:
        """The driver's open connection."""

    def connect(self, engine: Engine, origin: str | None) -> None:
        """Connect and set the session up; `origin` marks what it writes (None: only to look)."""

    def close(self) -> None:
        """Close the connection, whatever its state; never raises."""

    def find_table(self, name: str) -> TargetTable | None:
        """Read a table, named as in the configuration: with or without its schema."""

    def references(self, tables: Sequence[TargetTable]) -> list[Reference]:
        """Read the foreign keys of these tables, and those that refer to them."""

    def missing_privileges(self, table: TargetTable) -> list[str]:
        """Statements that grant what is missing for writing, where that is cheaply known."""

    def read_progress(self, delivery: str) -> Progress | None:
        """Read a delivery's progress; creates the progress table when it is missing."""

    def begin(self, delivery: str, previous: Progress | None, reached: Progress) -> bool:
        """Begin a transaction with the compare-and-set of the progress, and mark its origin.

        False: the progress is not `previous`, or another session has just changed it.
        """

    def commit(self) -> None:
        """Commit; when this raises, the outcome is unknown until the progress is read again."""

    def rollback(self) -> None:
        """Roll back; never raises."""

    def savepoint(self, name: str) -> None:
        """Set a savepoint, replacing one of the same name."""

    def rollback_to_savepoint(self, name: str) -> None:
        """Undo what was done since, and heal the transaction."""

    def insert_all(self, shape: Shape, rows: Iterable[Values]) -> None:
        """Insert many rows that are believed to be new; `Refused` as unique when one is not."""

    def upsert_all(self, shape: Shape, rows: Iterable[Values]) -> None:
        """Write many rows by key, whether they exist or not. No key comes twice."""

    def delete_all(self, shape: Shape, keys: Sequence[Values]) -> None:
        """Delete many rows by key, those that exist."""

    def empty(self, table: TargetTable) -> None:
        """Delete all rows, with what foreign keys do about it."""

    def write(self, steps: Sequence[Step]) -> None:
        """Write single rows in exactly this order."""

    def conversion(self, column: Column, target: TargetColumn) -> Conversion:
        """How values of a source column become values of a target column. Needs no connection."""


@runtime_checkable
class TakesRaw(Protocol):
    """An engine that takes rows as another server of its kind writes them (`RawForm`)."""

    def reads_raw(self, column: Column, target: TargetColumn) -> bool:
        """Whether a target column holds whatever such a server writes of a source column."""

    def insert_raw(self, shape: Shape, rows: bytes, count: int) -> None:
        """As `insert_all`; also `Refused` when there are not so many rows."""


class DataDefinition(Protocol):
    """How an engine spells the statements that make tables."""

    adds_foreign_keys: bool
    """Whether a foreign key can be added to a table that exists."""
    table_options: str
    """What follows the closing bracket of CREATE TABLE."""

    def quote(self, name: str) -> str:
        """Quote one identifier."""

    def quote_table(self, name: str) -> str:
        """Quote a table's name as the configuration gives it: with or without its schema."""

    def column_type(self, column: Column, *, indexed: bool) -> str:
        """The type that keeps every value of a source column, fit for a key when `indexed`."""

    def action(self, clause: str, action: str) -> str:
        """A foreign key's `ON DELETE ...` with a leading blank, or nothing when it is not to be."""

    def add_key(self, table: TargetTable, columns: Sequence[TargetColumn]) -> str:
        """The statement that makes these columns a key of a table."""

    def change_type(self, table: TargetTable, column: TargetColumn, kind: str) -> str:
        """The statement that gives a column another type."""
