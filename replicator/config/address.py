"""URLs of databases and drop folders. No message shows any part of a URL but its scheme."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from replicator.config.errors import InvalidValue, did_you_mean
from triggers.engine import DRIVERS

_EXAMPLE = "write scheme://user@host:port/database"
_SQLITE_EXAMPLE = "write sqlite:///path/to/file.db"
_PASSWORD_PARAMETERS = {"password", "passwd", "sslpassword", "ssl_key_password"}
_DROP_SCHEMES = ("file", "ftp", "ftps", "sftp")
_SERVER_EXAMPLE = "write scheme://user@host:port/folder"


@dataclass(frozen=True, slots=True)
class FolderUrl:
    """A local folder where files are put."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True)
class ServerUrl:
    """A server where files are put."""

    scheme: Literal["ftp", "ftps", "sftp"]
    host: str
    folder: str
    """Below the folder where the login ends up, or absolute; "" is the former itself."""
    user: str = ""
    port: int | None = None

    def __str__(self) -> str:
        """Write where it is, without the user."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = f":{self.port}" if self.port else ""
        return f"{self.scheme}://{host}{port}/{self.folder}"


DropUrl = FolderUrl | ServerUrl


def parse_database_url(text: str, folder: Path) -> URL:
    """Read a database URL; a relative SQLite file is in `folder`. Raises `InvalidValue`."""
    scheme = _scheme(text, "://")
    if scheme not in DRIVERS:
        base = scheme.partition("+")[0]
        if base in DRIVERS:
            raise InvalidValue(
                f"URL scheme {scheme!r} names a driver; the replicator chooses it",
                f"write {base}://",
            )
        known = ", ".join(DRIVERS)
        raise InvalidValue(
            f"unknown URL scheme {scheme!r}", did_you_mean(scheme, DRIVERS) or f"known: {known}"
        )
    try:
        url = make_url(text)
    except ArgumentError:
        raise InvalidValue("is not a database URL", _EXAMPLE) from None
    except ValueError:
        raise InvalidValue("the URL's port is not a number", _EXAMPLE) from None
    if scheme == "sqlite":
        return _sqlite_file(url, folder)
    if "@" in (url.host or ""):
        raise InvalidValue(
            "the URL holds more than one @",
            "write @ in a user name or password as %40, or give the password in the key `password`",
        )
    if _PASSWORD_PARAMETERS & {name.lower() for name in url.query}:
        raise InvalidValue(
            "the URL's parameters hold a password", "give the password in the key `password`"
        )
    if not url.database:
        raise InvalidValue("the URL names no database", _EXAMPLE)
    return url


def parse_drop_url(text: str, folder: Path) -> DropUrl:
    """Read the URL of a drop; a relative `file:` path is in `folder`. Raises `InvalidValue`."""
    if ":" not in text:
        raise InvalidValue("is not a URL", f"a folder is written file:{text}")
    match _scheme(text, ":"):
        case "file":
            return _folder_url(text, folder)
        case "ftp" | "ftps" | "sftp" as scheme:
            return _server_url(text, scheme)
        case scheme:
            raise InvalidValue(
                f"unknown URL scheme {scheme!r}",
                did_you_mean(scheme, _DROP_SCHEMES) or f"known: {', '.join(_DROP_SCHEMES)}",
            )


def _folder_url(text: str, folder: Path) -> FolderUrl:
    try:
        parts = urlsplit(text)
    except ValueError:
        raise InvalidValue("is not a file URL", "write file:folder or file:///folder") from None
    if parts.netloc:
        raise InvalidValue(
            "a file URL has no host",
            "write file:folder (in the configuration's folder) or file:///folder",
        )
    if parts.query or parts.fragment:
        raise InvalidValue("a file URL has no parameters", "write ? as %3F and # as %23")
    if not parts.path:
        raise InvalidValue("the URL names no folder", "write file:folder or file:///folder")
    return FolderUrl(folder / unquote(parts.path))


def _server_url(text: str, scheme: Literal["ftp", "ftps", "sftp"]) -> ServerUrl:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise InvalidValue(f"is not a URL of {scheme}", _SERVER_EXAMPLE) from None
    if not text.startswith(f"{scheme}://") or not parts.hostname:
        raise InvalidValue("the URL names no host", _SERVER_EXAMPLE)
    if "@" in unquote(parts.hostname) or parts.netloc.count("@") > 1:
        raise InvalidValue("the URL holds more than one @", "write @ in a user name as %40")
    if parts.password is not None:
        raise InvalidValue("the URL holds a password", "give it in the key `password`")
    if parts.query or parts.fragment:
        raise InvalidValue("the URL has parameters", "write ? as %3F and # as %23")
    user, path = unquote(parts.username or ""), unquote(parts.path)
    if re.search(r"[\x00-\x1f\x7f]", user + path):
        raise InvalidValue("the URL holds control characters", _SERVER_EXAMPLE)
    if scheme == "sftp" and not user:
        raise InvalidValue("the URL names no user", _SERVER_EXAMPLE)
    absolute = "/" if path.startswith("//") else ""
    return ServerUrl(scheme, parts.hostname, absolute + path.strip("/"), user, port)


def _scheme(text: str, separator: str) -> str:
    match = re.match(rf"([A-Za-z][A-Za-z0-9+.-]*){separator}", text)
    if match is None:
        raise InvalidValue("is not a URL", "a URL begins with its scheme, such as postgresql://")
    return match[1]


def _sqlite_file(url: URL, folder: Path) -> URL:
    if url.host or url.username or url.password:
        raise InvalidValue(
            "a SQLite URL has three slashes, or four for an absolute path", _SQLITE_EXAMPLE
        )
    if not url.database or url.database == ":memory:":
        raise InvalidValue("the URL names no file", _SQLITE_EXAMPLE)
    return url.set(database=str(folder / url.database))
