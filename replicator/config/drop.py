"""Where files are dropped, and how to log in there."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from replicator.config.address import FolderUrl, ServerUrl
from replicator.config.errors import InvalidValue
from replicator.config.field import DropUrlField, PathField, SecretField, Text
from replicator.config.section import SecretSection
from replicator.targets.files.store.settings import (
    FolderSettings,
    FtpSettings,
    SftpSettings,
    StoreSettings,
)

_SERVERS = ("ftp", "ftps", "sftp")
_ONLY_FOR = {
    "password": _SERVERS,
    "key": ("sftp",),
    "passphrase": ("sftp",),
    "known_hosts": ("sftp",),
    "host_key": ("sftp",),
    "tls": ("ftps",),
    "ca": ("ftps",),
    "rename": _SERVERS,
    "connect_timeout": _SERVERS,
    "timeout": _SERVERS,
}
_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
_PORTS = {"explicit": 21, "implicit": 990, None: 21}
_SSH_PORT = 22


class DropPlace(SecretSection):
    """A folder that files are put into: of this machine, or of an FTP or SFTP server."""

    url: DropUrlField
    """file:folder, relative to this file, or file:///folder; or ftp://, ftps://, sftp://, as in
    sftp://user@host/folder: below the login's folder, with // before it from the root."""

    password: SecretField | None = None
    """{ env = "NAME" }, { file = "path" }, { encrypted = "v1:..." } or the text itself."""

    key: PathField | None = None
    """sftp: the file of the private key."""

    passphrase: SecretField | None = None
    """sftp: what the private key is encrypted with; written like `password`."""

    known_hosts: PathField | None = None
    """sftp: the file with the server's host key; by default the user's and the system's own."""

    host_key: Text | None = None
    """sftp: the fingerprint of the server's host key, "SHA256:...", in place of `known_hosts`."""

    tls: Literal["explicit", "implicit"] = "explicit"
    """ftps: "explicit" (the usual, port 21) or "implicit" (TLS from the first byte, port 990)."""

    ca: PathField | None = None
    """ftps: a file with the certificates (PEM) to trust, instead of the system's."""

    rename: bool = True
    """false: the server cannot rename files, or does not let this account do so."""

    connect_timeout: int = Field(default=10, ge=1, le=3600)
    """Seconds that making a connection may take."""

    timeout: int = Field(default=60, ge=1, le=86400)
    """Seconds without any sign of life from the server before a transfer counts as failed."""

    @field_validator(*_ONLY_FOR)
    @classmethod
    def _check_scheme(cls, value: object, info: ValidationInfo) -> object:
        url = info.data.get("url")
        schemes = _ONLY_FOR[str(info.field_name)]
        scheme = url.scheme if isinstance(url, ServerUrl) else "file"
        if url is not None and scheme not in schemes:
            raise InvalidValue(f"is for {', '.join(schemes)} targets, not for {scheme}")
        return value

    @field_validator("host_key")
    @classmethod
    def _check_host_key(cls, host_key: str, info: ValidationInfo) -> str:
        fingerprint = host_key.rstrip("=")
        if _FINGERPRINT.fullmatch(fingerprint) is None:
            raise InvalidValue(
                "is not a fingerprint", "write SHA256:..., as `ssh-keygen -lf` shows it"
            )
        if info.data.get("known_hosts") is not None:
            raise InvalidValue("there is `known_hosts` too", "keep one of the two")
        return fingerprint

    @field_validator("passphrase")
    @classmethod
    def _check_passphrase(cls, passphrase: SecretField, info: ValidationInfo) -> SecretField:
        if info.data.get("key") is None:
            raise InvalidValue("there is no `key` that it could be for")
        return passphrase

    def store_settings(self) -> StoreSettings:
        """Return what `open_store` needs, secrets included: do not keep it.

        Raises `ConfigError` when a secret cannot be had (any more).
        """
        url = self.url
        if isinstance(url, FolderUrl):
            return FolderSettings(url.path)
        password = self._reveal("password", self.password)
        if url.scheme == "sftp":
            return SftpSettings(
                host=url.host,
                port=url.port or _SSH_PORT,
                user=url.user,
                folder=url.folder,
                password=password,
                rename=self.rename,
                connect_timeout=self.connect_timeout,
                timeout=self.timeout,
                key=self.key,
                passphrase=self._reveal("passphrase", self.passphrase),
                known_hosts=self.known_hosts,
                host_key=self.host_key,
            )
        tls = self.tls if url.scheme == "ftps" else None
        return FtpSettings(
            host=url.host,
            port=url.port or _PORTS[tls],
            user=url.user or "anonymous",
            folder=url.folder,
            password=password,
            rename=self.rename,
            connect_timeout=self.connect_timeout,
            timeout=self.timeout,
            tls=tls,
            ca=self.ca,
        )
