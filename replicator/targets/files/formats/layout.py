"""Which columns a file has, in which order, and the text of their values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from operator import itemgetter
from typing import Any

from replicator.change import Operation, Row, encode
from replicator.errors import DeliveryStopped
from replicator.targets.files.formats.options import (
    OPERATIONS,
    ColumnOptions,
    FormatOptions,
    ValueOptions,
)
from replicator.targets.files.formats.refusal import Unfit
from replicator.targets.files.formats.time_pattern import TimePattern
from triggers.model import Kind, Table

_NUMBERS = frozenset({int, Decimal})
_FRACTIONS = frozenset({Kind.DECIMAL, Kind.FLOAT})
_ROUNDING = Context(prec=200_000, rounding=ROUND_HALF_UP)  # digits: more than any engine has
_TIMES = {
    Kind.DATE: "date",
    Kind.TIME: "time",
    Kind.TIMETZ: "time",
    Kind.TIMESTAMP: "timestamp",
    Kind.TIMESTAMPTZ: "timestamp",
}

Values = list[Any]
Text = Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class FileColumn:
    """One column of a file. `source` is None for the operation."""

    name: str
    source: str | None
    kind: Kind
    options: ColumnOptions
    text: Text  # of one value that is not NULL
    as_is: bool  # a string is its own text
    digits: Callable[[Decimal], str] | None  # a decimal's text, where no pattern asks for another
    formed: frozenset[type]  # of values whose text is a pattern's: no number, true or false

    def texts(self, values: Values, types: set[type]) -> Sequence[str | None]:
        """Return the values' texts, None for NULL; `types` are theirs."""
        if self.as_is and types == {str}:
            return values
        if types == {int} and int not in self.formed:
            return list(map(str, values))
        if types == {Decimal} and self.digits is not None:
            return list(map(self.digits, values))
        text = self.text
        return [None if value is None else text(value) for value in values]


class Layout:
    """The columns of one table's files."""

    def __init__(self, options: FormatOptions, table: Table) -> None:
        """Raise `DeliveryStopped` when the table has not what the options ask for."""
        self.words: Mapping[Operation, str] = {
            operation: options.word(operation) for operation in OPERATIONS
        }
        self.columns = list(_columns(options, table))
        place = options.operation.position
        if place != "none":
            last = len(self.columns) if place == "last" else 0
            at = place - 1 if isinstance(place, int) else last
            self.columns.insert(at, _operation(options))
        _check_distinct(self.columns, table)
        self.names = [column.name for column in self.columns]
        self._getters = [
            None if column.source is None else itemgetter(column.source) for column in self.columns
        ]

    def values(self, operations: Sequence[Operation], rows: Sequence[Row]) -> list[Values]:
        """Return the values of each column, from rows that may lack some of them."""
        columns: list[Values] = []
        for column, getter in zip(self.columns, self._getters, strict=True):
            if getter is None:
                columns.append([self.words[operation] for operation in operations])
                continue
            try:
                columns.append(list(map(getter, rows)))
            except KeyError:
                columns.append([row.get(column.source or "") for row in rows])
        return columns


def _columns(options: FormatOptions, table: Table) -> list[FileColumn]:
    chosen = options.columns.get(table.name)
    if chosen is None:
        chosen = {column.name: ColumnOptions(column.name) for column in table.columns}
    kinds = {column.name: column.kind for column in table.columns}
    missing = [entry.column for entry in chosen.values() if entry.column not in kinds]
    if missing:
        raise DeliveryStopped(
            f"the files of table {table.name} are to hold columns that it has not: "
            + ", ".join(missing),
            "Correct the target's columns, or capture these (see the source's `exclude`).",
        )
    return [
        _column(name, entry, kinds[entry.column], options.values) for name, entry in chosen.items()
    ]


def _operation(options: FormatOptions) -> FileColumn:
    name = options.operation.column
    longest = max(len(options.word(operation)) for operation in OPERATIONS)
    entry = ColumnOptions("", width=options.operation.width or longest)
    return FileColumn(name, None, Kind.TEXT, entry, str, True, None, frozenset())


def _column(name: str, entry: ColumnOptions, kind: Kind, values: ValueOptions) -> FileColumn:
    pattern = entry.pattern
    if pattern is None and kind in _TIMES:
        pattern = getattr(values, _TIMES[kind])
    form: Text = str if pattern is None else TimePattern(pattern)
    number, formed = _number(entry, kind, values)

    def text(value: Any) -> str:
        if isinstance(value, str):
            return _explained(form, value, name)
        if value is True:
            return values.true or "true"
        if value is False:
            return values.false or "false"
        if isinstance(value, (int, Decimal)):
            return number(value)
        return encode(value).decode()

    digits = None if formed else _written_out if kind is Kind.DECIMAL else str
    return FileColumn(name, entry.column, kind, entry, text, pattern is None, digits, formed)


def _explained(form: Text, value: str, name: str) -> str:
    try:
        return form(value)
    except Unfit as unfit:
        raise Unfit(f'column "{name}" holds {unfit}') from None


def _number(entry: ColumnOptions, kind: Kind, values: ValueOptions) -> tuple[Text, frozenset[type]]:
    """How a number is written, and the types of those that Python's own text is not right for."""
    decimals = values.decimals if entry.decimals is None else entry.decimals
    mark, group = values.decimal_mark, values.group_mark
    if kind not in _FRACTIONS and kind is not Kind.DYNAMIC:
        return str, frozenset()
    if decimals is None and mark == "." and not group:
        return (_plain if kind is Kind.DECIMAL else str), frozenset()
    unit = None if decimals is None else Decimal(1).scaleb(-decimals)
    spec = ",f" if group else "f"
    marks = str.maketrans({",": group, ".": mark})

    def number(value: int | Decimal) -> str:
        exact = Decimal(value)
        if unit is not None:
            exact = exact.quantize(unit, context=_ROUNDING)
            exact = exact if exact else abs(exact)
        return format(exact, spec).translate(marks)

    if kind is Kind.DYNAMIC:
        return (lambda value: str(value) if type(value) is int else number(value)), _NUMBERS
    return number, _NUMBERS


def _plain(value: int | Decimal) -> str:
    return str(value) if isinstance(value, int) else _written_out(value)


def _written_out(value: Decimal) -> str:
    """All digits, no exponent."""
    text = str(value)
    return format(value, "f") if "E" in text else text


def _check_distinct(columns: Sequence[FileColumn], table: Table) -> None:
    names: set[str] = set()
    for column in columns:
        if column.name in names:
            raise DeliveryStopped(
                f'the files of table {table.name} would have two columns named "{column.name}"',
                "Give the operation's column another name (`operation`), or change `columns`.",
            )
        names.add(column.name)
