"""Fixed width: each value in its place, padded."""

from __future__ import annotations

import re
from collections.abc import Sequence

from replicator.change import Operation, Row
from replicator.errors import DeliveryStopped
from replicator.targets.files.formats.layout import FileColumn, Layout, Values
from replicator.targets.files.formats.options import FixedOptions
from replicator.targets.files.formats.refusal import Unfit
from triggers.model import Kind, Table

_NUMBER = re.compile(r"[+-]?[0-9]+\D?[0-9]*", re.ASCII).fullmatch  # and not NaN
_NUMBERS = {Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT, Kind.BIT}


class FixedWriter:
    """Numbers to the right, everything else to the left, unless the column says otherwise.

    A value that holds a line end does not fit; one that is too long does not either, or is cut.
    A number padded with zeros keeps its sign in front; NULL and NaN are padded with blanks.
    """

    errors = "strict"
    suffix = ".txt"

    def __init__(
        self,
        layout: Layout,
        options: FixedOptions,
        null: str | None,
        table: Table,
        encoding: str,
    ) -> None:
        """Raise `DeliveryStopped` when a column has no width."""
        self._layout = layout
        self._null = null or ""
        self._cut = options.too_long == "cut"
        self._encoding = encoding if options.unit == "bytes" else ""
        self._mark = len("".encode(encoding))  # a byte order mark is part of no value
        self._narrow = len("a".encode(encoding)) - self._mark == 1
        self._line_end = options.line_end
        self._breaks = re.compile(f"[\r\n{re.escape(options.line_end)}]")
        for column in layout.columns:
            if not column.options.width:
                raise DeliveryStopped(
                    f'column "{column.name}" of the files of table {table.name} has no width',
                    f'Write "{column.name}" = {{ column = "{column.source}", width = 10 }} below '
                    f'the target\'s columns."{table.name}".',
                )
        self.head = self._header(table) if options.header else ""

    def render(self, operations: Sequence[Operation], rows: Sequence[Row]) -> str:
        """One line for each row."""
        columns = [
            self._fields(column, values)
            for column, values in zip(
                self._layout.columns, self._layout.values(operations, rows), strict=True
            )
        ]
        return self._line_end.join(map("".join, zip(*columns, strict=True))) + self._line_end

    def foot(self, count: int) -> str:  # noqa: ARG002
        """Nothing."""
        return ""

    def _header(self, table: Table) -> str:
        try:
            fields = [
                self._field(column.name, column, "left", " ") for column in self._layout.columns
            ]
        except Unfit as unfit:
            raise DeliveryStopped(
                f"the header of the files of table {table.name}: {unfit}",
                "Make the column wider or its name shorter, or leave out the header.",
            ) from None
        return "".join(fields) + self._line_end

    def _fields(self, column: FileColumn, values: Values) -> list[str]:
        types = set(map(type, values))
        if type(None) in types:
            present = iter(self._fields(column, [value for value in values if value is not None]))
            null = self._null_field(column)
            return [null if value is None else next(present) for value in values]
        texts: Sequence[str] = column.texts(values, types)  # type: ignore[assignment]
        together = "".join(texts)
        if self._breaks.search(together):
            raise Unfit(
                f'column "{column.name}" holds a line end, which this format has no form for'
            )
        width, align, pad = column.options.width or 0, _align(column), column.options.pad or " "
        counted = not self._encoding or (self._narrow and together.isascii())
        if counted and align != "zeros" and max(map(len, texts), default=0) <= width:
            fill = str.ljust if align == "left" else str.rjust
            return [fill(text, width, pad) for text in texts]
        return [self._field(text, column, align, pad) for text in texts]

    def _null_field(self, column: FileColumn) -> str:
        return self._field(self._null, column, _align(column).replace("zeros", "right"), " ")

    def _field(self, text: str, column: FileColumn, align: str, pad: str) -> str:
        width = column.options.width or 0
        missing = width - self._length(text)
        while missing < 0:
            if not self._cut:
                raise Unfit(f'column "{column.name}" holds a value that is longer than {width}')
            text = text[: min(width, len(text) - 1)]
            missing = width - self._length(text)
        if align == "left":
            return text + pad * missing
        if align == "zeros":
            return text.zfill(len(text) + missing) if _NUMBER(text) else " " * missing + text
        return pad * missing + text

    def _length(self, text: str) -> int:
        if not self._encoding:
            return len(text)
        try:
            return len(text.encode(self._encoding)) - self._mark
        except UnicodeError:
            return len(text)  # the file finds the same, and has an answer


def _align(column: FileColumn) -> str:
    number = column.kind in _NUMBERS
    align = column.options.align or ("right" if number else "left")
    return "zeros" if number and align == "right" and column.options.pad == "0" else align
