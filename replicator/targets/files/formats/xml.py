"""XML: well-formed whatever the rows hold."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence

from replicator.change import Operation, Row
from replicator.targets.files.formats.layout import FileColumn, Layout, Values
from replicator.targets.files.formats.options import XmlOptions
from replicator.targets.files.formats.refusal import Unfit

_INVALID = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SPECIAL = re.compile("[&<>\r]|[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_START = (
    "A-Z_a-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c\u200d"
    "\u2070-\u218f\u2c00-\u2fef\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"
)
_NO_NAME = re.compile(
    f"^[^{_START}]|[^{_START}.0-9\u00b7\u0300-\u036f\u203f\u2040-]|_(?=x[0-9A-F]{{4,6}}_)"
)
_NAMESPACE = ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
_NIL = ' xsi:nil="true"'
_CHARSETS = {
    "utf-8-sig": "UTF-8",
    "utf-16-le": "UTF-16LE",
    "utf-16-be": "UTF-16BE",
    "utf-32-le": "UTF-32LE",
    "utf-32-be": "UTF-32BE",
    "iso8859-1": "ISO-8859-1",
    "ascii": "US-ASCII",
    "cp932": "Windows-31J",
    "ptcp154": "PTCP154",
}


class XmlWriter:
    """A root element, a row element for each change, an element for each column.

    NULL is left out, empty, or marked by xsi:nil. What cannot stand in an element's name is written
    as _xHHHH_, the way SQL/XML maps names. Characters that the encoding lacks become references.
    Those that XML lacks (NUL and most control characters) do not fit, or become U+FFFD, or go.
    """

    errors = "xmlcharrefreplace"
    suffix = ".xml"

    def __init__(
        self, layout: Layout, options: XmlOptions, null: str | None, encoding: str
    ) -> None:
        self._layout = layout
        self._row = element_name(options.row)
        self._root = element_name(options.root)
        self._invalid = options.invalid
        self._tags = [element_name(name) for name in layout.names]
        self._nulls = [self._null_element(tag, options, null) for tag in self._tags]
        namespace = _NAMESPACE if options.null == "nil" else ""
        self.head = (
            f'<?xml version="1.0" encoding="{charset(encoding)}"?>\n<{self._root}{namespace}>\n'
        )

    def render(self, operations: Sequence[Operation], rows: Sequence[Row]) -> str:
        """One element on one line for each row; line ends inside values stay."""
        columns = [
            self._elements(number, column, values)
            for number, (column, values) in enumerate(
                zip(self._layout.columns, self._layout.values(operations, rows), strict=True)
            )
        ]
        begin, end = f"<{self._row}>", f"</{self._row}>\n"
        between = end + begin
        return begin + between.join(map("".join, zip(*columns, strict=True))) + end

    def foot(self, count: int) -> str:  # noqa: ARG002
        """The root element's end."""
        return f"</{self._root}>\n"

    def _elements(self, number: int, column: FileColumn, values: Values) -> list[str]:
        texts = column.texts(values, set(map(type, values)))
        if _SPECIAL.search("".join(text for text in texts if text is not None)):
            texts = [None if text is None else self._content(text, column) for text in texts]
        begin, end, null = (
            f"<{self._tags[number]}>",
            f"</{self._tags[number]}>",
            self._nulls[number],
        )
        return [null if text is None else f"{begin}{text}{end}" for text in texts]

    def _content(self, text: str, column: FileColumn) -> str:
        if _INVALID.search(text):
            if self._invalid == "park":
                raise Unfit(f'column "{column.name}" holds a character that XML lacks')
            text = _INVALID.sub("\ufffd" if self._invalid == "replace" else "", text)
        return text.translate(_ENTITIES)

    def _null_element(self, tag: str, options: XmlOptions, null: str | None) -> str:
        if null is not None:
            return f"<{tag}>{_INVALID.sub('', null).translate(_ENTITIES)}</{tag}>"
        match options.null:
            case "omit":
                return ""
            case "empty":
                return f"<{tag}/>"
            case "nil":
                return f"<{tag}{_NIL}/>"


def element_name(name: str) -> str:
    """Return a name that XML takes; different names stay different."""
    return _NO_NAME.sub(lambda match: f"_x{ord(match[0]):04X}_", name)


def charset(encoding: str) -> str:
    """Return the name by which XML readers know one of Python's encodings."""
    name = codecs.lookup(encoding).name
    if re.fullmatch(r"cp125\d", name):
        return f"windows-{name[2:]}"
    if name.startswith("iso8859-"):
        return f"ISO-8859-{name[8:]}"
    return _CHARSETS.get(name, name.upper().replace("_", "-"))
