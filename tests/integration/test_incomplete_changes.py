"""Rows that a source could not log whole: set aside with the reason, and the others arrive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from replicator.restore import Wish, make_plan, restore
from replicator.targets.backup.archive import Archive
from tests.conftest import MakeDatabase
from tests.replication import Replication, content, execute, sql
from tests.servers import Database, DatabaseKind
from triggers.engine import make_engine

MB = 1 << 20
TARGETS = ("copy", "drop", "archive")


class Items:
    """A table `item` that is replicated into a database, CSV files and a backup."""

    def __init__(self, folder: Path, source: Database, target: Database) -> None:
        self.replication = Replication(
            folder / "replication",
            sources={"shop": source.url},
            targets={
                "copy": sql(target.url),
                "drop": {"type": "files", "url": f"file:{folder / 'files'}"},
                "archive": {"type": "backup", "path": str(folder / "backup")},
            },
            routes=[
                {"name": "items", "source": "shop", "tables": ["item"], "targets": list(TARGETS)}
            ],
        )
        self.files = folder / "files"
        self.source = make_engine(source.url, poolclass=sa.NullPool)
        self.target = make_engine(target.url, poolclass=sa.NullPool)

    def dead_letters(self) -> dict[str, list[str]]:
        """The errors of what was set aside, by target."""
        capture = self.replication.capture("shop")
        dead = capture.outbox.dead_letter
        found: dict[str, list[str]] = {}
        with capture.engine.connect() as connection:
            for target, error in connection.execute(
                sa.select(dead.c.target, dead.c.error).order_by(dead.c.change_id)
            ):
                found.setdefault(target, []).append(error)
        capture.engine.dispose()
        return found

    def lines(self) -> list[str]:
        """The lines of all CSV files, without their heads."""
        paths = sorted(path for path in self.files.rglob("*.csv"))
        return [line for path in paths for line in path.read_text().splitlines()[1:]]


@contextmanager
def items(folder: Path, databases: Sequence[Database], columns: str) -> Iterator[Items]:
    """A replication of a table with these columns."""
    made = Items(folder, *databases)
    try:
        execute(made.source, f"CREATE TABLE item ({columns})")
        made.replication.prepare()
        yield made
    finally:
        made.source.dispose()
        made.target.dispose()


def restored(folder: Path, database: Database) -> list[str]:
    """Restore the backup into a database; return why changes were refused."""
    plan = make_plan(Archive.open(folder / "backup" / "items"), Wish())
    refused = restore(plan, sa.make_url(database.url), {}, create=True).refused
    return [parked.error for parked in refused]


@pytest.mark.parametrize("kind", ["mariadb", "mysql"])
def test_a_row_larger_than_max_allowed_packet(
    kind: DatabaseKind, make_database: MakeDatabase, tmp_path: Path
) -> None:
    databases = make_database(kind), make_database("sqlite")
    columns = "id integer NOT NULL PRIMARY KEY, note longtext, data longblob"
    with items(tmp_path, databases, columns) as made:
        with made.source.connect() as connection:
            packet = connection.exec_driver_sql("SELECT @@max_allowed_packet").scalar_one()
        execute(
            made.source,
            "INSERT INTO item VALUES (1, 'before', x'00')",
            f"INSERT INTO item VALUES (2, 'large', REPEAT('x', {packet // 2 + 1}))",
            "INSERT INTO item VALUES (3, 'after', x'ff')",
        )
        arriving = [(1, "before", b"\0"), (3, "after", b"\xff")]
        reason = "the row is larger than max_allowed_packet of the source"

        made.replication.deliver()

        assert made.dead_letters() == {"copy": [reason], "drop": [reason]}
        assert content(made.target, "item") == arriving
        assert [line.split(",")[1] for line in made.lines()] == ["1", "3"]
        other = make_database("sqlite")
        assert restored(tmp_path, other) == [reason]
        assert content(other.engine, "item") == arriving

        execute(made.source, "UPDATE item SET data = x'11' WHERE id = 2")
        made.replication.deliver()
        assert (2, "large", b"\x11") in content(made.target, "item")


def test_text_that_is_not_utf8(make_database: MakeDatabase, tmp_path: Path) -> None:
    databases = make_database("sqlite"), make_database("sqlite")
    with items(tmp_path, databases, "id integer NOT NULL PRIMARY KEY, note text") as made:
        execute(
            made.source,
            "INSERT INTO item VALUES (1, 'before')",
            "INSERT INTO item VALUES (2, CAST(x'61ff' AS TEXT))",
            "INSERT INTO item VALUES (3, 'after')",
        )
        made.replication.deliver()
        assert made.dead_letters() == {"copy": ["not UTF-8: note"], "drop": ["not UTF-8: note"]}
        assert content(made.target, "item") == [(1, "before"), (3, "after")]
        assert made.lines() == ['"I",1,"before"', '"I",3,"after"']

        execute(made.source, "DELETE FROM item WHERE id = 2", "DELETE FROM item WHERE id = 3")
        made.replication.deliver()
        assert content(made.target, "item") == [(1, "before")]


@pytest.mark.parametrize("others", [0, 500])
def test_a_key_that_is_not_utf8(others: int, make_database: MakeDatabase, tmp_path: Path) -> None:
    databases = make_database("sqlite"), make_database("sqlite")
    with items(tmp_path, databases, "code text NOT NULL PRIMARY KEY, n integer") as made:
        execute(
            made.source,
            *(f"INSERT INTO item VALUES ('{n:03}', {n})" for n in range(100, 100 + others)),
            "INSERT INTO item VALUES ('a', 1)",
            "INSERT INTO item VALUES (CAST(x'61ff' AS TEXT), 2)",
            "INSERT INTO item VALUES (CAST(x'61fe' AS TEXT), 3)",
            "UPDATE item SET n = 4 WHERE n = 3",
            "DELETE FROM item WHERE n = 2",
            "UPDATE item SET code = 'c' WHERE n = 4",
            "INSERT INTO item VALUES ('b', 5)",
        )
        expected = [*((str(n), n) for n in range(100, 100 + others)), ("a", 1), ("b", 5), ("c", 4)]

        made.replication.deliver()

        assert content(made.target, "item") == expected
        reasons = made.dead_letters()
        assert {target: set(errors) for target, errors in reasons.items()} == {
            "copy": {"not UTF-8: code"},
            "drop": {"not UTF-8: code"},
        }
        assert made.lines()[-3:] == ['"I","a",1', '"U","c",4', '"I","b",5']
        other = make_database("sqlite")
        assert set(restored(tmp_path, other)) == {"not UTF-8: code"}
        assert content(other.engine, "item") == expected
