"""Columns of the source change in the middle of a load: what each policy does, and says."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from replicator.compose import open_source, table_specs
from replicator.errors import DeliveryStopped
from replicator.pipeline import feed
from replicator.pipeline.contract import DeliveryName
from replicator.pipeline.deliveries import Deliveries, DeliveryState
from replicator.status import DeliveryStatus, read_source
from tests.acceptance.command_line import ROOT, CommandLine
from tests.conftest import MakeDatabase
from tests.load.threads import Threads
from tests.replication import Replication, Section, execute, sql
from tests.servers import Database, DatabaseKind
from tests.wait import wait_until
from triggers.capture import TableStatus

POLICIES = ("stop", "ignore", "apply")
ROWS = 30

BASE = "id integer NOT NULL PRIMARY KEY, name varchar(40), n integer"


@dataclass(frozen=True)
class Case:
    """One change of the source's table, and what is expected of it."""

    alter: dict[DatabaseKind, str]
    told: str
    between: Sequence[str] = ()
    """What the application writes after the change, before the triggers are installed anew."""
    applies: bool = True
    """Whether `apply` goes on by itself."""
    unknown: frozenset[str] = field(default=frozenset())
    """The columns that `ignore` leaves out."""


def everywhere(statement: str) -> dict[DatabaseKind, str]:
    """The same statement for all engines."""
    return {"postgresql": statement, "mariadb": statement, "mysql": statement, "sqlite": statement}


CASES = {
    "add": Case(
        everywhere("ALTER TABLE item ADD COLUMN extra integer"),
        r"column extra \(int.*\) was added",
        (
            "UPDATE item SET extra = id * 2 WHERE id < 5",
            "INSERT INTO item VALUES (900, 'x', 1, 7)",
            "DELETE FROM item WHERE id = 3",
            "INSERT INTO item VALUES (3, 'anew', 1, 33)",
        ),
        unknown=frozenset({"extra"}),
    ),
    "add-with-default": Case(
        everywhere("ALTER TABLE item ADD COLUMN extra integer NOT NULL DEFAULT 7"),
        r"column extra \(int.*\) was added",
        ("UPDATE item SET extra = 8 WHERE id < 5", "INSERT INTO item VALUES (900, 'x', 1, 9)"),
        unknown=frozenset({"extra"}),
    ),
    "drop": Case(
        {
            "postgresql": "ALTER TABLE item DROP COLUMN n",
            "mariadb": "ALTER TABLE item DROP COLUMN n",
            "mysql": "ALTER TABLE item DROP COLUMN n",
        },
        "column n was dropped",
    ),
    "rename": Case(
        everywhere("ALTER TABLE item RENAME COLUMN n TO m"),
        r"column n was dropped, column m \(int.*\) was added",
        unknown=frozenset({"m"}),
    ),
    "widen": Case(
        {
            "postgresql": "ALTER TABLE item ALTER COLUMN n TYPE bigint",
            "mariadb": "ALTER TABLE item MODIFY COLUMN n bigint",
            "mysql": "ALTER TABLE item MODIFY COLUMN n bigint",
        },
        r"column n was int.*, is bigint",
        applies=False,
    ),
    "narrow": Case(
        {
            "postgresql": "ALTER TABLE item ALTER COLUMN n TYPE smallint",
            "mariadb": "ALTER TABLE item MODIFY COLUMN n smallint",
            "mysql": "ALTER TABLE item MODIFY COLUMN n smallint",
        },
        r"column n was int.*, is smallint",
    ),
    "other-kind": Case(
        {
            "postgresql": "ALTER TABLE item ALTER COLUMN n TYPE text USING 'no. ' || n",
            "mariadb": "ALTER TABLE item MODIFY COLUMN n varchar(20)",
            "mysql": "ALTER TABLE item MODIFY COLUMN n varchar(20)",
        },
        r"column n was int.*, is (text|varchar)",
        ("UPDATE item SET n = 'abc' WHERE id < 5",),
        applies=False,
        unknown=frozenset({"n"}),
    ),
}


ROUTES: list[Section] = [
    {
        "name": policy,
        "source": "shop",
        "tables": ["item"],
        "targets": ["copy"],
        "schema_changes": policy,
        "into": {"item": f"item_{policy}"},
    }
    for policy in POLICIES
]


RETYPED = ("widen", "narrow", "other-kind")


class Load(Threads):
    """Writers that go on whatever happens; a write that fails is tried again."""

    def __init__(self, engine: Engine, writers: int = 2) -> None:
        super().__init__(writers)
        self._engine = engine
        self.written = 0
        self.failed: list[str] = []

    def _write(self, number: int) -> None:
        draw = random.Random(number)
        while not self._stopping.wait(0.03):
            key = 10 + draw.randrange(40) * 2 + number
            statement = draw.choice(
                [
                    f"INSERT INTO item (id, name) VALUES ({key}, 'new')",
                    f"UPDATE item SET name = 'v{draw.random()}' WHERE id = {key}",
                    f"DELETE FROM item WHERE id = {key}",
                ]
            )
            try:
                execute(self._engine, statement)
                self.written += 1
            except sa.exc.IntegrityError:
                pass
            except DBAPIError as error:
                self.failed.append(str(error.orig))


class Shop:
    """A source with one table, and a target with one copy of it for each policy."""

    def __init__(
        self, folder: Path, source: Database, target: Database, batch_rows: int = 50_000
    ) -> None:
        self._batch_rows = batch_rows
        self.source = source.engine
        self.target = target.engine
        self.kind = source.kind
        self._urls = source.url, target.url
        execute(
            self.source,
            f"CREATE TABLE item ({BASE})",
            *(f"INSERT INTO item VALUES ({i}, 'first', {i})" for i in range(ROWS)),
        )
        self.replication = Replication(
            folder, sources=self._sources(), targets={"copy": sql(target.url)}, routes=ROUTES
        )
        self.replication.prepare()
        execute(self.source, *(f"UPDATE item SET name = 'was' WHERE id = {i}" for i in range(ROWS)))
        self.replication.deliver()

    def exclude(self, *columns: str) -> None:
        """Edit the configuration: leave columns of the table out of capture."""
        self.replication.write(
            sources=self._sources(*columns), targets={"copy": sql(self._urls[1])}, routes=ROUTES
        )

    def _sources(self, *excluded: str) -> Mapping[str, Section]:
        options = {"item": {"exclude": list(excluded)}}
        section = {"url": self._urls[0], "batch_rows": self._batch_rows}
        return {"shop": {**section, **({"tables": options} if excluded else {})}}

    def run(self) -> dict[str, str]:
        """Deliver; return what stopped deliveries tell, by policy."""
        told = {}
        for name, error in self.replication.run_once().items():
            assert error is None or isinstance(error, DeliveryStopped), (name, error)
            if error is not None:
                told[name.partition("/")[0]] = str(error)
        return told

    def mend(self, text: str) -> None:
        """Run the statements that an error tells, as its reader would."""
        statements = re.findall(r"^  on the (source|target): (.*)$", text, re.MULTILINE)
        assert statements, text
        for place, statement in statements:
            if place == "source":
                assert statement == "replicator triggers install"
                self.replication.install()
            else:
                execute(self.target, *filter(None, statement.split(";")))

    def status(self, policy: str) -> DeliveryStatus:
        """What `replicator status` tells of one delivery."""
        with closing(open_source("shop", self.replication.settings.sources["shop"])) as source:
            found = read_source(self.replication.settings, source).deliveries
        return next(status for status in found if status.route == policy)

    def capture_status(self) -> list[TableStatus]:
        """What `replicator triggers status` tells."""
        with closing(open_source("shop", self.replication.settings.sources["shop"])) as source:
            return source.capture.status(table_specs(self.replication.settings, "shop"))

    def resume(self, policy: str) -> None:
        """Do as `replicator resume` does."""
        with closing(open_source("shop", self.replication.settings.sources["shop"])) as source:
            name = DeliveryName(policy, "copy")
            record = Deliveries(source.engine, source.capture.outbox, name)
            record.set_state(DeliveryState.RUNNING)

    def is_resumed(self, policy: str) -> bool:
        """Whether a delivery goes on; an attempt from before may have stopped it once more."""
        status = self.status(policy)
        if status.state == "stopped":
            self.resume(policy)
        return status.state == "running" and status.last_error is None

    def dead_letters(self) -> int:
        """How many changes were put aside, for good or for now."""
        with closing(open_source("shop", self.replication.settings.sources["shop"])) as source:
            count = sa.select(sa.func.count()).select_from(source.capture.outbox.dead_letter)
            with source.engine.connect() as connection:
                return int(connection.execute(count).scalar_one())

    def holds(self, query: str, value: object) -> bool:
        """Whether the target gives this value; it may lack the column."""
        try:
            with self.target.connect() as connection:
                return bool(connection.execute(sa.text(query)).scalar() == value)
        except DBAPIError:
            return False

    def rows(
        self, engine: Engine, table: str, without: frozenset[str] = frozenset()
    ) -> list[dict[str, object]]:
        """A table's rows, as dictionaries, without some columns."""
        with engine.connect() as connection:
            rows = connection.execute(sa.text(f"SELECT * FROM {table} ORDER BY id")).mappings()
            return [{k: v for k, v in row.items() if k not in without} for row in rows]

    def assert_equal(self, policy: str, unknown: frozenset[str] = frozenset()) -> None:
        """The target's copy holds what the source holds, apart from unknown columns."""
        expected = self.rows(self.source, "item", unknown)
        columns = frozenset(expected[0])
        found = self.rows(self.target, f"item_{policy}")
        assert [{k: row[k] for k in columns} for row in found] == expected


SHORT: list[tuple[DatabaseKind, DatabaseKind, str]] = [
    *(("postgresql", "postgresql", case) for case in ("add", "drop", "rename", "other-kind")),
    ("mariadb", "mariadb", "drop"),
    ("mariadb", "postgresql", "add"),
    ("mysql", "postgresql", "drop"),
    ("sqlite", "sqlite", "rename"),
]
LONG: list[tuple[DatabaseKind, DatabaseKind, str]] = [
    *(("postgresql", "postgresql", case) for case in ("add-with-default", "widen", "narrow")),
    *(("mariadb", "mariadb", case) for case in ("add", "add-with-default", "rename")),
    *(("mariadb", "postgresql", case) for case in ("rename", *RETYPED)),
    *(("mysql", "mysql", case) for case in CASES),
    *(("sqlite", "sqlite", case) for case in ("add", "add-with-default")),
]


@pytest.mark.parametrize(
    ("kind", "other", "case"),
    [*SHORT, *(pytest.param(*one, marks=pytest.mark.torture) for one in LONG)],
)
def test_policies(
    kind: DatabaseKind,
    other: DatabaseKind,
    case: str,
    make_database: MakeDatabase,
    tmp_path: Path,
) -> None:
    change = CASES[case]
    made = Shop(tmp_path, make_database(kind), make_database(other))
    with Load(made.source) as load:
        execute(made.source, change.alter[kind])
        execute(made.source, *change.between)
        told = made.run()
        assert re.search(change.told, told["stop"], re.IGNORECASE), told
        assert "  on the source: replicator triggers install" in told["stop"]
        assert "ignore" not in told
        assert ("apply" in told) != change.applies, told
        assert "; run: replicator triggers install" in made.status("ignore").notes[0]
        assert made.status("stop").state == "stopped"
        assert made.status("stop").last_error == told["stop"]

        made.mend(told["stop"])
        assert "stop" not in made.run()
        if not change.applies:
            made.mend(told["apply"])
            made.run()
    assert load.written > 10
    assert made.run() == {}
    made.assert_equal("stop")
    made.assert_equal("apply")
    made.assert_equal("ignore", change.unknown)
    assert made.dead_letters() == 0
    notes = "\n".join(made.status("ignore").notes)
    for column in change.unknown:
        assert re.search(f"column {column} .* is left out", notes)


def test_a_row_that_came_back_in_between(
    make_database: MakeDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was captured without the column is delivered before the column's values are copied."""
    monkeypatch.setattr(feed, "ROUND_ROWS", 1)
    made = Shop(tmp_path, make_database("sqlite"), make_database("sqlite"), batch_rows=1)
    execute(
        made.source,
        "ALTER TABLE item ADD COLUMN extra integer",
        "UPDATE item SET name = 'first' WHERE id = 1",
        "DELETE FROM item WHERE id = 3",
        "INSERT INTO item VALUES (3, 'anew', 1, 33)",
    )
    made.mend(made.run()["stop"])
    assert made.run() == {}
    made.assert_equal("stop")


@pytest.mark.parametrize("kind", ["mariadb", "sqlite"])
def test_a_drop_that_no_write_notices(
    kind: DatabaseKind, make_database: MakeDatabase, tmp_path: Path
) -> None:
    """Where triggers name columns: first the column is excluded, then it is dropped."""
    made = Shop(tmp_path, make_database(kind), make_database(kind))
    with Load(made.source) as load:
        made.exclude("n")
        told = made.run()
        assert set(told) == {"stop"}
        made.mend(told["stop"])
        execute(made.source, "ALTER TABLE item DROP COLUMN n")
        made.exclude()
        made.run()
    assert load.failed == []
    assert made.run() == {}
    for policy in POLICIES:
        made.assert_equal(policy)


def test_what_stands_in_the_way_of_the_application(
    make_database: MakeDatabase, tmp_path: Path
) -> None:
    made = Shop(tmp_path, make_database("mariadb"), make_database("sqlite"))
    with Load(made.source) as load:
        execute(made.source, "ALTER TABLE item RENAME COLUMN n TO m")
        wait_until(lambda: load.failed, 10, "writes fail")
        [status] = made.capture_status()
        told = "column 'n' was dropped (until it is installed anew, every write to the table fails)"
        assert told in status.reasons
        made.replication.install()
        count = len(load.failed)
        wait_until(lambda: load.written > 50, 10, "writes pass")
        assert len(load.failed) - count <= 2  # which were under way
        [status] = made.capture_status()
        assert status.reasons == ()


@pytest.mark.parametrize("kind", ["postgresql", "sqlite"])
def test_a_running_delivery(
    kind: DatabaseKind, make_database: MakeDatabase, tmp_path: Path
) -> None:
    """It finds out by itself, first of the change and then of the installation."""
    made = Shop(tmp_path, make_database(kind), make_database(kind))
    with made.replication.running(), Load(made.source):
        execute(
            made.source,
            "ALTER TABLE item ADD COLUMN extra integer",
            "UPDATE item SET extra = id WHERE id < 5",
        )
        wait_until(lambda: made.status("stop").state == "stopped", 10, "the delivery stops")
        wait_until(lambda: made.status("apply").notes, 10, "it is told")
        assert made.status("apply").state == "running"
        made.mend(made.status("stop").last_error or "")
        made.resume("stop")
        wait_until(partial(made.is_resumed, "stop"), 10, "the delivery goes on")
        wait_until(lambda: not made.status("apply").notes, 10, "the installation is found")
        execute(made.source, "UPDATE item SET extra = 99 WHERE id = 7")
        for policy in ("stop", "apply"):
            seen = f"SELECT count(extra) FROM item_{policy} WHERE id < 5 OR id = 7"
            wait_until(partial(made.holds, seen, 6), 15, f"{policy} has the column")
    assert made.run() == {}
    made.assert_equal("stop")
    made.assert_equal("apply")
    made.assert_equal("ignore", frozenset({"extra"}))


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_files(kind: DatabaseKind, make_database: MakeDatabase, tmp_path: Path) -> None:
    """A new column is in the files from the first change on that is captured with it."""
    source = make_database(kind)
    execute(source.engine, f"CREATE TABLE item ({BASE})")
    formats = ("csv", "jsonl")
    replication = Replication(
        tmp_path,
        sources={"shop": source.url},
        targets={
            name: {
                "type": "files",
                "url": f"file:{name}",
                "format": name,
                "name": "{table}_{batch}." + name,
            }
            for name in formats
        },
        routes=[{"name": "out", "source": "shop", "tables": ["item"], "targets": list(formats)}],
    )
    replication.install()
    with replication.running():
        execute(source.engine, "INSERT INTO item VALUES (1, 'a', 1)")
        wait_until(lambda: _lines(tmp_path, "csv", "*_1.csv"), 10)
        execute(source.engine, "ALTER TABLE item ADD COLUMN extra integer DEFAULT 5")
        execute(source.engine, "INSERT INTO item VALUES (2, 'b', 2, 22)")
        replication.install()
        execute(source.engine, "INSERT INTO item VALUES (3, 'c', 3, 33)")
        for name in formats:
            wait_until(partial(_has, tmp_path, name, "33"), 10, name)
    csv, jsonl = _lines(tmp_path, "csv"), _lines(tmp_path, "jsonl")
    assert csv[:2] == ['"op","id","name","n"', '"I",1,"a",1']
    assert '"op","id","name","n","extra"' in csv
    assert csv[-1] == '"I",3,"c",3,33'
    assert '"extra":33' in jsonl[-1].replace(" ", "")


def test_backups_and_programs(make_database: MakeDatabase, tmp_path: Path) -> None:
    """They get what was captured; a backup is restored with all columns that it knows."""
    source, restored = make_database("sqlite"), make_database("sqlite")
    execute(source.engine, f"CREATE TABLE item ({BASE})")
    (tmp_path / "append.sh").write_text((ROOT / "config/examples/handlers/append.sh").read_text())
    text = f"""
[sources.shop]
url = "{source.url}"
[targets.backup]
type = "backup"
path = "backup"
[targets.program]
type = "handler"
[[routes]]
name = "backup"
source = "shop"
tables = ["item"]
targets = ["backup"]
[[routes]]
name = "program"
source = "shop"
tables = ["item"]
targets = ["program"]
handler = "exec:sh append.sh lines"
"""
    line = CommandLine(tmp_path, text)
    line.ok("triggers", "install")
    line.ok("snapshot", "backup")
    execute(source.engine, "INSERT INTO item VALUES (1, 'a', 1)")
    execute(source.engine, "ALTER TABLE item ADD COLUMN extra integer DEFAULT 5")
    execute(source.engine, "INSERT INTO item VALUES (2, 'b', 2, 22)")
    line.ok("run", "--once")
    line.ok("triggers", "install")
    execute(source.engine, "INSERT INTO item VALUES (3, 'c', 3, 33)")
    line.ok("run", "--once")
    rows = [
        json.loads(found)[4]
        for found in (tmp_path / "lines").read_text().splitlines()
        if found.startswith("[")
    ]
    assert rows == [
        {"id": 1, "name": "a", "n": 1},
        {"id": 2, "name": "b", "n": 2},
        {"id": 3, "name": "c", "n": 3, "extra": 33},
    ]
    line.ok("restore", "backup/backup", "--to", restored.url, "--create")
    with restored.engine.connect() as connection:
        found = connection.execute(sa.text("SELECT id, extra FROM item ORDER BY id")).all()
    assert [tuple(row) for row in found] == [(1, None), (2, None), (3, 33)]

    line.ok("snapshot", "backup")
    line.ok("restore", "backup/backup", "--to", restored.url, "--replace")
    with restored.engine.connect() as connection:
        found = connection.execute(sa.text("SELECT id, extra FROM item ORDER BY id")).all()
    assert [tuple(row) for row in found] == [(1, 5), (2, 22), (3, 33)]


def _has(folder: Path, name: str, text: str) -> bool:
    return any(text in line for line in _lines(folder, name))


def _lines(folder: Path, name: str, pattern: str = "[!.]*") -> list[str]:
    """The lines of the files that are published: others have a name with a dot before it."""
    files = sorted((folder / name).glob(pattern), key=lambda path: (len(path.name), path.name))
    return [line for file in files for line in file.read_text().splitlines()]
