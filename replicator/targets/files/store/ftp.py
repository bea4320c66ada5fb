"""The store on an FTP server, plain or with TLS."""

from __future__ import annotations

import ftplib
import re
import ssl
from functools import partial
from typing import BinaryIO

from replicator.errors import DeliveryStopped, ReplicatorError, TargetUnavailable
from replicator.targets.files.store.errors import (
    connection_failure,
    disk_full,
    not_allowed,
    plain_text,
)
from replicator.targets.files.store.ftp_connection import FtpConnection, TlsRefused
from replicator.targets.files.store.server import ServerStore
from replicator.targets.files.store.settings import FtpSettings

_ANSWERS = (ftplib.error_reply, ftplib.error_temp, ftplib.error_perm)
_UNKNOWN_COMMAND = ("500", "501", "502", "504")
_NO_ROOM = ("452", "552")
_REFUSED = ("532", "550", "553")
_LATER = re.compile(r"too many|maximum|try (again )?later", re.IGNORECASE)
_WANTS_TLS = re.compile(r"\b(TLS|SSL|encrypt\w*|secure)\b", re.IGNORECASE)


def ftp_store(settings: FtpSettings) -> ServerStore:
    """Make the store; it connects when it is first used."""
    return ServerStore(
        settings.place,
        partial(_connect, settings),
        partial(_explain, settings.place),
        atomic=settings.rename,
    )


class FtpSession:
    """A login on an FTP server, in the store's folder; names are relative to it."""

    def __init__(self, connection: FtpConnection, features: frozenset[str]) -> None:
        self._ftp = connection
        self._lists_facts = "MLST" in features
        self._tells_size = True

    def enter(self, folder: str) -> None:
        """Go to the folder, and make it, and those above it, where they are missing."""
        if not folder:
            return
        try:
            self._ftp.cwd(folder)
        except ftplib.error_perm:
            if folder.startswith("/"):
                self._ftp.cwd("/")
            for part in folder.strip("/").split("/"):
                self.make_folder(part)
                self._ftp.cwd(part)

    def answers(self) -> bool:
        """As `Session`."""
        try:
            self._ftp.voidcmd("NOOP")
        except (OSError, EOFError, *_ANSWERS):
            return False
        return True

    def make_folder(self, folder: str) -> None:
        """As `Session`."""
        try:
            self._ftp.mkd(folder)
        except ftplib.error_perm:
            return  # it is there, or whatever is put into it will fail

    def upload(self, file: BinaryIO, name: str) -> int | None:
        """As `Session`."""
        sent = self._ftp.upload(file, name)
        found = self._told_size(name)
        return found if self._tells_size else sent

    def size(self, name: str) -> int | None:
        """As `Session`; a server that tells no sizes has to send the file."""
        size = self._told_size(name)
        if self._tells_size:
            return size
        try:
            return self._ftp.count(name)
        except ftplib.error_perm as error:
            if _code(error) == "550":
                return None
            raise

    def rename(self, old: str, new: str) -> None:
        """As `Session`."""
        self._ftp.sendcmd(f"RNFR {old}")
        try:
            self._ftp.voidcmd(f"RNTO {new}")
        except ftplib.error_perm:
            if self.size(new) is None:
                raise
            self._ftp.delete(new)
            self._ftp.sendcmd(f"RNFR {old}")
            self._ftp.voidcmd(f"RNTO {new}")

    def delete(self, name: str) -> None:
        """As `Session`."""
        try:
            self._ftp.delete(name)
        except ftplib.error_perm:
            if self.size(name) is not None:
                raise

    def names(self, folder: str) -> list[str]:
        """As `Session`."""
        try:
            if not self._lists_facts:
                lines = self._ftp.lines(f"NLST {folder}".strip())
                names = [line.replace("\\", "/").rpartition("/")[2] for line in lines]
                return [name for name in names if name not in (".", "..")]
            entries = [line.partition(" ") for line in self._ftp.lines(f"MLSD {folder}".strip())]
            return [name for facts, _, name in entries if "type=file;" in facts.lower()]
        except (ftplib.error_perm, ftplib.error_temp) as error:
            if _code(error) in ("450", "501", "550"):  # said of a missing or an empty folder
                return []
            raise

    def close(self) -> None:
        """As `Session`."""
        self._ftp.leave()

    def _told_size(self, name: str) -> int | None:
        if not self._tells_size:
            return None
        try:
            return self._ftp.size(name)
        except ftplib.error_perm as error:
            if _code(error) in _UNKNOWN_COMMAND:
                self._tells_size = False
            elif _code(error) != "550":
                raise
            return None


def _connect(settings: FtpSettings) -> FtpSession:
    connection = FtpConnection(
        _tls_context(settings), connect_timeout=settings.connect_timeout, timeout=settings.timeout
    )
    try:
        connection.start(settings.host, settings.port, implicit=settings.tls == "implicit")
        session = _log_in(settings, connection)
        session.enter(settings.folder)
    except ReplicatorError:
        connection.close()
        raise
    except Exception as error:
        connection.close()
        raise _explain(settings.place, f"enter the folder {settings.folder}", error) from error
    return session


def _tls_context(settings: FtpSettings) -> ssl.SSLContext | None:
    if settings.tls is None:
        return None
    try:
        return ssl.create_default_context(cafile=settings.ca)
    except (OSError, ssl.SSLError) as error:
        raise DeliveryStopped(
            f"{settings.place}: the certificates in {settings.ca} cannot be read",
            "`ca` names a file with one or more certificates in PEM form.",
        ) from error


def _log_in(settings: FtpSettings, connection: FtpConnection) -> FtpSession:
    try:
        features = connection.begin(settings.user, settings.password or "")
    except _ANSWERS as error:
        answer = plain_text(str(error), settings.password)
        # Not chained: nothing that is shown with this error holds what the server was told.
        raise _login_refused(settings, _code(error), answer) from None
    return FtpSession(connection, features)


def _login_refused(settings: FtpSettings, code: str, answer: str) -> ReplicatorError:
    if code.startswith("4") or _LATER.search(answer):
        return TargetUnavailable(
            f"{settings.place} takes no login now ({answer})",
            "The delivery goes on by itself when the server does.",
        )
    if settings.tls is None and _WANTS_TLS.search(answer):
        hint = "Write ftps:// in the target's url."
    else:
        hint = "Check user and password of the target; then resume the delivery."
    return DeliveryStopped(f"{settings.place} refuses the login ({answer})", hint)


def _explain(place: str, action: str, error: Exception) -> ReplicatorError:
    if isinstance(error, TlsRefused):
        return DeliveryStopped(
            f"{place}: the server does not offer TLS ({plain_text(str(error))})",
            'If it begins with TLS, set `tls = "implicit"`; if it has none at all, write ftp://.',
        )
    if not isinstance(error, _ANSWERS):
        return connection_failure(place, error)
    code, answer = _code(error), plain_text(str(error))
    if code in _NO_ROOM:
        return disk_full(place, action, answer)
    if code in _REFUSED:
        return not_allowed(place, action, answer)
    if code in _UNKNOWN_COMMAND and not answer.startswith("500 OOPS"):
        return DeliveryStopped(
            f"{place}: cannot {action}: the server does not know how ({answer})",
            "Where it cannot rename, set `rename = false`.",
        )
    return TargetUnavailable(
        f"{place}: cannot {action} ({answer})",
        "It is tried again; if that does not help, look whether the server's disk is full.",
    )


def _code(error: Exception) -> str:
    return str(error)[:3]
