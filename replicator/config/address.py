"""URLs of databases and drop folders. No message shows any part of a URL but its scheme."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from replicator.config.errors import InvalidValue, did_you_mean
from triggers.engine import DRIVERS

_EXAMPLE = "write scheme://user@host:port/database"
_SQLITE_EXAMPLE = "write sqlite:///path/to/file.db"
_PASSWORD_PARAMETERS = {"password", "passwd", "sslpassword", "ssl_key_password"}
_LATER_DROP_SCHEMES = ("ftp", "ftps", "sftp")


@dataclass(frozen=True, slots=True)
class DropUrl:
    """Where files are put; in this version a local folder."""

    path: Path


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
    scheme = _scheme(text, ":")
    if scheme in _LATER_DROP_SCHEMES:
        raise InvalidValue(f"{scheme} targets are not available in this version", "use file:")
    if scheme != "file":
        raise InvalidValue(
            f"unknown URL scheme {scheme!r}", did_you_mean(scheme, ["file"]) or "use file:"
        )
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
    return DropUrl(folder / unquote(parts.path))


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
