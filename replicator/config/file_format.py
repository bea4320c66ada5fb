"""Keys for the contents of files: format, encoding, columns, and the form of values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from replicator.change import Operation
from replicator.config.errors import InvalidValue
from replicator.config.field import EncodingField, Text
from replicator.config.section import Section
from replicator.targets.files.formats.options import (
    OPERATIONS,
    ColumnOptions,
    Compression,
    DelimitedOptions,
    FixedOptions,
    FormatOptions,
    OperationOptions,
    TemplateOptions,
    Unencodable,
    ValueOptions,
    XmlOptions,
)
from replicator.targets.files.formats.template import check_template
from replicator.targets.files.formats.time_pattern import TimePattern

_PLACES = ("first", "last", "none")


def _character(text: str) -> str:
    if len(text) != 1 or text in "\r\n":
        raise InvalidValue("must be one character, and no line end")
    return text


def _at_most_one(text: str) -> str:
    return _character(text) if text else text


def _delimiter(text: str) -> str:
    if "\r" in text or "\n" in text:
        raise InvalidValue("must not hold a line end")
    return text


def _pattern(text: str) -> str:
    try:
        TimePattern(text)
    except ValueError as error:
        hint = "known are %Y %y %m %b %d %H %I %p %M %S %f %3f %z %%"
        raise InvalidValue(str(error), hint) from None
    return text


def _position(value: object) -> object:
    if value in _PLACES or (type(value) is int and value >= 1):
        return value
    raise InvalidValue('must be "first", "last", "none", or a number from 1')


def _operations(operations: list[Operation]) -> list[Operation]:
    if len(set(operations)) < len(operations):
        raise InvalidValue("names an operation twice")
    return operations


Character = Annotated[str, AfterValidator(_character)]
Mark = Annotated[str, AfterValidator(_at_most_one)]
TimePatternField = Annotated[Text, AfterValidator(_pattern)]
Decimals = Annotated[int, Field(ge=0, le=100)]
Width = Annotated[int, Field(ge=1, le=1_000_000)]
Position = Annotated[
    Literal["first", "last", "none"] | int,
    PlainValidator(_position),
    WithJsonSchema({"anyOf": [{"enum": list(_PLACES)}, {"type": "integer", "minimum": 1}]}),
]
OperationField = Literal["I", "U", "D", "T"]


class _Delimited(Section):
    delimiter: Annotated[Text, AfterValidator(_delimiter)] = ","
    """What stands between values: one or more characters."""

    quote: Character = '"'
    """What stands around a quoted value; doubled inside it, unless there is an `escape`."""

    quoting: Literal["text", "minimal", "all", "none"] = "text"
    """"text": all text, never numbers, true and false; "minimal": where it is needed; "all"; or
    "none", with special characters escaped. NULL is never quoted."""

    escape: Mark | None = None
    """What stands before a special character. Default: a backslash with `quoting = "none"`, else
    nothing. "" with "none": rows with special characters are set aside."""

    escape_letters: bool = False
    """With `quoting = "none"`: control characters as letters, a line feed as \\n."""

    header: bool = True
    """A first line with the columns' names."""

    line_end: Text = "\r\n"
    """What ends each line."""

    formula_guard: bool = False
    """Put ' before text that a spreadsheet would take for a formula (= + - @)."""

    @field_validator("escape")
    @classmethod
    def _check_escape(cls, escape: str | None, info: ValidationInfo) -> str | None:
        if escape and escape in info.data.get("delimiter", ""):
            raise InvalidValue("is the delimiter too")
        return escape

    @field_validator("quote")
    @classmethod
    def _check_quote(cls, quote: str, info: ValidationInfo) -> str:
        if quote in info.data.get("delimiter", ""):
            raise InvalidValue("is the delimiter too")
        return quote


class CsvFormat(_Delimited):
    """Values between commas, or another delimiter."""

    type: Literal["csv"] = "csv"


class TsvFormat(_Delimited):
    """Values between tabs, as COPY and LOAD DATA read them."""

    type: Literal["tsv"] = "tsv"

    delimiter: Annotated[Text, AfterValidator(_delimiter)] = "\t"
    """What stands between values: one or more characters."""

    quoting: Literal["text", "minimal", "all", "none"] = "none"
    """"none": special characters are escaped; or "text", "minimal", "all", as for csv."""

    escape_letters: bool = True
    """With `quoting = "none"`: control characters as letters, a line feed as \\n."""

    line_end: Text = "\n"
    """What ends each line."""


class JsonlFormat(Section):
    """JSON Lines: an object for each change."""

    type: Literal["jsonl"] = "jsonl"


class FixedFormat(Section):
    """Fixed width; each of the target's `columns` needs a `width`."""

    type: Literal["fixed"] = "fixed"

    unit: Literal["characters", "bytes"] = "characters"
    """What a width counts: characters, or bytes in the file's encoding."""

    too_long: Literal["park", "cut"] = "park"
    """A value that is longer than its column: the row is set aside, or the value cut."""

    header: bool = False
    """A first line with the columns' names."""

    line_end: Text = "\r\n"
    """What ends each line."""


class XmlFormat(Section):
    """XML: an element for each change, in it an element for each column."""

    type: Literal["xml"] = "xml"

    root: Text = "changes"
    """Name of the element around everything."""

    row: Text = "row"
    """Name of the element around a change."""

    null: Literal["omit", "empty", "nil"] = "omit"
    """NULL: no element, an empty one, or one with xsi:nil="true"."""

    invalid: Literal["park", "replace", "remove"] = "park"
    """Characters that XML lacks, such as NUL: the row is set aside, they become U+FFFD, or go."""


class TemplateFormat(Section):
    """A form of one's own, in Jinja2."""

    type: Literal["template"] = "template"

    line: Text
    """What is written for a change, from `row`, `op`, `table` and `columns`."""

    head: str = ""
    """What stands above the first line, from `table` and `columns`."""

    foot: str = ""
    """What stands below the last one, from `table`, `columns` and `count`."""

    suffix: str = ".txt"
    """The usual end of the file's name."""

    line_end: str = "\n"
    """What ends each line, the head and the foot."""

    @model_validator(mode="after")
    def _check_templates(self) -> Self:
        for part, problem in check_template(TemplateOptions(**self.model_dump(exclude={"type"}))):
            raise InvalidValue(f"{part}: {problem}")
        return self


AnyFormat = CsvFormat | TsvFormat | JsonlFormat | FixedFormat | XmlFormat | TemplateFormat
FORMATS: dict[str, type[Section]] = {
    get_args(section.model_fields["type"].annotation)[0]: section for section in get_args(AnyFormat)
}
_NAME_OR_TABLE: Any = (
    Literal["csv", "tsv", "jsonl", "xml"] | Annotated[AnyFormat, Field(discriminator="type")]
)
FormatField = Annotated[
    AnyFormat,
    Field(discriminator="type"),
    BeforeValidator(
        lambda value: {"type": value} if isinstance(value, str) else value,
        json_schema_input_type=_NAME_OR_TABLE,
    ),
]


class ColumnEntry(Section):
    """One column of the files."""

    column: Text
    """The table's column."""

    pattern: TimePatternField | None = None
    """The form of this date, time or timestamp."""

    decimals: Decimals | None = None
    """Digits after the decimal mark; more are rounded, half away from zero."""

    width: Width | None = None
    """fixed: how wide it is."""

    align: Literal["left", "right"] | None = None
    """fixed: default "right" for numbers, else "left"."""

    pad: Character | None = None
    """fixed: what fills it, default a blank."""


ColumnField = Annotated[
    ColumnEntry,
    BeforeValidator(
        lambda value: {"column": value} if isinstance(value, str) else value,
        json_schema_input_type=Text | ColumnEntry,
    ),
]


class OperationColumn(Section):
    """The column that says what happened to the row."""

    column: Text = "op"
    """Its name."""

    position: Position = "first"
    """"first", "last", a number from 1, or "none" for no such column."""

    words: dict[OperationField, Text] = {}
    """What is written for I (insert), U (update), D (delete), T (truncate), where it is another
    word than the letter."""

    width: Width | None = None
    """fixed: how wide it is. Default: as the longest word."""


class ValueForms(Section):
    """How values are written, whatever the column."""

    null: str | None = None
    """NULL. Default: nothing in csv, \\N where nothing is quoted, null in jsonl."""

    true: Text | None = None
    """Default: true."""

    false: Text | None = None
    """Default: false."""

    date: TimePatternField | None = None
    """As in "%d.%m.%Y". Default: as the source writes it."""

    time: TimePatternField | None = None
    """As in "%H:%M:%S"."""

    timestamp: TimePatternField | None = None
    """As in "%Y-%m-%dT%H:%M:%S.%3f%z"."""

    decimals: Decimals | None = None
    """Digits after the decimal mark of decimals and floats; more are rounded, half away from
    zero. Default: as many as there are."""

    decimal_mark: Character = "."
    """What stands before them."""

    group_mark: Mark = ""
    """What stands between groups of three digits of decimals and floats."""

    @field_validator("group_mark")
    @classmethod
    def _check_marks(cls, group_mark: str, info: ValidationInfo) -> str:
        if group_mark and group_mark == info.data.get("decimal_mark"):
            raise InvalidValue("is the decimal mark too")
        return group_mark


class FileContents(Section):
    """What the files of a target hold, and in which form."""

    format: FormatField = CsvFormat()
    """"csv", "tsv", "jsonl" or "xml"; or a table with `type` (these, "fixed" or "template") and the
    format's own keys."""

    encoding: EncodingField = "utf-8"
    """Any text encoding that Python knows: utf-8, utf-8-sig (it begins with a byte order mark),
    gb18030, cp1252, ..."""

    unencodable: Unencodable = "park"
    """A character that the encoding lacks: the row is set aside ("park"), or a ? takes its place
    ("replace"), &#228; ("xmlcharref"), \\xe4 ("backslash") or nothing ("remove")."""

    compress: Compression = "none"
    """"gzip" or "zstd"; put .gz or .zst into `name` too."""

    operations: Annotated[list[OperationField], AfterValidator(_operations)] = Field(
        default=list(OPERATIONS), min_length=1
    )
    """Only these: I (insert), U (update), D (delete), T (truncate)."""

    operation: OperationColumn = OperationColumn()
    """The column that says what happened to the row."""

    values: ValueForms = ValueForms()
    """How values are written."""

    columns: dict[Text, dict[Text, ColumnField]] = {}
    """For a table: name in the file = column, in the file's order. Other columns are left out.
    Default: all columns, under their own names."""

    @field_validator("columns")
    @classmethod
    def _check_columns(
        cls, columns: dict[str, dict[str, ColumnEntry]], info: ValidationInfo
    ) -> dict[str, dict[str, ColumnEntry]]:
        if not isinstance(info.data.get("format"), FixedFormat):
            return columns
        for table, entries in columns.items():
            for name, entry in entries.items():
                if entry.width is None:
                    raise InvalidValue(
                        f'"{name}" of {table} needs a width',
                        f'"{name}" = {{ column = "{entry.column}", width = 10 }}',
                    )
        return columns

    @field_validator("values")
    @classmethod
    def _check_null(cls, values: ValueForms, info: ValidationInfo) -> ValueForms:
        form = info.data.get("format")
        if isinstance(form, _Delimited) and values.null is not None:
            for mark in (form.delimiter, form.line_end, "\r", "\n"):
                if mark in values.null:
                    raise InvalidValue("null holds a delimiter or line end")
        return values

    def contents(self, canonical: Callable[[str], str] = str) -> FormatOptions:
        """Return all this as the files target takes it; `canonical` gives a table's own name."""
        form = self.format
        keys = form.model_dump(exclude={"type"})
        return FormatOptions(
            format=form.type,
            compress=self.compress,
            unencodable=self.unencodable,
            operations=frozenset(self.operations),
            operation=OperationOptions(**self.operation.model_dump()),
            values=ValueOptions(**self.values.model_dump()),
            columns={
                canonical(table): {
                    name: ColumnOptions(**entry.model_dump()) for name, entry in entries.items()
                }
                for table, entries in self.columns.items()
            },
            delimited=DelimitedOptions(**keys) if isinstance(form, _Delimited) else _DELIMITED,
            fixed=FixedOptions(**keys) if isinstance(form, FixedFormat) else FixedOptions(),
            xml=XmlOptions(**keys) if isinstance(form, XmlFormat) else XmlOptions(),
            template=(
                TemplateOptions(**keys) if isinstance(form, TemplateFormat) else TemplateOptions()
            ),
        )


_DELIMITED = DelimitedOptions()
