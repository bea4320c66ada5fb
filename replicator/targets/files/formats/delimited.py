"""Values between delimiters: CSV (RFC 4180) and TSV, in the dialects that third parties have."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import assert_never

from replicator.change import Operation, Row
from replicator.targets.files.formats.layout import FileColumn, Layout, Values
from replicator.targets.files.formats.options import DelimitedOptions
from replicator.targets.files.formats.refusal import Unfit

_TEXT = {str, list}  # types of values that are quoted as text; the others are numbers and booleans
_LINE_ENDS = "\x0a\x0b\x0c\x0d\x1c\x1d\x1e\x85\u2028\u2029"  # to one reader or another
_CONTROLS = "".join(map(chr, range(32))) + "\x7f" + _LINE_ENDS
_LETTERS = {"\0": "0", "\b": "b", "\t": "t", "\n": "n", "\v": "v", "\f": "f", "\r": "r"}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

Fields = Sequence[str]


class DelimitedWriter:
    """Lines of delimited values; NULL is the null text, never quoted.

    With `quoting`:

    - "text": text is quoted, numbers and true/false are where they hold a special character;
    - "minimal": what holds a special character, or would read as NULL;
    - "all": everything but NULL;
    - "none": nothing; special characters are escaped, and without an escape they do not fit.
    """

    errors = "strict"

    def __init__(
        self, layout: Layout, options: DelimitedOptions, null: str | None, suffix: str
    ) -> None:
        self.suffix = suffix
        self._layout = layout
        self._join = options.delimiter.join
        self._line_end = options.line_end
        self._guard = options.formula_guard
        self._quote = quote = options.quote
        bare = options.quoting == "none"
        self._escape = ("\\" if bare else "") if options.escape is None else options.escape
        self._null = null if null is not None else f"{self._escape}N" if bare else ""
        marks = options.delimiter + options.line_end + self._escape
        characters = marks + ("\r\n" if bare else quote + _CONTROLS)
        if bare and options.escape_letters:
            characters += "".join(_LETTERS)
        self._special = re.compile(f"[{re.escape(characters)}]")
        self._letters = _LETTERS if options.escape_letters else {}
        self._text, self._other = self._quoting(options)
        self.head = ""
        if options.header:
            self.head = self._join(self._text(layout.names)) + self._line_end

    def render(self, operations: Sequence[Operation], rows: Sequence[Row]) -> str:
        """One line for each row."""
        columns = [
            self._fields(column, values)
            for column, values in zip(
                self._layout.columns, self._layout.values(operations, rows), strict=True
            )
        ]
        if len(columns) == 1 and "" in columns[0]:
            raise Unfit(f'column "{self._layout.names[0]}" alone would make an empty line')
        return self._line_end.join(map(self._join, zip(*columns, strict=True))) + self._line_end

    def foot(self, count: int) -> str:  # noqa: ARG002
        """Nothing."""
        return ""

    def _fields(self, column: FileColumn, values: Values) -> Fields:
        types = set(map(type, values))
        if type(None) in types:
            types.discard(type(None))
            present = iter(self._fields(column, [v for v in values if v is not None]))
            return [self._null if value is None else next(present) for value in values]
        texts: Fields = column.texts(values, types)  # type: ignore[assignment]
        if types.isdisjoint(_TEXT):
            return self._other(texts)
        if types <= _TEXT:
            return self._text(self._guarded(texts) if self._guard else texts)
        return [
            (self._text(self._guarded([text])) if type(value) in _TEXT else self._other([text]))[0]
            for value, text in zip(values, texts, strict=True)
        ]

    def _guarded(self, texts: Fields) -> Fields:
        if not self._guard:
            return texts
        return [f"'{text}" if text.startswith(_FORMULA) else text for text in texts]

    def _quoting(
        self, options: DelimitedOptions
    ) -> tuple[Callable[[Fields], Fields], Callable[[Fields], Fields]]:
        """How texts, and how numbers and true/false, become fields."""
        match options.quoting:
            case "text":
                return self._all, self._minimal
            case "minimal":
                return self._minimal, self._minimal
            case "all":
                return self._all, self._all
            case "none":
                return self._escaped, self._escaped
            case _:
                assert_never(options.quoting)

    def _all(self, texts: Fields) -> Fields:
        quote, escape = self._quote, self._escape
        together = "".join(texts)
        if quote in together or (escape and escape in together):
            return [self._quoted(text) for text in texts]
        return [f"{quote}{text}{quote}" for text in texts]

    def _minimal(self, texts: Fields) -> Fields:
        special, null = self._special.search, self._null
        if null not in texts and not special("".join(texts)):
            return texts
        return [self._quoted(text) if text == null or special(text) else text for text in texts]

    def _quoted(self, text: str) -> str:
        quote, escape = self._quote, self._escape
        if escape and escape != quote:
            text = text.replace(escape, escape + escape)
        return f"{quote}{text.replace(quote, (escape or quote) + quote)}{quote}"

    def _escaped(self, texts: Fields) -> Fields:
        if not self._special.search("".join(texts)):
            return texts
        if not self._escape:
            raise Unfit(
                "a delimiter or line end inside a value, which is neither quoted nor escaped"
            )
        return [self._special.sub(self._escape_one, text) for text in texts]

    def _escape_one(self, match: re.Match[str]) -> str:
        return self._escape + self._letters.get(match[0], match[0])
