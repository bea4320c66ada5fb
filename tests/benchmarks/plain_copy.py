"""A plain client-side copy of a table: SELECT here, COPY or executemany there, one transaction.

What a script would do that ran in a maintenance window: no triggers, no order, no progress.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Engine

from tests.benchmarks.measuring import reporting
from tests.benchmarks.workload import COLUMNS, TABLE
from triggers.engine import make_engine

_AT_ONCE = 5_000
_NAMES = ", ".join(COLUMNS)


def copy(source: Engine, target: Engine) -> None:
    """Copy all rows into the empty target table."""
    with source.connect() as reading, target.begin() as writing:
        rows = _read(reading)
        if target.dialect.name == "postgresql":
            _copy_in(writing, rows)
        else:
            marks = ", ".join(["%s"] * len(COLUMNS))
            statement = f"INSERT INTO {TABLE} ({_NAMES}) VALUES ({marks})"
            for some in rows:
                writing.exec_driver_sql(statement, [tuple(row) for row in some])


def _read(connection: Connection) -> Iterator[Sequence[Any]]:
    streaming = connection.execution_options(stream_results=True, max_row_buffer=_AT_ONCE)
    yield from streaming.exec_driver_sql(f"SELECT {_NAMES} FROM {TABLE}").partitions(_AT_ONCE)


def _copy_in(connection: Connection, rows: Iterator[Sequence[Any]]) -> None:
    driver = connection.connection.driver_connection
    assert driver is not None
    with driver.cursor() as cursor, cursor.copy(f"COPY {TABLE} ({_NAMES}) FROM STDIN") as copying:
        for some in rows:
            for row in some:
                copying.write_row(row)


def main() -> None:
    """Copy from the first URL to the second."""
    source, target = (make_engine(url) for url in sys.argv[1:3])
    with reporting():
        copy(source, target)
    source.dispose()
    target.dispose()


if __name__ == "__main__":
    main()
