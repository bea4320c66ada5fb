"""What the columns of MySQL and MariaDB hold."""

from __future__ import annotations

import re

from replicator.targets.sql.conversion import Conversion
from replicator.targets.sql.dialect import TargetColumn
from replicator.targets.sql.values import choose
from replicator.targets.sql.values.holding import (
    Binary,
    Bits,
    Dates,
    Decimals,
    Documents,
    Floats,
    Geometries,
    Holding,
    Integers,
    Own,
    Texts,
    Times,
    Timestamps,
    Uuids,
)
from replicator.targets.sql.values.outcome import EXACT
from replicator.targets.sql.values.texts import members_of
from triggers.model import Column

INTEGER_BYTES = {"tinyint": 1, "smallint": 2, "mediumint": 3, "int": 4, "bigint": 8}
_TEXT_BYTES = {"tinytext": (1 << 8) - 1, "text": (1 << 16) - 1, "mediumtext": (1 << 24) - 1}
# None for longtext and longblob: what a packet can hold, they hold.
_BLOB_BYTES = {"tinyblob": (1 << 8) - 1, "blob": (1 << 16) - 1, "mediumblob": (1 << 24) - 1}
_GEOMETRIES = (
    "geometry",
    "point",
    "linestring",
    "polygon",
    "multipoint",
    "multilinestring",
    "multipolygon",
    "geometrycollection",
    "geomcollection",
)
_CODECS = {
    "utf8mb4": (None, 4),
    "utf8mb3": (None, 3),
    "utf8": (None, 3),
    "latin1": ("cp1252", 1),
    "ascii": ("ascii", 1),
    "gbk": ("gbk", 2),
    "gb2312": ("gb2312", 2),
    "gb18030": (None, 4),
    "big5": ("big5", 2),
    "sjis": ("shift_jis", 2),
    "cp932": ("cp932", 2),
    "euckr": ("euc_kr", 2),
    "ujis": ("euc_jp", 3),
    "latin2": ("iso8859_2", 1),
    "latin5": ("iso8859_9", 1),
    "latin7": ("iso8859_13", 1),
    "greek": ("iso8859_7", 1),
    "hebrew": ("iso8859_8", 1),
    "cp1250": ("cp1250", 1),
    "cp1251": ("cp1251", 1),
    "cp1256": ("cp1256", 1),
    "cp1257": ("cp1257", 1),
    "koi8r": ("koi8_r", 1),
    "koi8u": ("koi8_u", 1),
}
"""Python's codec, where it lacks characters that MySQL's text may have, and bytes of a character.

The server, in strict mode, refuses what a character set lacks; here it is named in the matrix.
"""
_TYPE = re.compile(r"([a-z0-9]+)(?:\((\d+)(?:,(\d+))?\))?( unsigned)?( zerofill)?")


def conversion(column: Column, target: TargetColumn) -> Conversion:
    """How values of a source column become values of a column."""
    found = choose(column, holding(target))
    own = column.engine == "mysql" and column.native.lower() == target.type.lower()
    return EXACT if own and isinstance(holding(target), Own) else found


def holding(target: TargetColumn) -> Holding:
    """What a column can hold."""
    members = members_of(target.type)
    if members is not None:
        return members
    found = _TYPE.fullmatch(target.type.lower())
    if found is None:
        return Own(target.type)
    name, first, second, unsigned, _ = found.groups()
    size = None if first is None else int(first)
    if name in INTEGER_BYTES:
        bits = 8 * INTEGER_BYTES[name]
        return (
            Integers(0, (1 << bits) - 1)
            if unsigned
            else Integers(-(1 << bits - 1), (1 << bits - 1) - 1)
        )
    if name.endswith(("char", "text")):
        return _text(name, size, target.charset)
    if name.endswith(("binary", "blob")):
        if name.endswith("blob"):
            return Binary(_BLOB_BYTES.get(name))
        return Binary(1 if size is None else size, fixed=name == "binary")
    return _other(name, size, None if second is None else int(second))


def _text(name: str, size: int | None, charset: str | None) -> Holding:
    codec, widest = _CODECS.get(charset or "utf8mb4", (None, 4))
    if name.endswith("text"):
        return Texts(size=_TEXT_BYTES.get(name), codec=codec, widest=widest)
    return Texts(
        characters=1 if size is None else size, codec=codec, widest=widest, trims=name == "char"
    )


def _other(name: str, size: int | None, scale: int | None) -> Holding:
    match name:
        case "year":
            return Integers(1901, 2155, zero_too=True)
        case "decimal":
            return Decimals(size or 10, scale or 0)
        case "float" | "double":
            return Floats(4 if name == "float" else 8, scale=scale)
        case "bit":
            return Bits(size or 1, digits=False)
        case "date":
            return Dates(wide=False)
        case "time":
            return Times(size or 0, long=True)
        case "datetime" | "timestamp":
            epoch = name == "timestamp"
            return Timestamps(size or 0, zoned=epoch, wide=False, epoch=epoch)
        case "json":
            return Documents("mysql")
        case "uuid":
            return Uuids()
        case _ if name in _GEOMETRIES:
            return Geometries()
        case _:
            return Own(name)
