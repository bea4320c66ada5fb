"""What `check` says of a drop on a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from replicator import config
from replicator.check import Finding, find
from tests.conftest import MakeDatabase
from tests.servers.pyftpd import PyftpdServer
from tests.servers.sshd import SshdServer

FILE = """
[sources.shop]
url = "{source}"

[targets.partner]
type = "files"
url = "{url}"
{login}

[[routes]]
name = "orders"
source = "shop"
tables = ["item"]
targets = ["partner"]
"""


@pytest.fixture(scope="module")
def sshd() -> Iterator[SshdServer]:
    with SshdServer() as server:
        yield server


@pytest.fixture
def source(make_database: MakeDatabase) -> str:
    database = make_database("sqlite")
    with database.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE item (id integer PRIMARY KEY)")
    return database.url


def findings(tmp_path: Path, source: str, url: str, login: str) -> list[Finding]:
    path = tmp_path / "replicator.toml"
    path.write_text(FILE.format(source=source, url=url, login=login))
    return [found for found in find(config.load(path)) if found.place == "target partner"]


def test_a_drop_that_works(tmp_path: Path, source: str, sshd: SshdServer) -> None:
    login = (
        f'key = "{sshd.key}"\npassphrase = "{sshd.password}"\n'
        f'host_key = "{sshd.fingerprint(sshd.host_keys[1])}"'
    )
    assert findings(tmp_path, source, sshd.url(), login) == []
    assert [path.name for path in sshd.path.rglob("*")] == ["out"]


def test_a_drop_that_does_not(tmp_path: Path, source: str, sshd: SshdServer) -> None:
    known = f'known_hosts = "{sshd.known_hosts}"\n'
    (refused,) = findings(tmp_path, source, sshd.url(), known + 'password = "not the word"')
    assert refused.level == "problem"
    assert "it takes only publickey" in refused.message
    (unknown,) = findings(tmp_path, source, sshd.url(), f'known_hosts = "{tmp_path / "none"}"')
    assert "cannot be read" in unknown.message
    url = sshd.url().replace("127.0.0.1", "no-such-host.invalid")
    (unreachable,) = findings(tmp_path, source, url, 'password = "x"')
    assert (unreachable.level, unreachable.cause) == ("could not check", "unreachable")


def test_plain_ftp_is_a_warning(tmp_path: Path, source: str) -> None:
    with PyftpdServer() as server:
        login = f'password = "{server.password}"'
        (found,) = findings(tmp_path, source, server.url(), login)
    assert found.level == "warning"
    assert "can be read, and changed, on their way" in found.message
