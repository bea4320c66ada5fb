"""Servers die and connections are cut during uploads: names only ever hold whole files."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from replicator.errors import TargetUnavailable
from replicator.targets.files.store import Store, open_store
from tests.servers import TCPProxy
from tests.servers.sshd import SshdServer
from tests.servers.vsftpd import VsftpdServer
from tests.wait import wait_until

STRIKES = [3, pytest.param(30, marks=pytest.mark.torture)]
SIZE = 24_000_000
SERVERS: dict[str, Callable[[], VsftpdServer | SshdServer]] = {
    "vsftpd": lambda: VsftpdServer("explicit"),
    "sshd": SshdServer,
}


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[VsftpdServer | SshdServer]:
    with SERVERS[request.param]() as running:
        yield running


class Publisher(threading.Thread):
    """Puts one file after the other, each in as many attempts as it takes."""

    def __init__(self, store: Store, content: Path) -> None:
        super().__init__()
        self.published = 0
        self.error: BaseException | None = None
        self._store = store
        self._content = content
        self._enough = threading.Event()

    def run(self) -> None:
        try:
            while not self._enough.is_set():
                self._publish(f"{self.published:06d}.csv")
                self.published += 1
        except BaseException as error:
            self.error = error
            raise

    def finish(self) -> None:
        """End after the file that is under way."""
        self._enough.set()
        self.join()

    def _publish(self, name: str) -> None:
        part = f".{name}.part"
        uploaded = False
        while True:
            try:
                if not uploaded:
                    self._store.put(self._content, part)
                    uploaded = True
                if self._store.size(part) is not None:
                    self._store.rename(part, name)
                return
            except TargetUnavailable:
                continue


def size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


@contextmanager
def publishing(store: Store, folder: Path, content: Path) -> Iterator[Callable[[], None]]:
    """A publisher at work; yields what waits for the middle of an upload.

    Afterwards every file is there, whole, and nothing else.
    """
    publisher = Publisher(store, content)

    def under_way() -> bool:
        assert publisher.error is None
        part = folder / f".{publisher.published:06d}.csv.part"
        return 0 < size(part) < SIZE * 3 // 4

    publisher.start()
    try:
        yield lambda: wait_until(under_way, 60, "an upload")
    finally:
        publisher.finish()
    assert publisher.error is None
    whole = content.read_bytes()
    for path in folder.iterdir():
        assert path.read_bytes() == whole, path.name
    assert sorted(path.name for path in folder.iterdir()) == [
        f"{number:06d}.csv" for number in range(publisher.published)
    ]
    assert publisher.published > 0


def assert_whole(folder: Path) -> None:
    """Whatever has a final name has all its bytes."""
    sizes = {path.name: size(path) for path in folder.iterdir() if path.suffix == ".csv"}
    assert set(sizes.values()) <= {SIZE}, sizes


@pytest.fixture
def content(tmp_path: Path) -> Path:
    path = tmp_path / "content"
    path.write_bytes(random.Random(4).randbytes(SIZE))
    return path


@pytest.mark.parametrize("strikes", STRIKES)
def test_a_server_that_is_killed_during_uploads(
    server: VsftpdServer | SshdServer, content: Path, strikes: int
) -> None:
    settings = server.settings()
    folder = server.path / settings.folder
    with (
        closing(open_store(settings)) as store,
        publishing(store, folder, content) as wait_for_the_middle,
    ):
        for _ in range(strikes):
            wait_for_the_middle()
            server.kill()
            assert_whole(folder)
            server.start()


@pytest.mark.parametrize("strikes", STRIKES)
def test_connections_that_are_cut_during_uploads(
    server: VsftpdServer | SshdServer, content: Path, strikes: int
) -> None:
    known = {}
    if isinstance(server, SshdServer):
        known["host_key"] = server.fingerprint(server.host_keys[0])
    with TCPProxy(server.port) as proxy:
        settings = server.settings(port=proxy.port, **known)
        folder = server.path / settings.folder
        with (
            closing(open_store(settings)) as store,
            publishing(store, folder, content) as wait_for_the_middle,
        ):
            for _ in range(strikes):
                wait_for_the_middle()
                proxy.cut()
                assert_whole(folder)
