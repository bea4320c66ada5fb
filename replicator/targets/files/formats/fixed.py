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
        texts = column.texts(values, set(map(type, values)))
        number = column.kind in _NUMBERS
        align: str = column.options.align or ("right" if number else "left")
        pad = column.options.pad or " "
        if pad == "0" and number and align == "right":
            align = "zeros"
        if self._breaks.search("".join(text for text in texts if text is not None)):
            raise Unfit(
                f'column "{column.name}" holds a line end, which this format has no form for'
            )
        return [
            self._field(self._null, column, align.replace("zeros", "right"), " ")
            if text is None
            else self._field(text, column, align, pad)
            for text in texts
        ]

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
