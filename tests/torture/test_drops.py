"""A third party fetches and deletes what manifests list, while everything around is being broken.

The connection, the server and the replicator are struck while an upload is under way: when the
server's disk shows a temporary file.
"""

from __future__ import annotations

import csv
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from replicator.pipeline.contract import DeliveryName
from replicator.pipeline.deliveries import Deliveries
from replicator.targets.files.manifest import decode
from replicator.targets.files.verify import verify_folder
from tests.conftest import MakeDatabase
from tests.replication import Replication, ReplicatorProcess, execute
from tests.servers.drop import DropServer
from tests.servers.proxy import TCPProxy
from tests.servers.sshd import SshdServer
from tests.servers.vsftpd import VsftpdServer
from tests.wait import wait_until

MAKES: dict[str, Callable[[], VsftpdServer | SshdServer]] = {
    "vsftpd, ftps": lambda: VsftpdServer("explicit"),
    "sshd": SshdServer,
}
SHORT = [
    ("vsftpd, ftps", "replicator", 3),
    ("vsftpd, ftps", "server", 3),
    ("sshd", "connection", 3),
]
LONG = [
    pytest.param(make, victim, 30, marks=pytest.mark.torture)
    for make in MAKES
    for victim in ("replicator", "server", "connection")
]
ROWS = 10
SIZE = 15_000

csv.field_size_limit(sys.maxsize)


class Curl:
    """A client of another make."""

    def __init__(self, server: VsftpdServer | SshdServer) -> None:
        self._server = server
        self._options = ["curl", "-sS", "--connect-timeout", "5", "--max-time", "60"]
        if isinstance(server, SshdServer):
            settings = server.settings()
            self.folder = server.path / "out"
            self._delete = f"rm {self.folder}/"
            self._url = f"sftp://127.0.0.1:{server.port}{self.folder}/"
            self._options += ["--insecure", "--key", str(server.key), "--pass", server.password]
            self._options += ["--pubkey", f"{server.key}.pub", "-u", f"{settings.user}:"]
        else:
            self.folder = server.path / "out" / "going"
            self._delete = "DELE out/going/"
            self._url = f"ftp://127.0.0.1:{server.port}/out/going/"
            self._options += ["--ssl-reqd", "--cacert", str(server.certificate)]
            self._options += ["-u", f"ftp:{server.password}"]

    def names(self) -> list[str] | None:
        """The visible files; None when the server does not answer."""
        done = self._run("-l", self._url)
        if done.returncode:
            return None
        return [name for name in done.stdout.decode().split() if not name.startswith(".")]

    def get(self, names: list[str], folder: Path) -> bool:
        """Fetch files; tell whether all have come."""
        pairs = [part for name in names for part in ("-o", str(folder / name), self._url + name)]
        return not names or self._run("--fail-early", *pairs).returncode == 0

    def delete(self, names: list[str]) -> bool:
        """Delete files; tell whether the server has confirmed each."""
        commands = [part for name in names for part in ("-Q", self._delete + name)]
        return self._run(*commands, "-l", self._url).returncode == 0

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([*self._options, *arguments], capture_output=True, check=False)


class ThirdParty:
    """Fetches manifests and what they list, then deletes it, again and again, in a thread."""

    def __init__(self, curl: Curl, folder: Path) -> None:
        self.incoming = folder / "incoming"
        self.wrong: list[str] = []
        self._curl = curl
        self._fetching = folder / "fetching"
        self._deleted: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        for path in (self.incoming, self._fetching):
            path.mkdir()

    def __enter__(self) -> ThirdParty:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.3):
            try:
                self._fetch()
            except Exception as error:
                self.wrong.append(repr(error))
                raise

    def _fetch(self) -> None:
        names = self._curl.names()
        if names is None:
            return
        again = self._deleted & set(names)
        if again:
            self.wrong.append(f"put there twice: {sorted(again)}")
        manifests = [name for name in names if name.endswith(".json")]
        if not manifests or not self._curl.get(manifests, self._fetching):
            return
        for name in sorted(manifests):
            data = (self._fetching / name).read_bytes()
            manifest = decode(data)
            assert manifest is not None
            listed = [file.name for file in manifest.files]
            lacking = [file for file in listed if not (self.incoming / file).exists()]
            gone = [file for file in lacking if file not in names]
            if gone and (
                gone := [file for file in gone if file not in (self._curl.names() or gone)]
            ):
                self.wrong.append(f"{name} lists what is not there: {gone}")
            if not self._curl.get(lacking, self._fetching):
                return
            for file in [*lacking, name]:
                (self._fetching / file).replace(self.incoming / file)
            if self._curl.delete([file for file in [*listed, name] if file in names]):
                self._deleted |= {*listed, name}

    def count(self) -> int:
        """How many rows have come, as the manifests say."""
        manifests = (decode(path.read_bytes()) for path in self.incoming.glob("*.json"))
        return sum(file.rows for found in manifests if found for file in found.files)

    def rows(self) -> Counter[tuple[str, str, str]]:
        """Every line of every file, without its head."""
        found: Counter[tuple[str, str, str]] = Counter()
        for path in self.incoming.glob("*.csv"):
            with path.open(newline="", encoding="gb18030") as file:
                next(file)
                found.update((op, key, note) for op, key, note in csv.reader(file))
        return found


@contextmanager
def written(engine: Engine) -> Iterator[None]:
    """Rows are inserted and deleted while the block runs."""
    stop = threading.Event()

    def write() -> None:
        key = 0
        chance = random.Random(1)
        insert = sa.text("INSERT INTO item VALUES (:id, :note)")
        while not stop.wait(0.3):
            rows = []
            for _ in range(ROWS):
                key += 1
                note = f'{key}, "你好"\r\n' + chance.choice("ab中") * (
                    SIZE + chance.randrange(SIZE)
                )
                rows.append({"id": key, "note": note})
            with engine.begin() as connection:
                connection.execute(insert, rows)
                if key % 3 == 0:
                    connection.execute(sa.text(f"DELETE FROM item WHERE id = {key - 5}"))

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def logged(replication: Replication) -> Counter[tuple[str, str, str]]:
    """The change log, in the form of the files' lines."""
    capture = replication.capture("shop")
    change = capture.outbox.change
    with capture.engine.connect() as connection:
        rows = connection.execute(
            sa.text(
                "SELECT op, coalesce(json_extract(after, '$.id'), json_extract(before, '$.id')),"
                " coalesce(json_extract(after, '$.note'), json_extract(before, '$.note'))"
                f" FROM {change.name}"
            )
        ).all()
    capture.engine.dispose()
    return Counter((op, str(key), note) for op, key, note in rows)


def target_of(server: VsftpdServer | SshdServer, port: int) -> dict[str, object]:
    """The target's section, with another port than the server's own."""
    section: dict[str, object] = {
        "type": "files",
        "url": server.url().replace(f":{server.port}/", f":{port}/"),
        "encoding": "gb18030",
        "window": "2s",
        "name": "{table}_{window:%Y%m%d%H%M%S}_{seq:03d}.csv",
        "roll_bytes": 500_000,
        "manifest": "{window:%Y%m%d%H%M%S}.json",
        "local_copy": "copy",
        "connect_timeout": 5,
        "timeout": 10,
    }
    if isinstance(server, SshdServer):
        section |= {"key": str(server.key), "passphrase": server.password}
        section["host_key"] = server.fingerprint(server.host_keys[0])
    else:
        section |= {"password": server.password, "ca": str(server.certificate)}
    return section


def uploads(server: DropServer) -> set[str]:
    """The temporary files on the server's disk; every attempt has a name of its own."""
    return {path.name for path in server.path.rglob(".*.part")}


def whole(server: DropServer, copy: Path) -> None:
    """What can be seen on the server must be complete."""
    for path in server.path.rglob("*"):
        if path.is_file() and not path.name.startswith("."):
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                continue  # has just been deleted
            assert data == (copy / path.name).read_bytes(), path.name


@pytest.mark.parametrize(("make", "victim", "strikes"), [*SHORT, *LONG])
def test_every_file_is_fetched_whole_and_once(
    make: str, victim: str, strikes: int, make_database: MakeDatabase, tmp_path: Path
) -> None:
    source = make_database("sqlite")
    execute(source.engine, "CREATE TABLE item (id INTEGER PRIMARY KEY, note TEXT)")
    chance = random.Random(strikes)
    with ExitStack() as stack:
        server = MAKES[make]()
        stack.enter_context(server)
        proxy = stack.enter_context(TCPProxy(server.port))
        replication = Replication(
            tmp_path,
            sources={"shop": source.url},
            targets={"partner": target_of(server, proxy.port)},
            routes=[
                {"name": "items", "source": "shop", "tables": ["item"], "targets": ["partner"]}
            ],
        )
        replication.install()
        capture = replication.capture("shop")
        for name in (DeliveryName("items", "partner"), DeliveryName("keep", "all")):
            Deliveries(capture.engine, capture.outbox, name).register()
        capture.engine.dispose()
        third_party = stack.enter_context(ThirdParty(Curl(server), tmp_path))
        replicator = stack.enter_context(ReplicatorProcess(replication))
        replicator.wait_until_up(120)
        with written(source.engine):
            struck: set[str] = set()
            for _ in range(strikes):
                wait_until(lambda: uploads(server) - struck, 120, "another upload")
                struck.update(uploads(server))
                time.sleep(chance.random() * 0.05)
                match victim:
                    case "replicator":
                        replicator.kill()
                        whole(server, tmp_path / "copy")
                        replicator.start()
                    case "server":
                        server.kill()
                        whole(server, tmp_path / "copy")
                        server.start()
                    case _:
                        proxy.cut()
                        whole(server, tmp_path / "copy")
        expected = logged(replication)
        total = expected.total()
        wait_until(lambda: third_party.wrong or third_party.count() == total, 180, "all fetched")

    assert third_party.wrong == []
    assert third_party.rows() == expected
    report = verify_folder(third_party.incoming)
    assert report.problems == []
    assert report.rows == expected.total()
    for path in third_party.incoming.iterdir():
        assert path.read_bytes() == (tmp_path / "copy" / path.name).read_bytes()
    print(f"\n{make}: {victim} struck {strikes} times; {report.files} files, {report.rows} rows")
