"""What a store has to know of the place where it puts files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class FolderSettings:
    """A folder of this machine, or one mounted on it."""

    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """What FTP and SFTP servers have in common. Timeouts are in seconds."""

    host: str
    port: int
    user: str
    folder: str
    """Below the folder where the login ends up, or absolute; "" is the former itself."""
    password: str | None = field(default=None, repr=False)
    rename: bool = True
    """False: the server cannot rename, or is not allowed to."""
    connect_timeout: float = 10
    timeout: float = 60
    """How long the server may leave a transfer or a command without any sign of life."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FtpSettings(ServerSettings):
    """An FTP server; with `tls`, control and data connections are both protected."""

    tls: Literal["explicit", "implicit"] | None = None
    ca: Path | None = None
    """Certificates (PEM) to trust instead of those that the system trusts."""

    @property
    def place(self) -> str:
        """Where the server is, for messages."""
        return f"{'ftps' if self.tls else 'ftp'} {self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SftpSettings(ServerSettings):
    """An SSH server. Its host key has to be known: nothing is sent to any other."""

    key: Path | None = None
    passphrase: str | None = field(default=None, repr=False)
    known_hosts: Path | None = None
    """A file in OpenSSH's form; by default the user's and the system's."""
    host_key: str | None = None
    """The key's fingerprint, SHA256:..., in place of a `known_hosts` file."""

    @property
    def place(self) -> str:
        """Where the server is, for messages."""
        return f"sftp {self.host}:{self.port}"


StoreSettings = FolderSettings | FtpSettings | SftpSettings
