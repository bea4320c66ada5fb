"""Which columns take what another MySQL or MariaDB server writes of a column, as SQL.

In a strict session a value that does not fit is an error, with exceptions: digits after the point
are rounded, blanks at the end are cut off. So a target has to be as wide as the source. Types whose
values may be longer than a packet are left out, and those without a text that is always exact.
"""

from __future__ import annotations

import re

_TYPE = re.compile(r"([a-z]+)(?:\((\d+)\))?( unsigned)?( zerofill)?")

_INTEGERS = ("tinyint", "smallint", "mediumint", "int", "bigint", "year")
_WIDTHS = {"tinytext": 255, "text": 65_535, "tinyblob": 255, "blob": 65_535}
_ENDLESS = {"mediumtext", "longtext", "mediumblob", "longblob"}

_FAMILIES = {
    **dict.fromkeys(_INTEGERS, "integer"),
    **dict.fromkeys(("char", "varchar", "tinytext", "text", "mediumtext", "longtext"), "text"),
    **dict.fromkeys(("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"), "bytes"),
    **dict.fromkeys(("datetime", "timestamp"), "moment"),
    "date": "date",
    "time": "time",
}


def reads(source: str, target: str) -> bool:
    """Whether a column of the one type holds whatever is written of one of the other."""
    if re.fullmatch(r"decimal\(\d+,\d+\)( unsigned)?( zerofill)?", source):
        return source == target
    here, there = _TYPE.fullmatch(source), _TYPE.fullmatch(target)
    if here is None or there is None or here[1] in _ENDLESS:
        return False
    family = _FAMILIES.get(here[1])
    if family is None or family != _FAMILIES.get(there[1]):
        return False
    if source == target:
        return True
    if family == "integer":
        return there[1] != "year"
    if there[1] in ("char", "binary", "timestamp"):  # these cut, fill up, or end in 2038
        return False
    return there[1] in _ENDLESS or _width(there) >= _width(here)


def _width(found: re.Match[str]) -> int:
    return _WIDTHS.get(found[1]) or int(found[2] or 0)
