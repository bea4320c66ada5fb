"""An expression gives the same over the image of a change as over the row itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from decimal import Decimal

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from replicator.sources import open_reader
from replicator.transform.engines import evaluator_for, sql_for
from replicator.transform.evaluation import AFTER
from replicator.transform.model import Result, Transform
from replicator.transform.reading import decode_lines
from replicator.transform.resolve import resolve
from tests.conftest import MakeDatabase
from tests.replication import execute, run_statement
from tests.servers import Database, DatabaseKind
from tests.types.columns import SampleColumn, SampleTable
from tests.types.reading import SESSION
from tests.types.samples import TABLES
from tests.types.test_random import Drawn, row_of
from triggers.capture import Capture
from triggers.engine import make_engine
from triggers.model import TableSpec

KINDS: list[DatabaseKind] = ["postgresql", "mariadb", "mysql", "sqlite"]
CASES = [(kind, table) for kind in KINDS for table in TABLES[kind]]
IDS = [f"{kind}-{table.name}" for kind, table in CASES]

ROWS = [100, pytest.param(3_500, marks=pytest.mark.torture)]
"""Of each table, of which an engine has three with random values."""

_AT_ONCE = 25

COMPUTED = {
    "postgresql": ("md5({}::text)", "{} IS NULL", "{}"),
    "mariadb": ("MD5({})", "{} IS NULL", "CONCAT({}, '|')", "{}"),
    "mysql": ("MD5({})", "{} IS NULL", "CONCAT({}, '|')", "{}"),
    "sqlite": ("{} = 'a'", "{} < '5'", "typeof({})", "{}"),
}
"""What is computed of each column: its bytes, its comparison, its text, and itself."""


Images = dict[int, dict[str, object]]
"""Result images by the row's id."""


class Source:
    """A captured table, and a transform of it."""

    def __init__(self, database: Database, table: SampleTable) -> None:
        self.database = database
        self.table = table
        self._engine = make_engine(database.url)
        setup = [part for other in TABLES[database.kind] for part in other.setup]
        execute(database.engine, *setup, *replace(table, setup=()).create)
        self.capture = Capture(self._engine)
        self.capture.install([TableSpec(table.name)])
        self._reader = open_reader(self._engine, self.capture.outbox)
        self._sql = sql_for(self.capture.dialect)
        self.evaluator = evaluator_for(self._engine, self.capture.dialect, self.capture.outbox)

    def close(self) -> None:
        self._reader.close()
        self.evaluator.close()
        self._engine.dispose()

    def transform(self) -> Result:
        """Every expression of every column that the source accepts for its type."""
        ((_name, table),) = self.capture.tables().items()
        columns = {"id": "id"}
        with self._engine.connect() as connection, connection.begin():
            for column in table.columns:
                for place, expression in enumerate(COMPUTED[self.database.kind]):
                    if column.base == "xml" and "md5" in expression:
                        continue  # PostgreSQL prints it without its declaration
                    text = expression.format(self.capture.dialect.quote(column.name))
                    one = Transform({"x": text})
                    if not list(self._sql.find_problems(connection, table, one)):
                        columns[f"{column.name} {place}"] = text
            result, problems = resolve(
                connection, self._sql, table, Transform(columns), keeps_before=False
            )
        assert not problems
        assert result is not None
        assert len(columns) > 2 * len(table.columns)
        return result

    def write(self, rows: list[dict[str, str]]) -> None:
        """Insert rows that the table takes."""
        with self.database.engine.connect() as connection:
            for statement in SESSION[self.database.kind]:
                run_statement(connection, statement)
            connection.commit()
            for number, row in enumerate(rows, self._count(connection) + 1):
                run_statement(connection, self.table.insert(number, row))
            connection.commit()
            connection.invalidate()

    def of_rows(self, result: Result) -> Images:
        """The result's images over the table itself."""
        with self._engine.connect() as connection:
            for statement in self._sql.session:
                run_statement(connection, statement)
            query = self._sql.select(result, carry=("id",))
            found = connection.exec_driver_sql(_escaped(connection, query)).all()
            connection.rollback()
            connection.invalidate()
        return {number: parsed(image) for number, image in found}

    def of_changes(self, result: Result) -> Images:
        """The result's images over the changes."""
        name = result.table.name
        found: Images = {}
        for block in self._reader.read([(1, self._last_id())], [name]):
            lines = decode_lines(block.json)
            images = self.evaluator.evaluate(result, lines, result.columns, None, filtered=True)
            for line in lines:
                image = parsed(images[line.id, AFTER])
                found[int(str(image["id"]))] = image
        return found

    def _last_id(self) -> int:
        change = self.capture.outbox.change
        with self._engine.connect() as connection:
            return int(connection.execute(sa.select(sa.func.max(change.c.id))).scalar_one())

    def _count(self, connection: Connection) -> int:
        count = connection.execute(sa.text(f"SELECT COUNT(*) FROM {self.table.name}"))
        return int(count.scalar_one())


def _escaped(connection: Connection, query: str) -> str:
    formats = connection.dialect.paramstyle in ("format", "pyformat")
    return query.replace("%", "%%") if formats else query


def parsed(image: str | bytes) -> dict[str, object]:
    row: dict[str, object] = json.loads(image, parse_int=Decimal, parse_float=str)
    return row


def differences(found: Images, expected: Images) -> list[tuple[int, str, object, object]]:
    """The values that differ, by row and column."""
    assert found.keys() == expected.keys()
    return [
        (number, column, found[number].get(column), value)
        for number, row in expected.items()
        for column, value in row.items()
        if found[number].get(column) != value
    ]


@contextmanager
def source_of(database: Database, table: SampleTable) -> Iterator[Source]:
    with closing(Source(database, table)) as source:
        yield source


@pytest.mark.parametrize(("kind", "table"), CASES, ids=IDS)
def test_extremes(kind: DatabaseKind, table: SampleTable, make_database: MakeDatabase) -> None:
    with source_of(make_database(kind), table) as source:
        result = source.transform()
        source.write(
            [{column.name: value} for column in table.columns for value in column.extremes]
        )

        expected = source.of_rows(result)

        assert len(expected) > 0
        assert differences(source.of_changes(result), expected) == []


NAMES = ("a b", "a.b", "$", "%s", ":x", 'say "x"', "ü", "select", "it's", "back\\slash", "a")
"""Of columns. Each ends what another one begins with."""


@pytest.mark.parametrize("kind", KINDS)
def test_odd_names(kind: DatabaseKind, make_database: MakeDatabase) -> None:
    database = make_database(kind)
    names = [database.engine.dialect.identifier_preparer.quote_identifier(n) for n in NAMES]
    names = [name.replace("%%", "%") for name in names]
    expressions = tuple(f"'{number}'" for number in range(2))
    table = SampleTable(
        "odd",
        (
            *(SampleColumn(name, "VARCHAR(9)", "text", expressions) for name in names),
            SampleColumn("a1", "DECIMAL(9,2)", "decimal", ("1.5",)),
        ),
    )
    with source_of(database, table) as source:
        result = source.transform()
        values = {name: f"'v{place}'" for place, name in enumerate(names)}
        source.write([values, values | {"a1": "1.25"}])

        assert differences(source.of_changes(result), source.of_rows(result)) == []


@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize(("kind", "table"), CASES, ids=IDS)
def test_random_rows(
    kind: DatabaseKind, table: SampleTable, rows: int, make_database: MakeDatabase
) -> None:
    if all(column.random is None for column in table.columns):
        pytest.skip("no column of this table has random values")
    written: list[dict[str, str]] = []

    # No database of examples and no seed: the same rows in every run.
    @settings(
        max_examples=rows // _AT_ONCE,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(row_of(table), min_size=_AT_ONCE, max_size=_AT_ONCE))
    def draw(drawn: list[Drawn]) -> None:
        written.extend(dict(row.inserted) for row in drawn)

    draw()
    with source_of(make_database(kind), table) as source:
        result = source.transform()
        source.write(written)

        expected = source.of_rows(result)

        assert len(expected) == len(written) >= rows
        assert differences(source.of_changes(result), expected) == []
