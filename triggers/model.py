"""What is captured: tables, their columns and the options of their capture."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal


class Kind(StrEnum):
    """How a column's values are encoded in `before` and `after` (see docs/wire-format.md)."""

    INTEGER = "integer"  # JSON number
    DECIMAL = "decimal"  # JSON number with all digits; "NaN", "Infinity", "-Infinity"
    FLOAT = "float"  # JSON number that reads back as the same double; "NaN", "Infinity", ...
    BOOLEAN = "boolean"  # true / false
    TEXT = "text"  # string as is
    BYTES = "bytes"  # "\\x" + lower-case hex
    DATE = "date"  # "2026-11-21"
    TIME = "time"  # "13:14:15.123456"; MySQL: "-838:59:59"
    TIMETZ = "timetz"  # "13:14:15.123456+02"
    TIMESTAMP = "timestamp"  # without zone: "2026-11-21T13:14:15.123456" or with a blank for the T
    TIMESTAMPTZ = "timestamptz"  # in UTC, same form, followed by "+00:00"
    INTERVAL = "interval"  # PostgreSQL's `postgres` style text
    JSON = "json"  # a string that holds the document's own text, untouched
    UUID = "uuid"  # "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
    BIT = "bit"  # MySQL BIT: JSON number
    ENUM = "enum"  # string; SET: comma-separated string
    ARRAY = "array"  # JSON array; text such as "[0:1]={1,2}" with lower bounds other than 1
    GEOMETRY = "geometry"  # lower-case hex: MySQL's SRID and WKB, PostGIS's EWKB
    DYNAMIC = "dynamic"  # SQLite: no declared type tells what to expect
    OTHER = "other"  # the engine's own text form


INCOMPLETE = ""
"""Name of the member that marks an image which lacks columns of its row. Its value says why."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a source table."""

    name: str
    kind: Kind
    native: str  # the type as the engine prints it: "numeric(12,2)", "varchar(40)", "int unsigned"
    nullable: bool = True
    generated: bool = False
    length: int | None = None  # characters or bytes, for text and bytes kinds
    precision: int | None = None  # digits of decimals; 4 or 8 for floats; bytes for integers
    scale: int | None = None
    unsigned: bool = False
    engine: Literal["postgresql", "mysql", "sqlite"] | None = None  # whose type `native` is
    element: Kind | None = None  # of an array's elements
    base: str = ""  # PostgreSQL: the type, or an array's element type, below all domains


@dataclass(frozen=True, slots=True)
class TableSpec:
    """A table that somebody wants captured, as the configuration names it."""

    name: str
    before: Literal["key", "full"] = "key"
    exclude: tuple[str, ...] = ()
    key: str | tuple[str, ...] | None = None  # a unique key's name or columns; None: primary key
    origin: Literal["skip", "record"] = "skip"
    always: bool = False


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key of a source table; `table` is the canonical name of the referenced one."""

    columns: tuple[str, ...]
    table: str
    referred: tuple[str, ...]
    on_delete: str = "NO ACTION"
    on_update: str = "NO ACTION"


@dataclass(frozen=True, slots=True)
class Table:
    """A source table as it is: canonical name, captured columns in table order, and its key."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    foreign_keys: tuple[ForeignKey, ...] = field(default=())

    def column(self, name: str) -> Column:
        """Return the named column; `KeyError` when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)
