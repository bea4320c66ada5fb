"""JSON Lines: one object for each change."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from typing import Any

from replicator.change import Operation, Row, json_encoder
from replicator.targets.files.formats.layout import FileColumn, Layout, Values
from replicator.targets.files.formats.options import ValueOptions
from replicator.targets.files.formats.refusal import Unfit


def _escapes(error: UnicodeError) -> tuple[str, int]:
    """Codec error handler: a character that the encoding lacks as JSON's own escape."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    pairs = (units[at : at + 2].hex() for at in range(0, len(units), 2))
    return "".join(f"\\u{pair}" for pair in pairs), error.end


codecs.register_error("replicator.json", _escapes)


class JsonWriter:
    """An object with the file's columns in their order; NULL is null, a number keeps its digits.

    A value for which there is a pattern, or a word (`true`, `false`, `null`), is a string.
    """

    errors = "replicator.json"
    suffix = ".jsonl"
    head = ""

    def __init__(self, layout: Layout, values: ValueOptions) -> None:
        self._layout = layout
        self._null = values.null
        self._words: dict[object, str] = {}
        if values.true is not None:
            self._words[True] = values.true
        if values.false is not None:
            self._words[False] = values.false

    def render(self, operations: Sequence[Operation], rows: Sequence[Row]) -> str:
        """One line for each row."""
        names = self._layout.names
        columns = [
            self._members(column, values)
            for column, values in zip(
                self._layout.columns, self._layout.values(operations, rows), strict=True
            )
        ]
        objects = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        try:
            return json_encoder.encode_lines(objects).decode()
        except UnicodeError:
            raise Unfit("half of a surrogate pair, which is no character") from None

    def foot(self, count: int) -> str:  # noqa: ARG002
        """Nothing."""
        return ""

    def _members(self, column: FileColumn, values: Values) -> Values:
        if column.as_is and not column.formed and not self._words and self._null is None:
            return values
        return [self._member(column, value) for value in values]

    def _member(self, column: FileColumn, value: Any) -> Any:
        if value is None:
            return self._null
        if isinstance(value, bool):
            return self._words.get(value, value)
        if type(value) in column.formed or (isinstance(value, str) and not column.as_is):
            return column.text(value)
        return value
