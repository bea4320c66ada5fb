"""How values of PostgreSQL columns are printed, where row_to_json would print something else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from triggers.dialects.postgresql_columns import VECTORS
from triggers.model import Column, Kind

PLAIN = frozenset(
    {
        *("inet", "cidr", "macaddr", "macaddr8", "bit", "varbit", "xml", "tsvector", "tsquery"),
        *("int4range", "int8range", "numrange", "int4multirange", "int8multirange"),
        *("nummultirange", "pg_lsn", "xid", "xid8", "cid", "tid", "jsonpath"),
        *VECTORS,
    }
)
"""Types of kind `other` whose text no setting changes."""


def expression(column: Column, value: str) -> str:
    """Return an expression for `row_to_json` to print; `value` itself where that is right."""
    match column.kind:
        case Kind.FLOAT:
            return _signed_zero(f"{value}::pg_catalog.float8" if column.precision == 4 else value)
        case Kind.DECIMAL if column.base == "money":
            return _money(value, column.scale or 0)
        case Kind.TEXT if column.base == "char":
            return _single_byte(value)
        case Kind.GEOMETRY:
            return f"pg_catalog.lower({value}::pg_catalog.text)"
        case Kind.ARRAY:
            return _array(column, value)
        case _:
            return value + _cast(column.kind, column.base)


def _cast(kind: Kind, base: str) -> str:
    match kind:
        case Kind.JSON | Kind.ARRAY | Kind.GEOMETRY:
            return "::pg_catalog.text"
        case Kind.OTHER if "." in base or base in VECTORS:  # row_to_json may take them apart
            return "::pg_catalog.text"
        case Kind.INTEGER if base == "oid":
            return "::pg_catalog.int8"
        case _:
            return ""


def _signed_zero(value: str) -> str:
    # Printed as -0, it would be read as an integer, which has no sign.
    return (
        f"CASE WHEN {value} OPERATOR(pg_catalog.=) '0'::pg_catalog.float8"
        f" AND {value}::pg_catalog.text OPERATOR(pg_catalog.=) '-0'"
        f" THEN '-0.0'::pg_catalog.json ELSE pg_catalog.to_json({value}) END"
    )


def _money(value: str, scale: int) -> str:
    # Its text, and its cast to numeric, depend on lc_monetary of the session.
    unit = f"1e-{scale}"
    return (
        f"('x' OPERATOR(pg_catalog.||) pg_catalog.encode(pg_catalog.cash_send({value}), 'hex'))"
        f"::pg_catalog.bit(64)::pg_catalog.int8 OPERATOR(pg_catalog.*) {unit}::pg_catalog.numeric"
    )


def _single_byte(value: str) -> str:
    # Newer versions print bytes above 127 like this by themselves, older ones as broken text.
    return (
        f"CASE WHEN {value}::pg_catalog.int4 OPERATOR(pg_catalog.<) 0"
        f" THEN pg_catalog.encode(pg_catalog.charsend({value}), 'escape')"
        f" ELSE {value}::pg_catalog.text END"
    )


def _array(column: Column, value: str) -> str:
    match column.element:
        case Kind.FLOAT if column.base == "float4":
            elements = f"{value}::pg_catalog.float8[]"
        case Kind.DECIMAL if column.base == "money":
            elements = f"{value}::pg_catalog.numeric[]"
        case element:
            cast = _cast(element, column.base) if element else ""
            elements = value + (cast and f"{cast}[]")
    printed = f"pg_catalog.to_json({elements})"
    if column.element is Kind.FLOAT:
        printed = _signed_zeros(printed, value)
    dimensions = f"pg_catalog.replace(pg_catalog.array_dims({value}), '[1:', '')"
    return (
        f"CASE WHEN {dimensions} OPERATOR(pg_catalog.~~) '%[%'"
        f" THEN pg_catalog.to_json({value}::pg_catalog.text) ELSE {printed} END"
    )


def _signed_zeros(printed: str, value: str) -> str:
    """Return the printed array with each -0 as -0.0, like a single float's."""
    return (
        f"CASE WHEN {value}::pg_catalog.text OPERATOR(pg_catalog.~) '[{{,]-0[,}}]'"
        f" THEN pg_catalog.regexp_replace({printed}::pg_catalog.text, '(?<=[[,])-0(?=[],])',"
        f" '-0.0', 'g')::pg_catalog.json ELSE {printed} END"
    )


class Setting(NamedTuple):
    """A session setting that changes how values of some columns are printed."""

    name: str
    wanted: str
    printed_right: str  # condition on the current value, {}
    matters: Callable[[Column], bool]


def settings(columns: Iterable[Column]) -> list[Setting]:
    """Return the settings that change how these columns are printed."""
    wanted = tuple(columns)
    return [setting for setting in SETTINGS if any(map(setting.matters, wanted))]


def _holds(*kinds: Kind) -> Callable[[Column], bool]:
    return lambda column: bool({column.kind, column.element} & {*kinds}) or _opaque(column)


def _opaque(column: Column) -> bool:
    """Tell whether a type's text may hold that of any other."""
    other = Kind.OTHER in (column.kind, column.element) or column.element is Kind.ARRAY
    return other and column.base not in PLAIN


def _holds_names(column: Column) -> bool:
    return _opaque(column) and (column.base.startswith("reg") or "." in column.base)


def _holds_money(column: Column) -> bool:
    """Tell whether money is printed: in composites, and in arrays."""
    return _holds_names(column) or (column.kind is Kind.ARRAY and column.base == "money")


SETTINGS = (
    Setting(
        "TimeZone",
        "UTC",
        "{} OPERATOR(pg_catalog.=) ANY ('{{UTC,Etc/UTC,GMT}}'::pg_catalog.text[])",
        _holds(Kind.TIMESTAMPTZ),
    ),
    Setting(
        "extra_float_digits",
        "1",
        "{}::pg_catalog.int4 OPERATOR(pg_catalog.>) 0",
        _holds(Kind.FLOAT),
    ),
    Setting(
        "IntervalStyle",
        "postgres",
        "{} OPERATOR(pg_catalog.=) 'postgres'",
        _holds(Kind.INTERVAL),
    ),
    Setting("bytea_output", "hex", "{} OPERATOR(pg_catalog.=) 'hex'", _holds(Kind.BYTES)),
    Setting(
        "DateStyle",
        "ISO, YMD",
        "pg_catalog.starts_with({}, 'ISO')",
        lambda column: column.kind is Kind.ARRAY or _opaque(column),
    ),
    Setting(
        "search_path",
        "pg_catalog",
        "{} OPERATOR(pg_catalog.=) 'pg_catalog'",
        _holds_names,
    ),
    Setting(
        "quote_all_identifiers",
        "off",
        "{} OPERATOR(pg_catalog.=) 'off'",
        _holds_names,
    ),
    Setting("lc_monetary", "C", "{} OPERATOR(pg_catalog.=) 'C'", _holds_money),
)
