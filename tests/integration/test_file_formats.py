"""Databases read the files with their own commands, and find the values."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.engine import make_url

from replicator.targets.files.formats import FormatOptions, new_file
from replicator.targets.files.formats.options import DelimitedOptions
from tests.conftest import MakeDatabase
from tests.golden.cases import CASES, CHANGES, ITEMS, NAMES
from triggers.engine import make_engine

_COLUMNS = ", ".join(f"{name} text" for name in ("op", *NAMES))
_TSV, _ = CASES["tsv-utf-8"]
_CSV, _ = CASES["csv-utf-8"]
_MINIMAL = replace(_CSV, delimited=DelimitedOptions(quoting="minimal"))


def data(options: FormatOptions, *, nul: bool) -> bytes:
    """The golden changes as a file; with or without the one that holds a NUL."""
    file = new_file(options, ITEMS, "utf-8")
    some = [change for change in CHANGES if nul or "\0" not in (change.row.get("name") or "")]
    return file.lines(some).data + file.end()


def expected(*, nul: bool) -> list[tuple[Any, ...]]:
    return [
        (change.op, *(change.row.get(name) for name in ("code", "name", "born")))
        for change in CHANGES
        if nul or "\0" not in (change.row.get("name") or "")
    ]


@pytest.mark.parametrize(
    ("options", "form"),
    [
        (_TSV, "text"),
        (_CSV, "csv"),
        (_MINIMAL, "csv"),
        (replace(_CSV, delimited=DelimitedOptions(escape="\\")), "csv, escape '\\'"),
    ],
)
def test_postgresql_copies_it(
    options: FormatOptions, form: str, make_database: MakeDatabase
) -> None:
    engine = make_database("postgresql").engine
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE TABLE items (n serial, {_COLUMNS})")
        driver = connection.connection.driver_connection
        assert driver is not None
        names = ", ".join(("op", *NAMES))
        statement = f"COPY items ({names}) FROM STDIN WITH (FORMAT {form}, HEADER)"
        with driver.cursor() as cursor, cursor.copy(statement) as copying:
            copying.write(data(options, nul=False))
    assert read(engine) == expected(nul=False)


@pytest.mark.parametrize("kind", ["mariadb", "mysql"])
def test_load_data_reads_tsv(kind: Any, make_database: MakeDatabase, tmp_path: Path) -> None:
    url = make_url(make_database(kind).url)
    path = tmp_path / "items.tsv"
    path.write_bytes(data(_TSV, nul=True))
    engine = make_engine(url.update_query_dict({"local_infile": "1"}))
    with engine.connect() as connection:
        allowed = connection.exec_driver_sql("SELECT @@GLOBAL.local_infile").scalar_one()
        connection.exec_driver_sql("SET GLOBAL local_infile = 1")
        connection.exec_driver_sql(
            f"CREATE TABLE items (n int AUTO_INCREMENT PRIMARY KEY, {_COLUMNS}) CHARSET utf8mb4"
        )
        names = ", ".join(f"`{name}`" for name in ("op", *NAMES))
        connection.exec_driver_sql(
            f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE items CHARACTER SET utf8mb4 "
            f"IGNORE 1 LINES ({names})"
        )
        connection.exec_driver_sql(f"SET GLOBAL local_infile = {allowed}")
        connection.commit()
    assert read(engine) == expected(nul=True)
    engine.dispose()


def read(engine: Engine) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT op, code, name, born FROM items ORDER BY n")
        return [tuple(row) for row in rows]
