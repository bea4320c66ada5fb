"""What goes wrong with servers: one clear message each, no password in it, and on when mended."""

from __future__ import annotations

import ftplib
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from replicator.errors import DeliveryStopped, ReplicatorError, TargetUnavailable
from replicator.targets.files.store import FtpSettings, SftpSettings, StoreSettings, open_store, ssh
from tests.servers import TCPProxy
from tests.servers.base import free_port
from tests.servers.certificate import write_certificate
from tests.servers.drop import DropServer
from tests.servers.plain_sftp import plain_sftp_server
from tests.servers.pyftpd import PyftpdServer
from tests.servers.sshd import SshdServer
from tests.servers.vsftpd import VsftpdServer

CONTENT = b"one line\n" * 100_000
WRONG = "not the word"


@pytest.fixture(scope="module")
def ftp() -> Iterator[VsftpdServer]:
    with VsftpdServer() as server:
        yield server


@pytest.fixture(scope="module")
def ftps() -> Iterator[VsftpdServer]:
    with VsftpdServer("explicit") as server:
        yield server


@pytest.fixture(scope="module")
def sshd() -> Iterator[SshdServer]:
    with SshdServer() as server:
        yield server


@pytest.fixture
def local(tmp_path: Path) -> Path:
    path = tmp_path / "local"
    path.write_bytes(CONTENT)
    return path


def failure(kind: type[ReplicatorError], settings: StoreSettings) -> str:
    """The whole text of the error that opening the store raises."""
    with closing(open_store(settings)) as store, pytest.raises(kind) as caught:
        store.open()
    text = str(caught.value)
    for secret in (DropServer.password, WRONG):
        assert secret not in text
        assert secret not in repr(settings)
    assert len(text.splitlines()) == 2
    return text


def test_a_wrong_password(ftp: VsftpdServer, ftps: VsftpdServer) -> None:
    for server in (ftp, ftps):
        text = failure(DeliveryStopped, server.settings(password=WRONG))
        assert "refuses the login (530 Login incorrect.)\n  Check user and password" in text
    with PyftpdServer() as other:
        assert "refuses the login (530" in failure(DeliveryStopped, other.settings(password=WRONG))


@pytest.mark.parametrize("interactive", [False, True])
def test_passwords_over_ssh(interactive: bool, local: Path) -> None:
    with plain_sftp_server(interactive=interactive) as server:
        text = failure(DeliveryStopped, server.settings(password=WRONG))
        assert "refuses the login\n  Check user and password" in text
        with closing(open_store(server.settings())) as store:
            store.put(local, "x")
        assert (server.path / "出/going/x").read_bytes() == CONTENT


def test_nobody_there(ftp: VsftpdServer, sshd: SshdServer) -> None:
    port = free_port()
    for server in (ftp, sshd):
        text = failure(TargetUnavailable, server.settings(port=port))
        assert f"127.0.0.1:{port} refuses the connection" in text
        text = failure(TargetUnavailable, server.settings(host="no-such-host.invalid"))
        assert "there is no host of this name" in text


@pytest.mark.parametrize("kind", ["ftp", "ftps", "sshd"])
def test_a_server_that_falls_silent(kind: str, request: pytest.FixtureRequest) -> None:
    server: VsftpdServer | SshdServer = request.getfixturevalue(kind)
    known = {}
    if isinstance(server, SshdServer):
        known["host_key"] = server.fingerprint(server.host_keys[0])
    with TCPProxy(server.port) as proxy:
        settings = server.settings(port=proxy.port, timeout=1, connect_timeout=3, **known)
        with closing(open_store(settings)) as store:
            assert store.size("x") is None
            proxy.stall()
            with pytest.raises(TargetUnavailable, match=r"does not answer in time|was lost"):
                store.size("x")
            proxy.cut()
            proxy.resume()
            assert store.size("x") is None


def test_another_protocol(ftp: VsftpdServer, ftps: VsftpdServer, sshd: SshdServer) -> None:
    text = failure(TargetUnavailable, ftp.settings(tls="implicit"))
    assert "TLS fails: wrong version number" in text
    text = failure(DeliveryStopped, ftp.settings(tls="explicit"))
    assert "the server does not offer TLS (530" in text
    text = failure(DeliveryStopped, ftps.settings(tls=None))
    assert "Write ftps:// in the target's url" in text
    failure(TargetUnavailable, sshd.settings(port=ftp.port, connect_timeout=1, host_key="x"))
    failure(TargetUnavailable, ftp.settings(port=sshd.port, connect_timeout=1))


def test_certificates_that_are_not_trusted(ftps: VsftpdServer, tmp_path: Path) -> None:
    text = failure(DeliveryStopped, ftps.settings(ca=None))
    assert "the server's certificate is not trusted (self-signed certificate)" in text
    other = write_certificate(tmp_path / "other.pem")
    assert "is not trusted" in failure(DeliveryStopped, ftps.settings(ca=other))
    text = failure(DeliveryStopped, ftps.settings(host="localhost"))
    assert "certificate is for another host" in text
    with VsftpdServer("explicit", expired=True) as server:
        text = failure(DeliveryStopped, server.settings())
        assert "certificate has expired" in text
    for path in (tmp_path / "missing", tmp_path / "empty"):
        text = failure(DeliveryStopped, ftps.settings(ca=path))
        assert "cannot be read" in text
        (tmp_path / "empty").touch()


def test_the_tls_session_is_reused(ftps: VsftpdServer, local: Path) -> None:
    settings = ftps.settings()
    context = ssl.create_default_context(cafile=settings.ca)
    with ftplib.FTP_TLS(context=context) as other:  # Python's own does not
        other.connect("127.0.0.1", ftps.port)
        other.login("ftp", ftps.password)
        other.prot_p()
        with pytest.raises((ftplib.error_perm, OSError)), local.open("rb") as file:
            other.storbinary("STOR by-another", file)
        other.close()
    with closing(open_store(settings)) as store:
        store.put(local, "x")
        assert store.size("x") == len(CONTENT)


class TestHostKeys:
    def test_known_by_file(self, sshd: SshdServer, tmp_path: Path) -> None:
        for key in sshd.host_keys:  # whichever of the server's the file has
            known = tmp_path / "known"
            known.write_text(sshd.known_as(key))
            with closing(open_store(sshd.settings(known_hosts=known))) as store:
                store.open()

    def test_known_by_fingerprint(self, sshd: SshdServer) -> None:
        for key in sshd.host_keys:
            settings = sshd.settings(host_key=sshd.fingerprint(key))
            with closing(open_store(settings)) as store:
                store.open()

    def test_unknown(
        self, sshd: SshdServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        empty = tmp_path / "known"
        empty.touch()
        text = failure(DeliveryStopped, sshd.settings(known_hosts=empty))
        assert "the server's host key is not known" in text
        assert f"ssh-keyscan -p {sshd.port} 127.0.0.1" in text
        monkeypatch.setattr(ssh, "KNOWN_HOSTS", (empty, tmp_path / "none"))
        assert text == failure(DeliveryStopped, sshd.settings(known_hosts=None))
        text = failure(DeliveryStopped, sshd.settings(known_hosts=tmp_path / "none"))
        assert "cannot be read: No such file or directory" in text

    def test_wrong(self, sshd: SshdServer, tmp_path: Path) -> None:
        other = sshd.make_key("other", "ed25519")
        known = tmp_path / "known"
        known.write_text(sshd.known_as(other))
        text = failure(DeliveryStopped, sshd.settings(known_hosts=known))
        assert "another one than the file of known hosts has" in text
        assert sshd.fingerprint(sshd.host_keys[0]) in text
        text = failure(DeliveryStopped, sshd.settings(host_key=sshd.fingerprint(other)))
        assert "another one than `host_key` says" in text
        for key in sshd.host_keys:
            assert sshd.fingerprint(key) in text


class TestUserKeys:
    def test_kinds(self, sshd: SshdServer) -> None:
        authorized = sshd.folder / "authorized"
        before = authorized.read_text()
        for kind, passphrase in (("rsa", "an open word"), ("ecdsa", ""), ("ed25519", "")):
            key = sshd.make_key("mine", kind, passphrase)
            authorized.write_text(before + Path(f"{key}.pub").read_text())
            settings = sshd.settings(key=key, passphrase=passphrase or None)
            with closing(open_store(settings)) as store:
                store.open()
        authorized.write_text(before)

    @pytest.mark.parametrize(
        ("passphrase", "expected"),
        [
            (None, "needs a passphrase"),
            (WRONG, "cannot be used, or the passphrase is wrong"),
        ],
    )
    def test_passphrases(self, sshd: SshdServer, passphrase: str | None, expected: str) -> None:
        text = failure(DeliveryStopped, sshd.settings(passphrase=passphrase))
        assert f"the key {sshd.key} {expected}" in text

    def test_unusable(self, sshd: SshdServer, tmp_path: Path) -> None:
        text = failure(DeliveryStopped, sshd.settings(key=tmp_path / "none"))
        assert "cannot be read: No such file or directory" in text
        (tmp_path / "key").write_text("no key at all")
        text = failure(DeliveryStopped, sshd.settings(key=tmp_path / "key", passphrase=None))
        assert "cannot be used" in text

    def test_refused(self, sshd: SshdServer) -> None:
        other = sshd.make_key("stranger", "ed25519")
        text = failure(DeliveryStopped, sshd.settings(key=other, passphrase=None))
        assert "refuses the login" in text
        text = failure(DeliveryStopped, sshd.settings(key=None, password=WRONG))
        assert "it takes only publickey" in text


def test_a_full_disk(sshd: SshdServer, local: Path) -> None:
    with closing(open_store(sshd.settings(folder="full"))) as store:
        store.open()
        part = sshd.path / "full" / ".x.part"
        part.symlink_to("/dev/full")  # every write to it fails with ENOSPC
        with pytest.raises(TargetUnavailable, match="Failure") as caught:
            store.put(local, ".x.part")
        assert "often its disk is full" in caught.value.hint
        part.unlink()
        assert store.names() == []
        store.put(local, ".x.part")
        store.rename(".x.part", "x")
        assert (sshd.path / "full/x").read_bytes() == CONTENT


def test_a_full_disk_on_another_server(local: Path) -> None:
    with (
        PyftpdServer(habits=["full"]) as server,
        closing(open_store(server.settings())) as store,
        pytest.raises(TargetUnavailable, match="disk is full"),
    ):
        store.put(local, "x")


@pytest.mark.parametrize(
    "options", [{"sftp_options": "-R"}, {"options": "write_enable=NO\n"}], ids=["sftp", "ftp"]
)
def test_a_folder_for_reading_only(options: dict[str, Any], local: Path) -> None:
    make: Any = SshdServer if "sftp_options" in options else VsftpdServer
    with make(**options) as server:
        with closing(open_store(server.settings(folder=""))) as store:
            with pytest.raises(DeliveryStopped, match=r"cannot upload x: .* does not allow it"):
                store.put(local, "x")
            assert store.names() == []
        failure(ReplicatorError, server.settings())  # the folder cannot be made either


def test_a_folder_of_another_user(ftp: VsftpdServer, local: Path) -> None:
    with closing(open_store(ftp.settings(folder="locked"))) as store:
        store.put(local, "x.part")
        (ftp.path / "locked").chmod(0o555)
        try:
            actions: list[Callable[[], None]] = [
                lambda: store.put(local, "y"),
                lambda: store.rename("x.part", "x"),
                lambda: store.delete("x.part"),
            ]
            for action in actions:
                with pytest.raises(DeliveryStopped, match="the server does not allow it"):
                    action()
        finally:
            (ftp.path / "locked").chmod(0o755)
        store.rename("x.part", "x")
        assert store.names() == ["x"]


def test_a_server_that_cannot_rename() -> None:
    with PyftpdServer(habits=["never renames"]) as server:
        with closing(open_store(server.settings())) as store:
            with pytest.raises(DeliveryStopped, match="rename = false"):
                store.probe()
            assert store.names() == []
        with closing(open_store(server.settings(rename=False))) as store:
            assert not store.atomic
            store.probe()
            assert store.names() == []


def test_a_server_that_never_says_a_word() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        for settings in (
            FtpSettings(host="127.0.0.1", port=port, user="u", folder="", connect_timeout=1),
            SftpSettings(
                host="127.0.0.1", port=port, user="u", folder="", connect_timeout=1, host_key="x"
            ),
        ):
            text = failure(TargetUnavailable, settings)
            assert "does not answer in time" in text or "connection was lost" in text
