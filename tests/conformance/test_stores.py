"""What every store does, on real servers of several makes."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from replicator.errors import ReplicatorError, TargetUnavailable
from replicator.targets.files.store import FolderSettings, Store, open_store
from tests.servers.drop import DropServer
from tests.servers.plain_sftp import plain_sftp_server
from tests.servers.pyftpd import PyftpdServer
from tests.servers.sshd import SshdServer
from tests.servers.vsftpd import VsftpdServer

SERVERS: dict[str, Callable[[], VsftpdServer | PyftpdServer | SshdServer]] = {
    "vsftpd, ftp": VsftpdServer,
    "vsftpd, ftps": lambda: VsftpdServer("explicit"),
    "vsftpd, implicit ftps": lambda: VsftpdServer("implicit"),
    "pyftpdlib, ftps": lambda: PyftpdServer(tls=True),
    "pyftpdlib, ftp, that knows little": lambda: PyftpdServer(
        without=["MLSD", "MLST", "SIZE", "FEAT", "EPSV"], habits=["keeps names"]
    ),
    "sshd": SshdServer,
}
LISTS_NAMES_ONLY = {"vsftpd, ftp", "vsftpd, ftps", "vsftpd, implicit ftps"}
LISTS_NAMES_ONLY |= {"pyftpdlib, ftp, that knows little"}
CONTENT = bytes(range(256)) * 3000 + b"\r\nlast line\n"


@dataclass
class Place:
    """A store that is open, and where its files are on this machine."""

    store: Store
    path: Path
    server: DropServer | None = None
    lists_folders: bool = False

    def contents(self) -> dict[str, bytes]:
        """All files by name."""
        found = (path for path in self.path.rglob("*") if path.is_file())
        return {str(path.relative_to(self.path)): path.read_bytes() for path in found}


@pytest.fixture(scope="module", params=["folder", "plain sftp", *SERVERS])
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """One store for all tests: as in service, its connection is kept."""
    with ExitStack() as stack:
        if request.param == "folder":
            path = tmp_path_factory.mktemp("folder") / "出" / "going"
            made = Place(open_store(FolderSettings(path)), path)
        elif request.param == "plain sftp":
            other = stack.enter_context(plain_sftp_server())
            made = Place(open_store(other.settings()), other.path / "出/going")
        else:
            server = stack.enter_context(SERVERS[request.param]())
            settings = server.settings()
            made = Place(
                open_store(settings),
                server.path / settings.folder,
                server,
                lists_folders=request.param in LISTS_NAMES_ONLY,
            )
        stack.callback(made.store.close)
        made.store.open()
        yield made


@pytest.fixture
def place(shared: Place) -> Place:
    for entry in shared.path.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    return shared


@pytest.fixture
def killable(place: Place) -> DropServer:
    if place.server is None:
        pytest.skip("nothing that could be killed")
    return place.server


@pytest.fixture
def local(tmp_path: Path) -> Path:
    path = tmp_path / "local"
    path.write_bytes(CONTENT)
    return path


def test_a_file_arrives_as_it_is_and_gets_its_name(place: Place, local: Path) -> None:
    assert place.path.is_dir()
    place.store.put(local, ".订单 1.csv.part")
    assert place.contents() == {".订单 1.csv.part": CONTENT}
    assert place.store.size(".订单 1.csv.part") == len(CONTENT)
    place.store.rename(".订单 1.csv.part", "订单 1.csv")
    assert place.contents() == {"订单 1.csv": CONTENT}
    assert place.store.size(".订单 1.csv.part") is None
    assert place.store.names() == ["订单 1.csv"]


def test_an_empty_file(place: Place, local: Path) -> None:
    local.write_bytes(b"")
    place.store.put(local, "x")
    assert place.contents() == {"x": b""}
    assert place.store.size("x") == 0


def test_put_and_rename_replace_what_is_there(place: Place, local: Path) -> None:
    place.store.put(local, "x")
    place.store.put(local, "x.part")
    local.write_bytes(b"short")
    place.store.put(local, "x.part")
    assert place.contents() == {"x": CONTENT, "x.part": b"short"}
    place.store.rename("x.part", "x")
    assert place.contents() == {"x": b"short"}


def test_renaming_what_is_missing_leaves_the_target_alone(place: Place, local: Path) -> None:
    place.store.put(local, "x")
    with pytest.raises(ReplicatorError, match=r"x\.part|No such file"):
        place.store.rename("x.part", "x")
    assert place.contents() == {"x": CONTENT}
    place.store.put(local, "x.part")  # goes on after a failure
    assert set(place.contents()) == {"x", "x.part"}


def test_missing_folders_are_made(place: Place, local: Path) -> None:
    place.store.put(local, "2026/11 月/x.part")
    place.store.rename("2026/11 月/x.part", "2026/12/x")
    assert place.contents() == {"2026/12/x": CONTENT}
    assert place.store.names("2026/12") == ["x"]
    assert place.store.names("2026/11 月") == []
    assert place.store.names("2026") == (["11 月", "12"] if place.lists_folders else [])


def test_what_is_missing(place: Place, local: Path) -> None:
    assert place.store.names() == []
    assert place.store.names("no/folder") == []
    assert place.store.size("x") is None
    assert place.store.size("no/folder/x") is None
    place.store.put(local, "x")
    place.store.delete("x")
    place.store.delete("x")
    place.store.delete("no/folder/x")
    assert place.contents() == {}


def test_a_probe_leaves_nothing(place: Place) -> None:
    assert place.store.atomic
    place.store.probe()
    assert place.contents() == {}


def test_a_folder_that_somebody_removed_is_made_again(place: Place, local: Path) -> None:
    place.store.put(local, "sub/x")
    shutil.rmtree(place.path)
    place.store.put(local, "sub/y")
    assert place.contents() == {"sub/y": CONTENT}


def test_a_closed_store_opens_again(place: Place, local: Path) -> None:
    place.store.close()
    place.store.close()
    place.store.put(local, "x")
    assert place.contents() == {"x": CONTENT}


def test_a_server_that_dies_and_comes_back(place: Place, killable: DropServer, local: Path) -> None:
    place.store.put(local, "x")
    killable.kill()
    for _ in range(2):
        with pytest.raises(TargetUnavailable, match=r"connection was lost|refuses the connection"):
            place.store.put(local, "y")
    killable.start()
    place.store.put(local, "z")
    assert place.contents() == {"x": CONTENT, "z": CONTENT}


def test_a_server_that_dies_during_an_upload(
    place: Place, killable: DropServer, tmp_path: Path
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    def write_and_kill() -> None:
        with suppress(BrokenPipeError), fifo.open("wb") as file:
            file.write(CONTENT)
            file.flush()
            killable.kill()
            file.write(CONTENT)

    writer = threading.Thread(target=write_and_kill)
    writer.start()
    with pytest.raises(TargetUnavailable):
        place.store.put(fifo, "x.part")
    writer.join()
    assert set(place.contents()) <= {"x.part"}
    killable.start()
    fifo.unlink()
    fifo.write_bytes(CONTENT)
    place.store.put(fifo, "x.part")
    assert place.contents() == {"x.part": CONTENT}
