"""OpenSSH's server, as Debian packages it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

from replicator.targets.files.store import SftpSettings
from tests.servers.base import ServerNotInstalled, find_program
from tests.servers.drop import DropServer, server_user

_CONFIGURATION = """
ListenAddress 127.0.0.1
PidFile none
StrictModes no
PermitRootLogin yes
UsePAM {pam}
PasswordAuthentication no
KbdInteractiveAuthentication no
Subsystem sftp internal-sftp -d {path} {options}
ForceCommand internal-sftp -d {path} {options}
AuthorizedKeysFile {folder}/authorized
"""


class SshdServer(DropServer):
    """OpenSSH, for the one user that runs it, who logs in with an encrypted key."""

    name = "sshd"
    as_tester = True  # `nobody` may be locked, which root's server would find out

    def __init__(self, *, sftp_options: str = "") -> None:
        """`sftp_options` are those of `sftp-server`, such as -R for reading only."""
        program = find_program("sshd", [Path("/usr/sbin")])
        if program is None:
            raise ServerNotInstalled("OpenSSH's server")
        super().__init__()
        self._program = program
        self.host_keys = [self.make_key(f"host_{kind}", kind) for kind in ("ed25519", "ecdsa")]
        self.key = self.make_key("user", "ed25519", passphrase=self.password)
        self._write("authorized", Path(f"{self.key}.pub").read_text())
        self.known_hosts = self._write("known", self.known_as(self.host_keys[0]), 0o644)
        root = os.geteuid() == 0
        if root:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # else made by systemd
        text = _CONFIGURATION.format(
            path=self.path,
            folder=self.folder,
            options=sftp_options,
            pam="yes" if root else "no",  # without PAM root's account must not be locked
        )
        text += f"Port {self.port}\n" + "".join(f"HostKey {key}\n" for key in self.host_keys)
        self._configuration = self._write("sshd_config", text)

    def make_key(self, name: str, kind: str, passphrase: str = "") -> Path:
        """Make a key as `ssh-keygen` does; its public half is beside it."""
        path = self.folder / name
        path.unlink(missing_ok=True)
        bits = ["-b", "2048"] if kind == "rsa" else []
        subprocess.run(
            ["ssh-keygen", "-q", "-t", kind, *bits, "-a", "1", "-N", passphrase, "-f", path],
            check=True,
            input=b"y",
        )
        self._own(path)
        return path

    def known_as(self, key: Path) -> str:
        """The line of a file of known hosts that gives this server a host key."""
        kind, public, *_ = Path(f"{key}.pub").read_text().split()
        return f"[127.0.0.1]:{self.port} {kind} {public}\n"

    def fingerprint(self, key: Path) -> str:
        """A key's fingerprint, as `ssh-keygen -lf` shows it."""
        shown = subprocess.run(
            ["ssh-keygen", "-lf", f"{key}.pub"], check=True, capture_output=True, text=True
        )
        return shown.stdout.split()[1]

    def settings(self, *, port: int | None = None, **changes: Any) -> SftpSettings:
        settings = SftpSettings(
            host="127.0.0.1",
            port=port or self.port,
            user=server_user(self.folder),
            folder="出/going",
            key=self.key,
            passphrase=self.password,
            known_hosts=None if "host_key" in changes else self.known_hosts,
            connect_timeout=10,
            timeout=20,
        )
        return replace(settings, **changes)

    def url(self) -> str:
        return f"sftp://{server_user(self.folder)}@127.0.0.1:{self.port}/out"

    def _command(self) -> list[str | Path]:
        return [self._program, "-D", "-e", "-f", self._configuration]
