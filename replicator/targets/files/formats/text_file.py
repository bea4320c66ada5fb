"""A file as bytes: encoding, what cannot be encoded, and which changes are lines at all."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from replicator.change import Change, Operation, Row
from replicator.errors import DeliveryStopped
from replicator.pipeline.contract import Parked
from replicator.targets.files.formats.options import OPERATIONS, FormatOptions, Unencodable
from replicator.targets.files.formats.refusal import Unfit
from triggers.model import INCOMPLETE, Table

_HANDLERS: dict[Unencodable, str] = {
    "replace": "replace",
    "xmlcharref": "xmlcharrefreplace",
    "backslash": "backslashreplace",
    "remove": "ignore",
}


@dataclass(frozen=True, slots=True)
class Lines:
    """Some changes in the form of a file."""

    data: bytes
    count: int  # changes that are in the file now
    parked: list[Parked]
    replaced: int = 0  # changes of which characters were replaced


class Writer(Protocol):
    """What a format makes of rows, as text."""

    suffix: str
    head: str
    errors: str
    """Codec error handler that keeps the meaning of a character that the encoding lacks, or
    "strict" where the format has no such way."""

    def render(self, operations: Sequence[Operation], rows: Sequence[Row]) -> str:
        """Return the text of these rows; raise `Unfit` when one of them cannot be written."""

    def foot(self, count: int) -> str:
        """Return what stands below that many rows."""


class TextFile:
    """One table's file in one round; see `FileFormat`."""

    def __init__(self, writer: Writer, options: FormatOptions, table: Table, encoding: str) -> None:
        """Raise `DeliveryStopped` when the encoding lacks what the file always holds."""
        self.suffix = writer.suffix
        self._writer = writer
        self._encoding = encoding
        chosen = options.columns.get(table.name)
        self._columns = (
            [column.name for column in table.columns]
            if chosen is None
            else [entry.column for entry in chosen.values()]
        )
        self._operations = options.operations
        self._all = options.operations.issuperset(OPERATIONS)
        self._handler = _HANDLERS.get(options.unencodable)
        self._encoder = codecs.getincrementalencoder(encoding)(writer.errors)
        self._count = 0
        start = self._encoder.getstate()
        fixed = writer.head + writer.foot(0) + "".join(map(options.word, OPERATIONS))
        if self._encode(fixed) is None:
            raise DeliveryStopped(
                f"the encoding {encoding} cannot express the names that the files of table "
                f"{table.name} hold",
                "Choose an encoding that has all these characters, such as utf-8 or gb18030, or "
                "give the columns other names (`columns`).",
            )
        self._encoder.setstate(start)
        self._head = self._encode(writer.head) or b""

    def lines(self, changes: Sequence[Change]) -> Lines:
        """Encode changes; the head comes with the first line, and without lines no bytes."""
        if not self._all:
            changes = [change for change in changes if change.op in self._operations]
        refused: list[Parked] = []
        rows = [
            change.after if change.after is not None else change.before or {} for change in changes
        ]
        if any(INCOMPLETE in row for row in rows):
            refused = [
                Parked(change, str(row[INCOMPLETE]))
                for change, row in zip(changes, rows, strict=True)
                if INCOMPLETE in row
            ]
            changes = [
                change for change, row in zip(changes, rows, strict=True) if INCOMPLETE not in row
            ]
            rows = [row for row in rows if INCOMPLETE not in row]
        if not rows:
            return Lines(b"", 0, refused)
        try:
            data = self._encode(self._writer.render([change.op for change in changes], rows))
        except Unfit:
            data = None
        written = Lines(data, len(rows), []) if data is not None else self._singly(changes, rows)
        if not written.count:
            return Lines(b"", 0, refused + written.parked)
        data = self._head + written.data
        self._head = b""
        self._count += written.count
        return Lines(data, written.count, refused + written.parked, written.replaced)

    def end(self, *, even_empty: bool = False) -> bytes:
        """Return what closes the file; see `FileFormat.end`."""
        if not self._count and not even_empty:
            return b""
        head, self._head = self._head, b""
        return head + self._encoder.encode(self._writer.foot(self._count), True)

    def _encode(self, text: str) -> bytes | None:
        """Encode; None, and nothing happened, when it cannot be."""
        state = self._encoder.getstate()
        try:
            return self._encoder.encode(text)
        except UnicodeError:  # holds row values: it goes no further than this line
            self._encoder.setstate(state)
            return None

    def _singly(self, changes: Sequence[Change], rows: Sequence[Row]) -> Lines:
        encoded: list[bytes] = []
        parked: list[Parked] = []
        replaced = 0
        for change, row in zip(changes, rows, strict=True):
            try:
                data = self._encode(self._writer.render([change.op], [row]))
                if data is None and self._handler is not None:
                    data = self._encode(self._writer.render([change.op], [self._replaced(row)]))
                    replaced += data is not None
            except Unfit as unfit:
                parked.append(Parked(change, str(unfit)))
                continue
            if data is None:
                parked.append(Parked(change, self._lacking(row)))
            else:
                encoded.append(data)
        return Lines(b"".join(encoded), len(encoded), parked, replaced)

    def _replaced(self, row: Row) -> Row:
        """Replace before the format quotes: what comes in may be its delimiter."""
        return {name: self._encodable(value) for name, value in row.items()}

    def _encodable(self, value: Any) -> Any:
        if isinstance(value, str):
            data = value.encode(self._encoding, self._handler or "strict")
            return data.decode(self._encoding)
        if isinstance(value, list):
            return [self._encodable(item) for item in value]
        return value

    def _lacking(self, row: Row) -> str:
        for name in self._columns:
            try:
                str(row.get(name)).encode(self._encoding)
            except UnicodeError:
                return f'column "{name}" holds a character that the encoding {self._encoding} lacks'
        return f"the row holds a character that the encoding {self._encoding} lacks"
