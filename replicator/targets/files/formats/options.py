"""What a files target's configuration says about the contents of its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from replicator.change import Operation

FormatName = Literal["csv", "tsv", "jsonl", "fixed", "xml", "template"]
Compression = Literal["none", "gzip", "zstd"]
Unencodable = Literal["park", "replace", "xmlcharref", "backslash", "remove"]
OPERATIONS: tuple[Operation, ...] = ("I", "U", "D", "T")


@dataclass(frozen=True, slots=True)
class ColumnOptions:
    """One column of the file: where its value comes from, and its form."""

    column: str  # of the source table
    pattern: str | None = None  # of a date, time or timestamp
    decimals: int | None = None
    width: int | None = None  # fixed width
    align: Literal["left", "right"] | None = None
    pad: str | None = None


@dataclass(frozen=True, slots=True)
class OperationOptions:
    """The column that says what happened to the row."""

    column: str = "op"
    position: Literal["first", "last", "none"] | int = "first"  # counted from 1
    words: Mapping[Operation, str] = field(default_factory=dict)
    width: int | None = None  # fixed width; None: of the longest word


@dataclass(frozen=True, slots=True)
class ValueOptions:
    """How values are written. None: as the format does."""

    null: str | None = None
    true: str | None = None
    false: str | None = None
    date: str | None = None
    time: str | None = None
    timestamp: str | None = None
    decimals: int | None = None
    decimal_mark: str = "."
    group_mark: str = ""


@dataclass(frozen=True, slots=True)
class DelimitedOptions:
    """csv and tsv."""

    delimiter: str = ","
    quote: str = '"'
    quoting: Literal["text", "minimal", "all", "none"] = "text"
    escape: str | None = None  # None: a backslash where nothing is quoted, else doubled quotes
    escape_letters: bool = False
    header: bool = True
    line_end: str = "\r\n"
    formula_guard: bool = False


@dataclass(frozen=True, slots=True)
class FixedOptions:
    """Fixed width."""

    unit: Literal["characters", "bytes"] = "characters"
    too_long: Literal["park", "cut"] = "park"
    header: bool = False
    line_end: str = "\r\n"


@dataclass(frozen=True, slots=True)
class XmlOptions:
    """XML."""

    root: str = "changes"
    row: str = "row"
    null: Literal["omit", "empty", "nil"] = "omit"
    invalid: Literal["park", "replace", "remove"] = "park"


@dataclass(frozen=True, slots=True)
class TemplateOptions:
    """A user's own form, in Jinja2."""

    line: str = ""
    head: str = ""
    foot: str = ""
    suffix: str = ".txt"
    line_end: str = "\n"


@dataclass(frozen=True, slots=True)
class FormatOptions:
    """All of it. `columns`: by source table, then by the name in the file, in the file's order."""

    format: FormatName = "csv"
    compress: Compression = "none"
    unencodable: Unencodable = "park"
    operations: frozenset[Operation] = frozenset(OPERATIONS)
    operation: OperationOptions = OperationOptions()
    values: ValueOptions = ValueOptions()
    columns: Mapping[str, Mapping[str, ColumnOptions]] = field(default_factory=dict)
    delimited: DelimitedOptions = DelimitedOptions()
    fixed: FixedOptions = FixedOptions()
    xml: XmlOptions = XmlOptions()
    template: TemplateOptions = TemplateOptions()

    def only(self, operation: Operation) -> FormatOptions:
        """The same for a file that holds one operation, and nothing if it is not wanted at all."""
        return replace(self, operations=self.operations & {operation})

    def word(self, operation: Operation) -> str:
        """What the third party calls an operation."""
        return self.operation.words.get(operation, operation)
