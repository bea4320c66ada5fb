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
# Letters that have been in names since XML's first edition, so that every reader takes them.
_START = (
    "A-Z_a-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u0131\u0134-\u013e\u0141-\u0148\u014a-\u017e"
    "\u0391-\u03a1\u03a3-\u03ce\u0401-\u040c\u040e-\u044f\u0451-\u045c"
    "\u3041-\u3094\u30a1-\u30fa\u4e00-\u9fa5\uac00-\ud7a3"
)
_NO_NAME = re.compile(f"^[^{_START}]|[^{_START}.0-9-]|_(?=x[0-9A-F]{{4,6}}_)|^[xX](?=[mM][lL])")
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
        self._row = element_name(options.row, encoding)
        self._root = element_name(options.root, encoding)
        self._invalid = options.invalid
        self._tags = [element_name(name, encoding) for name in layout.names]
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


def element_name(name: str, encoding: str) -> str:
    """Return a name that XML takes, and the encoding; different names stay different."""

    def escaped(character: str) -> str:
        return f"_x{ord(character):04X}_"

    def encodable(character: str) -> bool:
        try:
            character.encode(encoding)
        except UnicodeError:
            return False
        return True

    valid = _NO_NAME.sub(lambda match: escaped(match[0]), name)
    return "".join(c if encodable(c) else escaped(c) for c in valid)


def charset(encoding: str) -> str:
    """Return the name by which XML readers know one of Python's encodings."""
    name = codecs.lookup(encoding).name
    if re.fullmatch(r"cp125\d", name):
        return f"windows-{name[2:]}"
    if name.startswith("iso8859-"):
        return f"ISO-8859-{name[8:]}"
    return _CHARSETS.get(name, name.upper().replace("_", "-"))
