"""Writes docs/types.md out of the code: `python -m tests.types_page`."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import make_url

from replicator.targets.sql.conversion import Conversion, Fit
from replicator.targets.sql.dialect import TargetColumn
from replicator.targets.sql.engines import definition_for, dialect_for
from triggers.model import Column, Kind

PAGE = Path(__file__).parent.parent / "docs" / "types.md"
TARGETS = {"PostgreSQL": "postgresql://", "MySQL, MariaDB": "mysql://", "SQLite": "sqlite://"}

HEAD = """# Types

What becomes of each type of a source in each kind of target. A value arrives as the same value
(**exact**), in another form from which it can be had back (**converted**), or the row is set aside
as a dead letter (**refused**): nothing is rounded, cut or padded on the way, whatever the target's
server would do by itself.

The tables name the type that `replicator tables create` gives the target's column. In *italics*:
values of the source's type that it cannot hold, which are refused one by one, or follow the
target's [`unfit`](guide/configuration.md#targets). A column of your own may have any type:
`replicator check` lists the configured tables' columns whose values are converted or may be
refused, with `--types` all of them. It prints the `ALTER TABLE` statement for a column in which no
form of the values could be kept; deliveries to such a column do not start.

- A column of the same type in the same engine holds the same values, if it is as wide.
- NUL in text has no place in PostgreSQL; such a text is refused. The tables do not repeat this.
- Points in time (`timestamp with time zone`, MySQL's `TIMESTAMP`) are in UTC wherever the target's
  type has no zone. A time without zone never becomes one with a zone: which one, nobody knows.
- Decimals become floats only where they read back as the same decimal (up to 15 digits), floats
  become decimals by the shortest text that reads back as the same float.
- Negative zero is kept by PostgreSQL and MySQL. MariaDB and SQLite have none: they keep zero, which
  SQL calls equal.
- MySQL's dates with a zero in them are refused by PostgreSQL, and kept everywhere else.
- SQLite's columns hold values of any storage class. Those that fit the declared type are converted
  like a column of that type; the others arrive where the target's type holds them, or are refused.
- A blob needs a `max_allowed_packet` of a little more than twice its size in MySQL and MariaDB: it
  is written as hexadecimal digits. A row that is larger is refused with an error that names the
  setting; the other rows are written.

This page is made by `python -m tests.types_page`.
"""


def _column(engine: str, kind: Kind, native: str, **facts: object) -> Column:
    return Column("c", kind, native, engine=engine, **facts)  # type: ignore[arg-type]


def _postgresql(kind: Kind, native: str, base: str = "", **facts: object) -> Column:
    return _column("postgresql", kind, native, base=base or native, **facts)


def _mysql(kind: Kind, native: str, **facts: object) -> Column:
    return _column("mysql", kind, native, **facts)


def _sqlite(kind: Kind, native: str) -> Column:
    return _column("sqlite", kind, native, precision=8 if kind is Kind.INTEGER else None)


SOURCES = {
    "PostgreSQL": [
        _postgresql(Kind.INTEGER, "smallint", precision=2),
        _postgresql(Kind.INTEGER, "integer", precision=4),
        _postgresql(Kind.INTEGER, "bigint", precision=8),
        _postgresql(Kind.INTEGER, "oid", precision=4, unsigned=True),
        _postgresql(Kind.DECIMAL, "numeric(12,2)", "numeric", precision=12, scale=2),
        _postgresql(Kind.DECIMAL, "numeric"),
        _postgresql(Kind.DECIMAL, "money", precision=19, scale=2),
        _postgresql(Kind.FLOAT, "real", precision=4),
        _postgresql(Kind.FLOAT, "double precision", precision=8),
        _postgresql(Kind.BOOLEAN, "boolean"),
        _postgresql(Kind.TEXT, "character varying(40)", "varchar", length=40),
        _postgresql(Kind.TEXT, "character(5)", "bpchar", length=5),
        _postgresql(Kind.TEXT, "text"),
        _postgresql(Kind.TEXT, "citext"),
        _postgresql(Kind.BYTES, "bytea"),
        _postgresql(Kind.DATE, "date"),
        _postgresql(Kind.TIME, "time without time zone", "time"),
        _postgresql(Kind.TIMETZ, "time with time zone", "timetz"),
        _postgresql(Kind.TIMESTAMP, "timestamp without time zone", "timestamp"),
        _postgresql(Kind.TIMESTAMPTZ, "timestamp with time zone", "timestamptz"),
        _postgresql(Kind.INTERVAL, "interval"),
        _postgresql(Kind.UUID, "uuid"),
        _postgresql(Kind.JSON, "json"),
        _postgresql(Kind.JSON, "jsonb"),
        _postgresql(Kind.ARRAY, "integer[]", "int4", element=Kind.INTEGER),
        _postgresql(Kind.ENUM, "mood", "public.mood"),
        _postgresql(Kind.OTHER, "place", "public.place"),
        *(
            _postgresql(Kind.OTHER, name)
            for name in ("int4range", "int4multirange", "hstore", "inet", "cidr", "macaddr")
        ),
        _postgresql(Kind.OTHER, "bit(8)", "bit"),
        _postgresql(Kind.OTHER, "bit varying(8)", "varbit"),
        *(_postgresql(Kind.OTHER, name) for name in ("xml", "tsvector", "point", "polygon")),
    ],
    "MySQL and MariaDB": [
        _mysql(Kind.INTEGER, "int", precision=4),
        _mysql(Kind.INTEGER, "int unsigned", precision=4, unsigned=True),
        _mysql(Kind.INTEGER, "bigint unsigned", precision=8, unsigned=True),
        _mysql(Kind.INTEGER, "year", precision=2),
        _mysql(Kind.DECIMAL, "decimal(65,30)", precision=65, scale=30),
        _mysql(Kind.FLOAT, "float", precision=4),
        _mysql(Kind.FLOAT, "double", precision=8),
        _mysql(Kind.BIT, "bit(8)"),
        _mysql(Kind.BIT, "bit(64)"),
        _mysql(Kind.DATE, "date"),
        _mysql(Kind.TIME, "time(6)", precision=6),
        _mysql(Kind.TIMESTAMP, "datetime(6)", precision=6),
        _mysql(Kind.TIMESTAMPTZ, "timestamp(6)", precision=6),
        _mysql(Kind.TEXT, "char(5)", length=5),
        _mysql(Kind.TEXT, "varchar(40)", length=40),
        _mysql(Kind.TEXT, "longtext", length=(1 << 32) - 1),
        _mysql(Kind.BYTES, "binary(16)", length=16),
        _mysql(Kind.BYTES, "longblob", length=(1 << 32) - 1),
        _mysql(Kind.ENUM, "enum('a','b')"),
        _mysql(Kind.ENUM, "set('a','b')"),
        _mysql(Kind.JSON, "json"),
        _mysql(Kind.UUID, "uuid"),
        _mysql(Kind.OTHER, "inet6"),
        _mysql(Kind.GEOMETRY, "geometry"),
    ],
    "SQLite": [
        _sqlite(Kind.INTEGER, "INTEGER"),
        _sqlite(Kind.FLOAT, "REAL"),
        _sqlite(Kind.DECIMAL, "NUMERIC"),
        _sqlite(Kind.TEXT, "TEXT"),
        _sqlite(Kind.BYTES, "BLOB"),
        _sqlite(Kind.TIMESTAMP, "DATETIME"),
        _sqlite(Kind.DYNAMIC, ""),
    ],
}


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for engine, columns in SOURCES.items():
        parts.append(f"\n## From {engine}\n\n")
        parts.append(_row(["source", *TARGETS]) + _row(["---"] * (len(TARGETS) + 1)))
        for column in columns:
            cells = [_cell(column, url) for url in TARGETS.values()]
            parts.append(_row([f"`{column.native}`" if column.native else "no type", *cells]))
    return "".join(parts)


def _cell(column: Column, url: str) -> str:
    target = make_url(url)
    type_ = definition_for(target).column_type(column, indexed=False)
    dialect = dialect_for(target)
    conversion = dialect.conversion(column, TargetColumn("c", type_.lower()))
    return f"`{type_}` {_outcome(conversion)}" if type_ else _outcome(conversion)


def _outcome(conversion: Conversion) -> str:
    assert conversion.fit is not Fit.REFUSED
    how = f"converted: {conversion.note}" if conversion.fit is Fit.CONVERTED else "exact"
    limits = ", ".join(part for part in conversion.limits.split(", ") if part != "NUL")
    return f"{how} *{limits}*" if limits else how


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
