"""Snapshots of files targets: whole tables, put where a third party fetches them."""

from __future__ import annotations

import csv
import gzip
import json
import random
import shutil
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from replicator import config
from replicator.cli.exits import ExitCode
from replicator.cli.whole_copies import WholeCopy
from replicator.compose import open_source
from replicator.errors import DeliveryStopped
from replicator.pipeline.contract import DeliveryName
from replicator.targets.files.manifest import Manifest, SnapshotManifest, decode, decode_snapshot
from replicator.targets.files.snapshot import Snapshots
from replicator.targets.files.store import Store
from replicator.targets.files.store.local import LocalStore
from replicator.targets.files.verify import verify_folder
from tests.acceptance.command_line import CommandLine, Running
from tests.conftest import MakeDatabase
from tests.crashing import Crash, CrashingStore, ThirdParty
from tests.replication import Replication, content, execute
from tests.servers.database import DatabaseKind
from tests.servers.sshd import SshdServer
from tests.unit.targets.rounds import contents
from tests.wait import wait_until

SHOP = """
[sources.shop]
url = "sqlite:///shop.db"

[targets.partner]
type = "files"
url = "file:out"
{target}

[[routes]]
name = "all"
source = "shop"
tables = ["person", "item", "vacant"]
targets = ["partner"]
{route}
"""

CHAINED = 'name = "{table}_{batch}.csv"\nmanifest = "{batch}.json"'

Lines = list[dict[str, str]]


def shop(folder: Path, target: str = CHAINED, route: str = "") -> CommandLine:
    """Two tables with 2,000 rows each, and one without, of which nothing is captured."""
    text = SHOP.replace("{target}", target).replace("{route}", route)
    line = CommandLine(folder, text)
    line.sql("PRAGMA journal_mode = WAL")
    for table in ("person", "item", "vacant"):
        line.sql(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, n INT, note TEXT)")
    numbers = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 2000)"
    for table in ("person", "item"):
        line.sql(f"{numbers} INSERT INTO {table} SELECT x, x % 7, 'a \"b\", {table} ' || x FROM c")
    line.ok("triggers", "install")
    return line


def snapshots(folder: Path) -> list[tuple[str, SnapshotManifest]]:
    """The manifests of snapshots in a folder, oldest first."""
    found = [
        (path.relative_to(folder).as_posix(), decode_snapshot(path.read_bytes()))
        for path in sorted(folder.rglob("*.json"))
    ]
    return [(name, manifest) for name, manifest in found if manifest is not None]


def last_snapshot(folder: Path) -> SnapshotManifest:
    """The newest one."""
    return snapshots(folder)[-1][1]


def rows(folder: Path, manifest: SnapshotManifest | Manifest, table: str) -> Lines:
    """The lines of a table in the files that a manifest lists."""
    lines: Lines = []
    for file in manifest.files:
        if file.table == table:
            data = (folder / file.name).read_bytes()
            text = gzip.decompress(data) if file.name.endswith(".gz") else data
            found = list(csv.DictReader(text.decode().splitlines()))
            assert len(found) == file.rows
            lines += found
    return lines


def test_the_files_hold_the_tables(tmp_path: Path) -> None:
    line = shop(
        tmp_path,
        'name = "{table}_{batch}_{seq}.csv.gz"\nroll_rows = 700\ncompress = "gzip"',
    )
    out = line.ok("snapshot", "all")
    [(name, manifest)] = snapshots(tmp_path / "out")
    assert f"snapshot {name}, 4,000 rows" in out
    assert (manifest.delivery, manifest.last_batch) == ("all/partner", 0)
    assert [(file.table, file.rows) for file in manifest.files] == [
        ("person", 700),
        ("person", 700),
        ("person", 600),
        ("item", 700),
        ("item", 700),
        ("item", 600),
        ("vacant", 0),
    ]
    for table in ("person", "item", "vacant"):
        expected = line.sql(f"SELECT 'I', id, n, note FROM {table} ORDER BY id")
        found = rows(tmp_path / "out", manifest, table)
        assert [tuple(row.values()) for row in found] == [tuple(map(str, row)) for row in expected]
    empty = manifest.files[-1].name
    assert empty.endswith("/vacant_0001.csv.gz")
    data = (tmp_path / "out" / empty).read_bytes()
    assert gzip.decompress(data) == b'"op","id","n","note"\r\n'
    folder = Path(name).parent
    assert contents(tmp_path / "out" / folder) == contents(tmp_path / "drops/partner" / folder)
    assert len(contents(tmp_path / "out")) == 8


def test_list_resend_and_verify(tmp_path: Path) -> None:
    line = shop(tmp_path)
    line.sql("INSERT INTO vacant VALUES (1, 1, 'x')")
    line.ok("run", "--once")
    line.ok("snapshot", "all", "--table", "vacant")
    line.sql("DELETE FROM vacant")
    line.ok("run", "--once")
    (tmp_path / "out").rename(tmp_path / "incoming")
    verified = line.ok("drops", "verify", "incoming")
    assert "all/partner: manifests 1 to 2" in verified
    assert "3 manifests (1 of snapshots), 3 files, 3 rows, " in verified

    listed: list[Any] = json.loads(line.ok("drops", "list", "--json"))
    assert [drop["is_snapshot"] for drop in listed] == [False, True, False]
    file, manifest = listed[1]["files"]
    assert (file["rows"], file["is_manifest"], manifest["is_manifest"]) == (1, False, True)
    assert "snapshot " in line.ok("drops", "list")
    line.ok("drops", "resend", manifest["name"])
    again = contents(tmp_path / "out")
    assert set(again) == {file["name"], manifest["name"]}
    assert again.items() <= contents(tmp_path / "incoming").items()

    shutil.rmtree(tmp_path / "incoming" / Path(file["name"]).parent)
    line.ok("drops", "verify", "incoming")  # no link of the chain
    (tmp_path / "out" / file["name"]).write_text("changed")
    wrong = line.run("drops", "verify", "out")
    assert (wrong.code, "damaged" in wrong.out) == (1, True)


TRANSFORMS = """
[routes.columns.item]
number = "id"
twice = "2 * abs(n)"
[routes.where]
item = "id % 2 = 0"
vacant = "id < 0"
"""


def test_rows_go_through_the_transforms(tmp_path: Path) -> None:
    """A row for which an expression fails is a dead letter, once, and the others are there."""
    line = shop(tmp_path, route=TRANSFORMS)
    line.sql("UPDATE item SET n = -9223372036854775808 WHERE id = 1200")
    line.sql("INSERT INTO vacant VALUES (1, 1, 'x')")
    out = line.ok("snapshot", "all", "--table", "item", "--table", "vacant")
    assert "1 rows cannot be written" in out
    manifest = last_snapshot(tmp_path / "out")
    expected = line.sql("SELECT 'I', id, 2 * n FROM item WHERE id % 2 = 0 AND id <> 1200")
    found = rows(tmp_path / "out", manifest, "item")
    assert [tuple(row.values()) for row in found] == [tuple(map(str, row)) for row in expected]
    assert list(found[0]) == ["op", "number", "twice"]
    assert rows(tmp_path / "out", manifest, "vacant") == []
    letters = line.sql("SELECT state, table_name, error FROM outbox_dead_letter")
    assert [letter[:2] for letter in letters] == [("parked", "item")]
    assert "transform fails" in letters[0][2]


def test_a_manifest_that_is_a_list(tmp_path: Path) -> None:
    line = shop(
        tmp_path,
        'manifest_format = "list"\nmanifest_line = "{name};{rows};{number};{window:%Y}"\n'
        'snapshot_name = "full/{time}_{table}.csv"\nsnapshot_manifest = "full/{time}.txt"',
    )
    line.ok("snapshot", "all", "--table", "person", "--table", "vacant")
    [manifest] = (tmp_path / "out" / "full").glob("*.txt")
    assert manifest.read_text().splitlines() == [
        f"full/{manifest.stem}_person.csv;2000;0;{manifest.stem[:4]}",
        f"full/{manifest.stem}_vacant.csv;0;0;{manifest.stem[:4]}",
    ]


class Taking:
    """Snapshots that are taken in this process, into a store of the test's."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.line = shop(folder, 'name = "{table}_{batch}.csv"\nencoding = "ascii"')
        self.line.sql("UPDATE item SET note = '中' WHERE id = 1900")
        self._settings = config.load(self.line.path)
        self._monkeypatch = monkeypatch

    def take(self, store: Store, *names: str, stop: threading.Event | None = None) -> ExitCode:
        """Take one of some tables."""
        self._monkeypatch.setattr("replicator.compose.open_store", lambda _settings: store)
        source = open_source("shop", self._settings.sources["shop"])
        try:
            captured = source.capture.tables()
            tables = [captured[name] for name in names]
            name = DeliveryName("all", "partner")
            given = stop or threading.Event()
            return WholeCopy(self._settings, source, name, tables, None, given).take()
        finally:
            source.close()

    def copied(self) -> dict[str, bytes]:
        """What the local copy holds, its ledgers excepted."""
        found = contents(self.line.folder / "drops" / "partner")
        return {name: data for name, data in found.items() if not name.startswith(".drops")}


@pytest.fixture
def taking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Taking:
    return Taking(tmp_path, monkeypatch)


STEPS = 6  # two files and a manifest, each put and renamed


def test_an_interruption_of_any_step(taking: Taking, tmp_path: Path) -> None:
    """Nothing is seen half or twice; the same bytes come again; the dead letter stays one."""
    for step, after in [(step, after) for step in range(1, STEPS + 1) for after in (False, True)]:
        out = tmp_path / f"out{step}{after}"
        third_party = ThirdParty(out)
        with pytest.raises(Crash):
            taking.take(CrashingStore(out, step, after=after), "item", "vacant")
        third_party.fetch()
        planned = taking.copied()
        assert taking.take(LocalStore(out), "item", "vacant") == 0
        third_party.fetch()
        assert taking.copied() == planned
        assert contents(out) == {}
        assert len(third_party.taken) == STEPS // 2
        assert third_party.taken.items() <= planned.items()
    snapshots_taken = 2 * STEPS
    letters = taking.line.sql("SELECT count(*) FROM outbox_dead_letter WHERE state = 'parked'")
    assert letters == [(snapshots_taken,)]


def test_an_interrupted_one_of_other_tables_goes_first(taking: Taking, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(Crash):
        taking.take(CrashingStore(out, 1, after=False), "item", "vacant")
    assert snapshots(out) == []
    assert taking.take(LocalStore(out), "person") == ExitCode.DONE
    listed = [[file.table for file in manifest.files] for _, manifest in snapshots(out)]
    assert listed == [["item", "vacant"], ["person"]]
    assert verify_folder(out).problems == []


def test_one_that_is_stopped_while_it_is_written_leaves_nothing(
    taking: Taking, tmp_path: Path
) -> None:
    stop = threading.Event()
    stop.set()
    store = LocalStore(tmp_path / "out")
    assert taking.take(store, "item", stop=stop) == ExitCode.INTERRUPTED
    assert contents(tmp_path / "out") == {}
    copied = contents(tmp_path / "drops" / "partner")
    assert {Path(name).suffix for name in copied} == {".sqlite", ".lock"}


def test_one_that_is_stopped_while_it_is_put_there_goes_on(taking: Taking, tmp_path: Path) -> None:
    out, stop = tmp_path / "out", threading.Event()

    class Stopping(LocalStore):
        def rename(self, old: str, new: str) -> None:
            super().rename(old, new)
            stop.set()

    assert taking.take(Stopping(out), "item", "vacant", stop=stop) == ExitCode.INTERRUPTED
    [first] = contents(out)
    states = taking.line.sql("SELECT DISTINCT state FROM outbox_snapshot")
    assert states == [("copied",)]
    assert taking.take(LocalStore(out), "item", "vacant") == ExitCode.DONE
    assert first in contents(out)
    assert contents(out) == taking.copied()
    assert taking.line.sql("SELECT DISTINCT state FROM outbox_snapshot") == [("done",)]


def test_names_that_are_taken(
    taking: Taking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that is set back makes no snapshot overwrite another one."""
    store = LocalStore(tmp_path / "out")
    assert taking.take(store, "item") == ExitCode.DONE
    [(_, first)] = snapshots(tmp_path / "out")
    monkeypatch.setattr(Snapshots, "begin", lambda _snapshots: first.begun)
    before = contents(tmp_path / "out")
    with pytest.raises(DeliveryStopped, match=r"has published snapshot_all_.* already"):
        taking.take(store, "item")
    assert contents(tmp_path / "out") == before == taking.copied()


def copies(line: CommandLine) -> list[dict[str, object]]:
    """What `status` says of copies."""
    [delivery] = json.loads(line.ok("status", "--json"))["deliveries"]
    found: list[dict[str, object]] = delivery["copies"]
    return found


def test_one_that_is_killed_while_it_is_written(tmp_path: Path) -> None:
    line = shop(tmp_path)
    assert copies(line) == []
    with Running(line, "snapshot", "all", "--rate", "500") as running:
        wait_until(lambda: line.sql("SELECT 1 FROM outbox_snapshot WHERE copied > 0"), 60)
        first, *others = copies(line)
        assert (first["table"], first["state"], first["estimate"]) == ("person", "copying", 2000)
        assert 0 < int(str(first["rows"])) < 2000
        assert [(copy["table"], copy["state"]) for copy in others] == [
            ("item", "waiting"),
            ("vacant", "waiting"),
        ]
        assert "copying" in line.ok("status")
        again = line.run("snapshot", "all")
        assert (again.code, "another process takes a snapshot" in again.errors) == (3, True)
        running.send(signal.SIGKILL)
    copy = tmp_path / "drops" / "partner"
    assert contents(tmp_path / "out") == {}
    assert [path.name for path in copy.iterdir()] == [".drops"]
    assert any(name.endswith(".part") for name in contents(copy))

    line.ok("snapshot", "all")
    assert copies(line) == []
    assert not any(name.endswith(".part") for name in contents(copy))
    assert verify_folder(tmp_path / "out").problems == []
    assert [file.rows for file in last_snapshot(tmp_path / "out").files] == [2000, 2000, 0]


@contextmanager
def writing(engine: Engine) -> Iterator[None]:
    """Rows are inserted, changed and deleted until the block ends."""
    stop = threading.Event()

    def write() -> None:
        chance = random.Random(7)
        key = 10_000
        while not stop.wait(0.005):
            key += 1
            some = chance.randrange(1, 3001)
            execute(
                engine,
                f"INSERT INTO item VALUES ({key}, {key})",
                f"UPDATE item SET n = n + 1 WHERE id = {some}",
                f"DELETE FROM item WHERE id = {chance.choice([some + 1, key - 50])}",
            )

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def applied(folder: Path) -> dict[int, int]:
    """What a receiver makes of a snapshot, and of the drops with later batches."""
    snapshot = last_snapshot(folder)
    found = {int(row["id"]): int(row["n"]) for row in rows(folder, snapshot, "item")}
    manifests = [decode(path.read_bytes()) for path in folder.glob("*.json")]
    drops = [manifest for manifest in manifests if manifest is not None]
    for drop in sorted(drops, key=lambda drop: drop.number):
        if drop.last_batch <= snapshot.last_batch:
            continue
        for row in rows(folder, drop, "item"):
            if row["op"] == "D":
                found.pop(int(row["id"]), None)
            else:
                found[int(row["id"])] = int(row["n"])
    return found


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_later_drops_on_top_are_the_table(
    kind: DatabaseKind, make_database: MakeDatabase, tmp_path: Path
) -> None:
    source = make_database(kind)
    execute(source.engine, "CREATE TABLE item (id INTEGER PRIMARY KEY, n INTEGER)")
    numbers = ", ".join(f"({number}, 0)" for number in range(1, 3001))
    execute(source.engine, f"INSERT INTO item VALUES {numbers}")
    replication = files(tmp_path, source.url, {"url": "file:out", "roll_rows": 1000})
    line = CommandLine(tmp_path, replication.path.read_text())
    with replication.running(), writing(source.engine):
        wait_until(lambda: list((tmp_path / "out").glob("*.json")), 60)
        line.ok("snapshot", "items", "--rate", "3000")
        before = len(list((tmp_path / "out").glob("*.json")))
        wait_until(lambda: len(list((tmp_path / "out").glob("*.json"))) > before + 3, 60)
    replication.deliver()
    assert last_snapshot(tmp_path / "out").last_batch > 0
    assert sorted(applied(tmp_path / "out").items()) == content(source.engine, "item")
    assert verify_folder(tmp_path / "out").problems == []


def files(folder: Path, source: str, target: Mapping[str, object]) -> Replication:
    """A route of `item` to a files target, captured."""
    names = {"name": "{table}_{batch}_{seq}.csv", "manifest": "{batch}.json"}
    replication = Replication(
        folder,
        sources={"shop": source},
        targets={"partner": {"type": "files", **names, **target}},
        routes=[
            {
                "name": "items",
                "source": "shop",
                "tables": ["item"],
                "targets": ["partner"],
                "into": {"item": "item"},
            }
        ],
    )
    replication.install()
    return replication


def test_to_a_server(make_database: MakeDatabase, tmp_path: Path) -> None:
    source = make_database("sqlite")
    execute(source.engine, "CREATE TABLE item (id INTEGER PRIMARY KEY, n INTEGER)")
    execute(source.engine, "INSERT INTO item VALUES (1, 10), (2, NULL)")
    with SshdServer() as server:
        login = {
            "url": server.url(),
            "key": str(server.key),
            "passphrase": server.password,
            "host_key": server.fingerprint(server.host_keys[0]),
        }
        replication = files(tmp_path, source.url, login)
        CommandLine(tmp_path, replication.path.read_text()).ok("snapshot", "items")
        folder = server.path / "out"
        manifest = last_snapshot(folder)
        assert [row["n"] for row in rows(folder, manifest, "item")] == ["10", ""]
        assert verify_folder(folder).problems == []
        server.kill()
        away = CommandLine(tmp_path, replication.path.read_text()).run("snapshot", "items")
        assert (away.code, "target partner (files sftp://" in away.errors) == (3, True)


@pytest.mark.parametrize(
    ("target", "route", "expected"),
    [
        (CHAINED, 'handlers = { item = "exec:/bin/cat" }', "that a handler delivers: item"),
        (f'{CHAINED}\noperations = ["U", "D"]', "", "hold no inserted rows"),
        (f'{CHAINED}\n[targets.web]\ntype = "handler"', "", "without a first copy: web"),
    ],
)
def test_what_has_no_snapshot(tmp_path: Path, target: str, route: str, expected: str) -> None:
    line = shop(tmp_path, target)
    if "web" in target:
        line.edit('["partner"]', '["partner", "web"]')
        route = 'handler = "exec:/bin/cat"'
    line.edit('name = "all"', f'name = "all"\n{route}')
    done = line.run("snapshot", "all")
    assert done.code != 0
    assert expected in done.errors
    assert not list(tmp_path.glob("out/*"))


def test_a_base_copy_goes_through_the_transforms(tmp_path: Path) -> None:
    """Its delivery writes changes of that form, and `restore` needs one form."""
    line = shop(tmp_path, route=TRANSFORMS)
    line.edit('type = "files"\nurl = "file:out"', 'type = "backup"\npath = "backup"')
    line.edit(CHAINED, "")
    line.sql("UPDATE item SET n = -9223372036854775808 WHERE id = 1200")
    began = time.monotonic()
    assert "3,000 rows" in line.ok("snapshot", "all", "--rate", "2000")
    assert time.monotonic() - began > 2500 / 2000  # the last pages need not be waited for
    line.sql("UPDATE item SET n = 50 WHERE id < 5")
    line.ok("run", "--once")
    done = line.run("restore", "backup/all", "--to", "sqlite:///restored.db", "--create")
    assert (done.code, "the transform fails" in done.out + done.errors) == (1, True)
    expected = line.sql("SELECT id, 2 * n FROM item WHERE id % 2 = 0 AND id <> 1200 ORDER BY id")
    assert line.sql("SELECT * FROM item ORDER BY number", "restored.db") == expected
