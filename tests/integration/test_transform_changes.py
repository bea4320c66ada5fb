"""Changes through transforms: computed columns, filters and keys, in every engine's own SQL."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import sqlalchemy as sa

from replicator.check import find
from replicator.errors import DeliveryStopped
from tests.conftest import MakeDatabase
from tests.replication import Replication, content, execute, sql
from tests.servers import Database, DatabaseKind

KINDS: list[DatabaseKind] = ["postgresql", "mariadb", "mysql", "sqlite"]

CREATE = """CREATE TABLE person (
    id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(40), mail VARCHAR(40), status VARCHAR(10),
    amount DECIMAL(10,2))"""

CONCAT = {
    "postgresql": "concat(name, '|', mail)",
    "mariadb": "CONCAT(name, '|', mail)",
    "mysql": "CONCAT(name, '|', mail)",
    "sqlite": "name || '|' || mail",
}


class People:
    """Table `person` of a source, and what a route makes of it in SQLite's table `people`."""

    def __init__(
        self,
        folder: Path,
        source: Database,
        database: Database,
        route: dict[str, object],
        people: str,
        before: str = "full",
        target: Mapping[str, object] | None = None,
    ) -> None:
        self.source = source.engine
        self.target = database.engine
        execute(self.source, CREATE)
        execute(self.target, people)
        self._table = "public.person" if source.kind == "postgresql" else "person"
        self._folder = folder
        self._url = source.url
        self._target = target or sql(database.url)
        self.before = before
        self.route(**route)
        self.replication.install()

    def route(self, **transform: object) -> None:
        """Write the configuration."""
        table = self._table
        self.replication = Replication(
            self._folder,
            sources={
                "shop": {
                    "url": self._url,
                    "tables": {table: {"before": self.before}},
                },
            },
            targets={"crm": self._target},
            routes=[
                {
                    "name": "people",
                    "source": "shop",
                    "tables": [table],
                    "targets": ["crm"],
                    "into": {table: "people"},
                    **{key: {table: value} for key, value in transform.items()},
                }
            ],
        )

    def write(self, *statements: str) -> None:
        execute(self.source, *statements)

    def parked(self) -> list[str]:
        """The errors of dead letters."""
        schema = "outbox." if self.source.dialect.name == "postgresql" else ""
        with self.source.connect() as connection:
            errors = connection.execute(sa.text(f"SELECT error FROM {schema}outbox_dead_letter"))
            return list(errors.scalars())

    def deliver(self) -> list[tuple[object, ...]]:
        self.replication.deliver()
        return content(self.target, "people")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> DatabaseKind:
    made: DatabaseKind = request.param
    return made


def test_computed_columns_and_filter(
    kind: DatabaseKind, make_database: MakeDatabase, tmp_path: Path
) -> None:
    people = People(
        tmp_path,
        make_database(kind),
        make_database("sqlite"),
        {
            "columns": {"no": "id", "who": CONCAT[kind], "cents": "amount * 100 -- in cents"},
            "where": "status <> 'draft' -- not yet",
        },
        "CREATE TABLE people (no INTEGER PRIMARY KEY, who TEXT, cents INTEGER)",
        before="key",
    )

    people.write(
        "INSERT INTO person VALUES (1, 'Ada', 'a@x', 'draft', 1.25)",
        "INSERT INTO person VALUES (2, 'Bob', 'b@x', 'ok', 2.50)",
        "INSERT INTO person VALUES (3, 'Cid', 'c@x', 'ok', 3)",
    )
    assert people.deliver() == [(2, "Bob|b@x", 250), (3, "Cid|c@x", 300)]

    people.write(
        "UPDATE person SET status = 'ok' WHERE id = 1",
        "UPDATE person SET status = 'draft' WHERE id = 2",
        "DELETE FROM person WHERE id = 3",
    )
    assert people.deliver() == [(1, "Ada|a@x", 125)]


def test_a_filter_alone(kind: DatabaseKind, make_database: MakeDatabase, tmp_path: Path) -> None:
    people = People(
        tmp_path,
        make_database(kind),
        make_database("sqlite"),
        {"where": "amount > 1"},
        "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, mail TEXT, status TEXT, amount)",
        before="key",
    )

    people.write(
        "INSERT INTO person VALUES (1, 'Ada', 'a@x', 'ok', 1)",
        "INSERT INTO person VALUES (2, 'Bob', 'b@x', 'ok', 2)",
        "INSERT INTO person VALUES (3, 'Cid', 'c@x', 'ok', 3)",
        "UPDATE person SET amount = amount - 1",
    )

    assert [row[:2] for row in people.deliver()] == [(3, "Cid")]


def test_a_computed_key_follows_its_row(
    kind: DatabaseKind, make_database: MakeDatabase, tmp_path: Path
) -> None:
    people = People(
        tmp_path,
        make_database(kind),
        make_database("sqlite"),
        {"columns": {"row_key": CONCAT[kind], "state": "status"}, "where": "id > 0"},
        "CREATE TABLE people (row_key TEXT PRIMARY KEY, state TEXT)",
    )
    execute(people.target, "INSERT INTO people VALUES ('own', 'stays')")

    people.write(
        "INSERT INTO person VALUES (1, 'Ada', 'a@x', 'new', 1)",
        "INSERT INTO person VALUES (2, 'Bob', 'b@x', 'new', 2)",
        "INSERT INTO person VALUES (3, 'Cid', 'c@x', 'new', 2)",
    )
    assert len(people.deliver()) == 4

    people.write(
        "UPDATE person SET mail = 'ada@x' WHERE id = 1",
        "UPDATE person SET status = 'old' WHERE id = 2",
        "UPDATE person SET id = -3, name = 'Dan' WHERE id = 3",
    )
    assert people.deliver() == [("Ada|ada@x", "new"), ("Bob|b@x", "old"), ("own", "stays")]

    people.write("DELETE FROM person WHERE id = 1", "UPDATE person SET id = -2 WHERE id = 2")
    assert people.deliver() == [("own", "stays")]


def test_a_row_for_which_an_expression_fails_is_parked(
    kind: DatabaseKind, make_database: MakeDatabase, tmp_path: Path
) -> None:
    failing = {
        "postgresql": "100 / (amount::int - 5)",
        "mariadb": "POW(10, IF(amount = 5, 400, 1))",
        "mysql": "POW(10, IF(amount = 5, 400, 1))",
        "sqlite": "json_extract(CASE amount WHEN 5 THEN 'x' ELSE '1' END, '$')",
    }
    people = People(
        tmp_path,
        make_database(kind),
        make_database("sqlite"),
        {"columns": {"no": "id", "what": failing[kind]}},
        "CREATE TABLE people (no INTEGER PRIMARY KEY, what INTEGER)",
    )

    people.write(
        *(f"INSERT INTO person VALUES ({n}, 'A', 'a', 'ok', {n % 7})" for n in range(1, 31))
    )
    delivered = people.deliver()

    assert [row[0] for row in delivered] == [n for n in range(1, 31) if n % 7 != 5]
    errors = people.parked()
    assert len(errors) == 4
    assert all("the transform fails" in error for error in errors)


def test_a_computed_key_needs_the_old_row(make_database: MakeDatabase, tmp_path: Path) -> None:
    people = People(
        tmp_path,
        make_database("sqlite"),
        make_database("sqlite"),
        {"columns": {"row_key": CONCAT["sqlite"]}},
        "CREATE TABLE people (row_key TEXT PRIMARY KEY)",
        before="key",
    )

    people.write("INSERT INTO person VALUES (1, 'Ada', 'a@x', 'ok', 1)")
    error = people.replication.run_once()["people/crm"]

    assert isinstance(error, DeliveryStopped)
    assert 'before = "full"' in error.hint


def test_triggers_have_to_keep_the_old_row_already(
    make_database: MakeDatabase, tmp_path: Path
) -> None:
    people = People(
        tmp_path,
        make_database("sqlite"),
        make_database("sqlite"),
        {"columns": {"row_key": "upper(name)"}},
        "CREATE TABLE people (row_key TEXT PRIMARY KEY)",
        before="key",
    )
    people.before = "full"
    people.route(columns={"row_key": "upper(name)"})
    people.write("INSERT INTO person VALUES (1, 'Ada', 'a@x', 'ok', 1)")

    error = people.replication.run_once()["people/crm"]
    assert isinstance(error, DeliveryStopped)
    assert error.hint == "replicator triggers install"

    people.replication.install()
    assert people.deliver() == [("ADA",)]


def test_sql_that_the_source_refuses_stops_the_delivery(
    make_database: MakeDatabase, tmp_path: Path
) -> None:
    people = People(
        tmp_path,
        make_database("sqlite"),
        make_database("sqlite"),
        {"columns": {"no": "id", "who": "nam"}},
        "CREATE TABLE people (no INTEGER PRIMARY KEY, who TEXT)",
    )

    people.write("INSERT INTO person VALUES (1, 'Ada', 'a@x', 'ok', 1)")
    error = people.replication.run_once()["people/crm"]

    assert isinstance(error, DeliveryStopped)
    assert ".who: " in error.message
    assert "nam" in error.message


def test_check_says_what_is_wrong_with_each_expression(
    kind: DatabaseKind, make_database: MakeDatabase, tmp_path: Path
) -> None:
    people = People(
        tmp_path,
        make_database(kind),
        make_database("sqlite"),
        {"columns": {"no": "id", "who": "nam", "row_key": "name"}, "where": "stat = 1"},
        "CREATE TABLE people (no INTEGER, row_key TEXT PRIMARY KEY)",
        before="key",
    )
    route = 'routes."people".'
    person = '"public.person"' if kind == "postgresql" else "person"

    def problems() -> list[tuple[str, str, str]]:
        found = find(people.replication.settings)
        return [
            (finding.place.partition(": ")[2], finding.message, finding.remedy)
            for finding in found
            if finding.level == "problem"
        ]

    (who, told, _), (where, _, _) = problems()
    assert (who, where) == (f"{route}columns.{person}.who", f"{route}where.{person}")
    assert "nam" in told

    people.route(columns={"no": "id", "row_key": "name"})
    ((key, _, remedy),) = problems()
    assert key == f"{route}columns.{person}.row_key"
    assert remedy == f'[sources.shop.tables.{person}]\nbefore = "full"'

    people.route(columns={"no": "id", "row_key": "id", "more": "name"})
    ((_, missing, _),) = problems()
    assert missing == "column more is missing in table people of the target"


def test_truncate_spares_rows_that_others_may_own(
    make_database: MakeDatabase, tmp_path: Path
) -> None:
    people = People(
        tmp_path,
        make_database("postgresql"),
        make_database("sqlite"),
        {"columns": {"row_key": "md5(name)", "state": "status"}},
        "CREATE TABLE people (row_key TEXT PRIMARY KEY, state TEXT)",
    )
    people.write("INSERT INTO person VALUES (1, 'Ada', 'a@x', 'ok', 1)", "TRUNCATE person")

    assert len(people.deliver()) == 1
    assert "was emptied" in people.parked()[0]


def test_truncate_empties_a_target_that_has_the_sources_key(
    make_database: MakeDatabase, tmp_path: Path
) -> None:
    people = People(
        tmp_path,
        make_database("postgresql"),
        make_database("sqlite"),
        {"columns": {"no": "id", "state": "status"}},
        "CREATE TABLE people (no INTEGER PRIMARY KEY, state TEXT)",
    )
    people.write("INSERT INTO person VALUES (1, 'Ada', 'a@x', 'ok', 1)", "TRUNCATE person")

    assert people.deliver() == []


def test_an_image_that_lacks_columns_is_parked(make_database: MakeDatabase, tmp_path: Path) -> None:
    people = People(
        tmp_path,
        make_database("sqlite"),
        make_database("sqlite"),
        {"columns": {"no": "id", "who": "upper(name)"}},
        "CREATE TABLE people (no INTEGER PRIMARY KEY, who TEXT)",
    )
    people.write(
        "INSERT INTO person VALUES (1, 'Ada', 'a@x', 'ok', 1)",
        "INSERT INTO person VALUES (2, CAST(x'ff' AS TEXT), 'b@x', 'ok', 1)",
    )
    assert people.deliver() == [(1, "ADA")]
    assert people.parked() == ["not UTF-8: name"]

    people.write("DELETE FROM person")
    assert people.deliver() == []
    assert people.parked() == ["not UTF-8: name"]


def test_files_get_results_and_deletions_of_what_leaves(
    kind: DatabaseKind, make_database: MakeDatabase, tmp_path: Path
) -> None:
    people = People(
        tmp_path,
        make_database(kind),
        make_database("sqlite"),
        {"columns": {"who": CONCAT[kind], "no": "id"}, "where": "status <> 'draft'"},
        "CREATE TABLE people (no INTEGER PRIMARY KEY)",
        target={"type": "files", "url": "file:out", "name": "{table}_{batch}.csv"},
    )
    people.write(
        "INSERT INTO person VALUES (1, 'Ada', 'a@x', 'ok', 1)",
        "INSERT INTO person VALUES (2, 'Bob', 'b@x', 'ok', 1)",
        "UPDATE person SET status = 'draft' WHERE id = 1",
        "UPDATE person SET status = 'new' WHERE id = 2",
        "DELETE FROM person WHERE id = 2",
    )

    people.replication.deliver()

    (file,) = (tmp_path / "out").glob("*.csv")
    lines = [line.split(",") for line in file.read_text(encoding="utf-8").splitlines()]
    assert lines[0] == ['"op"', '"who"', '"no"']
    assert [(line[0], line[2]) for line in lines[1:]] == [
        ('"I"', "1"),
        ('"I"', "2"),
        ('"D"', "1"),
        ('"U"', "2"),
        ('"D"', "2"),
    ]
    assert lines[2][1] == lines[4][1] == '"Bob|b@x"'
