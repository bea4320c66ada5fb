"""A backup restored into every engine is what the source was, also at a moment in the middle."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from replicator.errors import DeliveryStopped, ReplicatorError, TargetUnavailable
from replicator.restore import Result, Wish, make_plan, restore
from replicator.restore import run as run_module
from replicator.targets.backup import Archive, BaseWriter
from replicator.targets.backup.segment import list_segments
from replicator.targets.sql import SqlTarget
from tests.conftest import MakeDatabase
from tests.replication import Replication, execute
from tests.servers import DATABASE_KINDS, Database, DatabaseKind
from tests.types.compare import same_value
from tests.types.pair import write
from tests.types.reading import read_table
from tests.types.samples import TABLES
from tests.types.test_pairs import extreme_rows

Content = dict[str, list[tuple[object, ...]]]

NAMES = ("", 'O\'Neil, "A"\nline two\\', "你好 😀", "a" * 60, None)
SMALL = {"segment_size": "4KB"}


@dataclass
class Moment:
    """A time between two transactions, and what the source held then."""

    time: datetime
    content: Content

    @property
    def text(self) -> str:
        """As `Wish.until` has it."""
        return self.time.strftime("%Y-%m-%dT%H:%M:%S.%f")


@dataclass
class Shop:
    """A source with two tables, and the backup of their changes."""

    source: Database
    replication: Replication
    folder: Path
    chance: random.Random = field(default_factory=lambda: random.Random(7))
    next_id: int = 1

    @classmethod
    def make(cls, source: Database, folder: Path, **settings: object) -> Shop:
        """Make the tables and install the triggers."""
        stamp = "TIMESTAMP" if source.kind == "postgresql" else "DATETIME"
        options = "" if source.kind in ("postgresql", "sqlite") else " DEFAULT CHARSET utf8mb4"
        execute(
            source.engine,
            "CREATE TABLE item (id INTEGER PRIMARY KEY, name VARCHAR(80), price DECIMAL(12,2),"
            f" made {stamp}){options}",
            "CREATE TABLE part (item_id INTEGER NOT NULL, no INTEGER NOT NULL, weight INTEGER,"
            " PRIMARY KEY (item_id, no), FOREIGN KEY (item_id) REFERENCES item (id))" + options,
        )
        backup = {"type": "backup", "path": "backup", **SMALL, **settings}
        replication = Replication(
            folder,
            sources={"shop": _url(source)},
            targets={"backup": backup},
            routes=[
                {
                    "name": "items",
                    "source": "shop",
                    "tables": ["item", "part"],
                    "targets": ["backup"],
                }
            ],
        )
        replication.prepare()
        return cls(source, replication, folder / "backup" / "items")

    def content(self) -> Content:
        """What the source holds."""
        return content(self.source)

    def work(self, transactions: int) -> None:
        """Run random transactions, each of which leaves every part with an item."""
        for _ in range(transactions):
            with self.source.engine.begin() as connection:
                for _ in range(self.chance.randint(1, 5)):
                    self._act(connection)

    def _act(self, connection: sa.Connection) -> None:
        def run(text: str, **values: object) -> None:
            connection.execute(sa.text(text), values)

        items = [row[0] for row in connection.execute(sa.text("SELECT id FROM item ORDER BY id"))]
        action = self.chance.random()
        values: dict[str, Any] = {
            "name": self.chance.choice(NAMES),
            "price": str(Decimal(self.chance.randrange(10**9)) / 100),
            "made": f"2026-01-{self.chance.randint(10, 28)} 13:14:15",
        }
        if action < 0.4 or len(items) < 3:
            values["id"], self.next_id = self.next_id, self.next_id + 1
            run("INSERT INTO item VALUES (:id, :name, :price, :made)", **values)
            for number in range(self.chance.randint(0, 2)):
                run("INSERT INTO part VALUES (:i, :n, :n)", i=values["id"], n=number)
            return
        chosen = self.chance.choice(items)
        if action < 0.8:
            run("UPDATE item SET name = :name, price = :price WHERE id = :id", id=chosen, **values)
        elif action < 0.9:
            run("DELETE FROM part WHERE item_id = :id", id=chosen)
            run("DELETE FROM item WHERE id = :id", id=chosen)
        else:
            run("UPDATE part SET weight = weight + 1, no = no + 10 WHERE item_id = :id", id=chosen)

    def moment(self) -> Moment:
        """Now, apart from what was written before and will be written later."""
        time.sleep(0.003)  # SQLite's clock counts milliseconds
        now = Moment(datetime.now(UTC).replace(tzinfo=None), self.content())
        time.sleep(0.003)
        return now

    def copy_base(self) -> None:
        """Write a base copy of the tables as they are now."""
        capture = self.replication.capture("shop")
        try:
            tables = [capture.tables()[capture.dialect.canonical(n)] for n in ("item", "part")]
            with self.source.engine.connect() as connection:
                state = connection.execute(sa.select(capture.outbox.state)).one()
        finally:
            capture.engine.dispose()
        now = self.content()
        with BaseWriter(
            self.folder, route="items", epoch=state.epoch, after_batch=state.last_batch
        ) as base:
            for table in tables:
                names = [column.name for column in table.columns]
                base.table(table)
                base.rows(
                    {name: _wire(value) for name, value in zip(names, row, strict=True)}
                    for row in now[table.name.rpartition(".")[2]]
                )
            base.finish(datetime.now(UTC))


def _url(database: Database) -> str:
    """PyMySQL would load every certificate of the system for each connection."""
    return database.url + ("?ssl_disabled=1" if database.kind in ("mysql", "mariadb") else "")


def _wire(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


def content(database: Database) -> Content:
    """Both tables' rows, values in a form that is the same for all engines."""
    with database.engine.connect() as connection:
        return {
            table: [
                tuple(map(_plain, row))
                for row in connection.execute(sa.text(f"SELECT * FROM {table} ORDER BY 1, 2"))
            ]
            for table in ("item", "part")
        }


def _plain(value: object) -> object:
    if isinstance(value, str) and value[:5] == "2026-":
        return datetime.fromisoformat(value)
    return Decimal(str(value)).normalize() if isinstance(value, Decimal | float) else value


def restored(folder: Path, database: Database, *, create: bool = True, **wish: Any) -> Result:
    """Restore a folder as the command does."""
    archive = Archive.open(folder)
    assert archive.verify() == []
    url = make_url(_url(database))
    return restore(make_plan(archive, Wish(**wish)), url, {}, create=create)


def history(shop: Shop, *, base: bool = False) -> list[Moment]:
    """Write, deliver, and remember moments in between; the backup is in many segments then."""
    moments = []
    for number in range(6):
        shop.work(12)
        moments.append(shop.moment())
        if number != 2:  # a run of the replicator that comes later than the moment
            shop.replication.deliver()
        if base and number == 1:
            shop.copy_base()
    assert len(list_segments(shop.folder)) >= 4
    return moments


@pytest.mark.parametrize("target", DATABASE_KINDS)
def test_into_every_engine_at_several_moments(
    target: DatabaseKind, make_database: MakeDatabase, tmp_path: Path
) -> None:
    shop = Shop.make(make_database("postgresql"), tmp_path)
    moments = history(shop)
    for moment in (moments[0], moments[2]):
        other = make_database(target)
        result = restored(shop.folder, other, until=moment.text)
        assert result.refused == []
        assert content(other) == moment.content
    last = make_database(target)
    restored(shop.folder, last)
    assert content(last) == shop.content() == moments[-1].content


@pytest.mark.parametrize("source", ["sqlite", "mariadb", "mysql"])
def test_from_every_engine(
    source: DatabaseKind, make_database: MakeDatabase, tmp_path: Path
) -> None:
    shop = Shop.make(make_database(source), tmp_path, compression="zstd")
    moments = history(shop, base=True)
    target = make_database("sqlite")
    for moment in (moments[2], moments[5]):
        restored(shop.folder, target, until=moment.text, replace=True)
        assert content(target) == moment.content


@pytest.mark.parametrize("kind", DATABASE_KINDS)
def test_every_type_of_an_engine_comes_back(
    kind: DatabaseKind, make_database: MakeDatabase, tmp_path: Path
) -> None:
    source, target = make_database(kind), make_database(kind)
    tables = TABLES[kind]
    write(source, (statement for table in tables for statement in table.create))
    replication = Replication(
        tmp_path,
        sources={"here": _url(source)},
        targets={"backup": {"type": "backup", "path": "backup"}},
        routes=[
            {
                "name": "all",
                "source": "here",
                "tables": [table.name for table in tables],
                "targets": ["backup"],
            }
        ],
    )
    replication.prepare()
    rows = {table.name: extreme_rows(table) for table in tables}
    write(
        source,
        (table.insert(n, values) for table in tables for n, values in rows[table.name].items()),
    )
    replication.deliver()
    write(target, (statement for table in tables for statement in table.setup))
    result = restored(tmp_path / "backup" / "all", target)
    assert result.refused == []
    signed_zero = kind not in ("sqlite", "mariadb")
    for table in tables:
        names = [column.name for column in table.columns]
        expected, found = (read_table(d, table.name, names) for d in (source, target))
        assert expected.keys() == found.keys()
        for number, row in expected.items():
            for column, before, after in zip(table.columns, row, found[number], strict=True):
                same = same_value(column.meaning, before, after, signed_zero=signed_zero)
                assert same, (table.name, column.name)


@pytest.fixture
def shop(make_database: MakeDatabase, tmp_path: Path) -> Shop:
    """A shop on SQLite."""
    return Shop.make(make_database("sqlite"), tmp_path)


def test_one_table_alone(shop: Shop, make_database: MakeDatabase) -> None:
    history(shop)
    target = make_database("sqlite")
    restored(shop.folder, target, tables=("item",))
    with target.engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT id FROM item ORDER BY 1")).scalars().all()
    assert list(rows) == [row[0] for row in shop.content()["item"]]
    assert sa.inspect(target.engine).get_table_names() == ["item"]


def test_a_table_that_is_not_in_the_backup(shop: Shop, make_database: MakeDatabase) -> None:
    history(shop)
    with pytest.raises(ReplicatorError, match="no table 'itme'") as caught:
        restored(shop.folder, make_database("sqlite"), tables=("itme",))
    assert caught.value.hint == "It has: item, part"


def test_tables_that_hold_rows_are_left_alone_unless_they_are_to_be_replaced(
    shop: Shop, make_database: MakeDatabase
) -> None:
    history(shop)
    target = make_database("sqlite")
    restored(shop.folder, target)
    execute(target.engine, "UPDATE item SET name = 'mine'", "INSERT INTO item (id) VALUES (0)")
    before = content(target)
    with pytest.raises(ReplicatorError, match="table item is not empty"):
        restored(shop.folder, target)
    assert content(target) == before
    restored(shop.folder, target, replace=True)
    assert content(target) == shop.content()


def test_missing_tables_are_made_only_when_asked_for(
    shop: Shop, make_database: MakeDatabase
) -> None:
    history(shop)
    target = make_database("sqlite")
    with target.engine.connect():
        pass
    with pytest.raises(ReplicatorError, match="missing in the target: item, part"):
        restored(shop.folder, target, create=False)


def test_a_base_copy_makes_up_for_what_the_changes_do_not_tell(
    shop: Shop, make_database: MakeDatabase
) -> None:
    """The first segments are gone, as retention leaves it."""
    moments = history(shop, base=True)
    base = Archive.open(shop.folder).bases[0]
    for segment in Archive.open(shop.folder).segments:
        if segment.header.last_batch <= base.content.after_batch:
            segment.path.unlink()
            segment.path.with_name(f"{segment.path.name}.sha256").unlink()
    assert Archive.open(shop.folder).first_number > 1
    for moment in (moments[2], moments[-1]):
        target = make_database("sqlite")
        restored(shop.folder, target, until=moment.text)
        assert content(target) == moment.content
    with pytest.raises(ReplicatorError, match="reaches back to"):
        restored(shop.folder, make_database("sqlite"), until=moments[0].text)


def test_a_removed_beginning_without_base_copy_is_not_passed_over(
    shop: Shop, make_database: MakeDatabase
) -> None:
    history(shop)
    first = list_segments(shop.folder)[0]
    first.unlink()
    first.with_name(f"{first.name}.sha256").unlink()
    with pytest.raises(ReplicatorError, match="neither a base copy nor its first changes"):
        restored(shop.folder, make_database("sqlite"))
    restored(shop.folder, make_database("sqlite"), incomplete=True, tables=("item",))


def test_an_interrupted_restore_goes_on(
    shop: Shop, make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    history(shop)
    monkeypatch.setattr(run_module, "ROUND_BLOCKS", 1)
    monkeypatch.setattr("replicator.restore.plan._BLOCK_CHANGES", 20)
    target = make_database("postgresql")
    deliver, rounds = SqlTarget.deliver, 0

    def fail(self: SqlTarget, *arguments: Any) -> Any:
        nonlocal rounds
        rounds += 1
        if rounds == 4:
            raise TargetUnavailable("the target went away")
        return deliver(self, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(SqlTarget, "deliver", fail)
        with pytest.raises(TargetUnavailable):
            restored(shop.folder, target)
    with pytest.raises(ReplicatorError, match="part of another restore"):
        restored(shop.folder, target, until="2030-01-01T00:00:00.000000")
    result = restored(shop.folder, target)
    assert result.resumed_at >= 60
    assert content(target) == shop.content()
    assert "replicator_progress" not in sa.inspect(target.engine).get_table_names()


def test_a_backup_of_a_delivery_that_lost_its_end_stops(shop: Shop) -> None:
    history(shop)
    (shop.folder / "current.jsonl").unlink()
    for path in list_segments(shop.folder)[-1:]:
        path.unlink()
    shop.work(1)
    (error,) = shop.replication.run_once().values()
    assert isinstance(error, DeliveryStopped)
    assert "has lost changes" in error.message
