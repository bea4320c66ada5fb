"""Changes as CSV (RFC 4180)."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from replicator.change import Change
from replicator.errors import DeliveryStopped
from replicator.pipeline.contract import Parked
from triggers.model import INCOMPLETE, Kind, Table

OPERATION_COLUMN = "op"

_json = msgspec.json.Encoder(decimal_format="number")


class _Bare(str):
    """Text that `csv` leaves unquoted: with QUOTE_NONNUMERIC it quotes all but numbers.

    This is how NULL (nothing at all) and the empty string (`""`) stay different; the constant that
    says so, csv.QUOTE_NOTNULL, only comes with Python 3.12.
    """

    __slots__ = ()

    def __float__(self) -> float:
        raise TypeError("not a number: it only looks like one to csv")


_NULL = _Bare("")
_TRUE = _Bare("true")
_FALSE = _Bare("false")
_AS_IS = frozenset({str, int})  # most values: spared the call of `_field`


class CsvFile:
    """The bytes of one table's file in one round: a header line, then one line per change.

    Columns: the operation (I, U, D or T), then the table's captured columns in table order: the
    new row of I and U, the old row of D as far as it is known, nothing for T. A column that the
    table had when a change was captured, and has no longer, is left out.

    Text is always quoted, numbers and true/false never are, NULL is an empty unquoted field and
    the empty string is `""`. Lines end in CR LF; line ends inside a value stay as they are.
    Decimals come with all their digits and without exponent; arrays as JSON text.
    """

    def __init__(self, table: Table, encoding: str) -> None:
        """Raise `DeliveryStopped` when the encoding cannot express the columns' names."""
        self._names = [column.name for column in table.columns]
        self._columns = [(column.name, column.kind is Kind.DECIMAL) for column in table.columns]
        self._encoding = encoding
        self._encoder = codecs.getincrementalencoder(encoding)()
        self._text = io.StringIO()
        self._line = csv.writer(self._text, quoting=csv.QUOTE_NONNUMERIC).writerow
        self._line([OPERATION_COLUMN, *self._names])
        header = self._encode()
        if header is None:
            raise DeliveryStopped(
                f"the encoding {encoding} cannot express a column name of table {table.name}",
                "Choose an encoding that holds all names, such as utf-8 or gb18030.",
            )
        self._header = header

    def lines(self, changes: Sequence[Change]) -> tuple[bytes, int, list[Parked]]:
        """Encode changes: bytes, lines in them, and the changes that cannot be written.

        The header comes with the first line; without any line there are no bytes.
        """
        incomplete = [
            Parked(change, change.after[INCOMPLETE])
            for change in changes
            if change.after is not None and INCOMPLETE in change.after
        ]
        if incomplete:
            changes = [change for change in changes if INCOMPLETE not in (change.after or ())]
        refused: list[Parked] = []
        for change in changes:
            self._write(change)
        data = self._encode()
        if data is None:
            data, refused = self._encode_singly(changes)
        if data and self._header:
            data, self._header = self._header + data, b""
        return data, len(changes) - len(refused), incomplete + refused

    def end(self) -> bytes:
        """Return what an encoding with shift states needs at the end of the file."""
        return self._encoder.encode("", final=True)

    def _write(self, change: Change) -> None:
        row = change.row.get
        fields: list[Any] = [
            value if type(value := row(name)) in _AS_IS else _field(value, plain)
            for name, plain in self._columns
        ]
        self._line([change.op, *fields])

    def _encode(self) -> bytes | None:
        """Encode and forget what was written; None, and nothing happened, when it cannot be."""
        text = self._text.getvalue()
        self._text.seek(0)
        self._text.truncate()
        state = self._encoder.getstate()
        try:
            return self._encoder.encode(text)
        except UnicodeError:  # holds row values: it goes no further than this line
            self._encoder.setstate(state)
            return None

    def _encode_singly(self, changes: Sequence[Change]) -> tuple[bytes, list[Parked]]:
        encoded = []
        refused = []
        for change in changes:
            self._write(change)
            data = self._encode()
            if data is None:
                refused.append(Parked(change, self._refusal(change)))
            else:
                encoded.append(data)
        return b"".join(encoded), refused

    def _refusal(self, change: Change) -> str:
        for name in self._names:
            try:
                str(_field(change.row.get(name), plain=False)).encode(self._encoding)
            except UnicodeError:
                return f'column "{name}" holds a character that the encoding {self._encoding} lacks'
        return f"the row holds a character that the encoding {self._encoding} lacks"


def _field(value: Any, plain: bool) -> Any:
    """Return what `csv` is to write for a wire value; `plain`: a decimal without exponent."""
    if value is None:
        return _NULL
    if value is True:
        return _TRUE
    if value is False:
        return _FALSE
    if isinstance(value, (str, int)):
        return value
    if isinstance(value, Decimal):
        return _Bare(format(value, "f")) if plain else value
    return _json.encode(value).decode()
