"""Bytes, UUIDs and MySQL's geometry."""

from __future__ import annotations

from typing import Any

from replicator.targets.sql.conversion import Conversion, Converter, Unfit
from replicator.targets.sql.values.characters import text_check
from replicator.targets.sql.values.holding import Binary, Geometries, Holding, Texts, Uuids
from replicator.targets.sql.values.outcome import EXACT, after, converted, exact, refused
from triggers.model import Column


def from_bytes(column: Column, holding: Holding) -> Conversion:
    """BYTES."""
    match holding:
        case Binary():
            same = column.native.lower() == f"binary({holding.length})"
            check, limits = _length(holding, column.length, same=same)
            if holding.written:
                return exact(None, limits)
            return exact(after(bytes_of, check), limits)
        case Texts():
            longest = None if column.length is None else 2 + 2 * column.length
            return converted("as `\\x` and hexadecimal digits", text_check(holding, longest))
        case Uuids() if column.length == 16:
            return converted("as the UUID of these 16 bytes", _uuid_text, "other than 16 bytes")
        case _:
            return refused()


def from_uuid(_column: Column, holding: Holding) -> Conversion:
    """UUID."""
    match holding:
        case Uuids():
            return EXACT
        case Texts():
            return converted("as text in lower case", text_check(holding, longest=36))
        case Binary(length=None, written=False) | Binary(length=16, written=False):
            return converted("as its 16 bytes", uuid_bytes)
        case Binary(written=True):
            return converted("as its 16 bytes", lambda value: "\\x" + value.replace("-", ""))
        case _:
            return refused()


def from_geometry(column: Column, holding: Holding) -> Conversion:
    """GEOMETRY: MySQL's own form, SRID and WKB; or PostGIS's EWKB."""
    match holding:
        case Geometries() if column.engine != "postgresql":
            return exact(bytes.fromhex)
        case Binary(length=None, written=True):
            return converted("as the bytes of its WKB", lambda value: "\\x" + value)
        case Binary(length=None):
            return converted("as the bytes of its WKB", bytes.fromhex)
        case Texts():
            return converted("as hexadecimal WKB", text_check(holding))
        case _:
            return refused()


def bytes_of(value: Any) -> bytes:
    """The bytes of `\\x` and hex."""
    if value[:2] != "\\x":
        raise Unfit("the value is not written as bytes")
    return bytes.fromhex(value[2:])


def uuid_bytes(value: Any) -> bytes:
    """The 16 bytes of a UUID."""
    return bytes.fromhex(value.replace("-", ""))


def _uuid_text(value: Any) -> str:
    digits = bytes_of(value).hex()
    if len(digits) != 32:
        raise Unfit("a UUID has 16 bytes")
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _length(holding: Binary, longest: int | None, *, same: bool) -> tuple[Converter | None, str]:
    length = holding.length
    if length is None or same:
        return None, ""
    if holding.fixed:

        def exactly(value: bytes) -> bytes:
            if len(value) != length:
                raise Unfit(f"the column's values have exactly {length} bytes")
            return value

        return exactly, f"other than {length} bytes"
    if longest is not None and 0 < longest <= length:
        return None, ""

    def at_most(value: bytes) -> bytes:
        if len(value) > length:
            raise Unfit(f"the value is longer than {length} bytes", value[:length])
        return value

    return at_most, f"more than {length} bytes"
