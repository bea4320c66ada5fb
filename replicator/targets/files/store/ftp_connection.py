"""FTP as Python's library speaks it, and what that lacks: reused and implicit TLS, any answer."""

from __future__ import annotations

import ftplib
import re
import socket
import ssl
from contextlib import suppress
from typing import BinaryIO

_PIECE = 1 << 18
_LINE_END = re.compile(r"\r?\n")
_LATE_ANSWER_SECONDS = 2.0


class TlsRefused(Exception):
    """The server does not switch to TLS; the message is its answer."""


class FtpConnection(ftplib.FTP):
    """A control connection, with TLS when there is a context; data connections are passive.

    Data connections resume the control connection's TLS session, as servers demand in order to
    know that both come from one client (vsftpd's `require_ssl_reuse`). They go to the control
    connection's host, whatever address the server announces: behind NAT it announces a wrong one.

    Answers may be in any encoding, names are UTF-8. Transfers are binary, listings too.
    """

    def __init__(
        self, context: ssl.SSLContext | None, *, connect_timeout: float, timeout: float
    ) -> None:
        """`timeout` is for commands and transfers, once connected."""
        super().__init__(timeout=connect_timeout, encoding="utf-8")
        self._context = context
        self._timeout = timeout

    def start(self, host: str, port: int, *, implicit: bool) -> None:
        """Connect and, with a context, switch to TLS: at once when it is `implicit`."""
        self.host, self.port = host, port
        plain = socket.create_connection((host, port), self.timeout)
        self.af = plain.family
        self._use(plain)
        if self._context is not None and implicit:
            self._use(self._context.wrap_socket(plain, server_hostname=host))
        self.welcome = self.getresp()
        if self._context is not None and not implicit:
            try:
                self.voidcmd("AUTH TLS")
            except ftplib.error_perm as error:
                raise TlsRefused(str(error)) from None
            # What came in plain text after the answer is not believed: `_use` forgets it.
            self._use(self._context.wrap_socket(plain, server_hostname=host))
        self._set_timeout(self._timeout)

    def begin(self, user: str, password: str) -> frozenset[str]:
        """Log in and choose binary transfers, protected ones with TLS; return the features."""
        self.login(user, password)
        if self._context is not None:
            self.voidcmd("PBSZ 0")
            self.voidcmd("PROT P")
        features = self._features()
        if "UTF8" in features:
            with suppress(ftplib.error_perm):
                self.sendcmd("OPTS UTF8 ON")
        self.voidcmd("TYPE I")
        return features

    def ntransfercmd(
        self, cmd: str, rest: int | str | None = None
    ) -> tuple[socket.socket, int | None]:
        """As the base class, with this session's TLS; the handshake comes after the answer."""
        data, size = super().ntransfercmd(cmd, rest)
        try:
            data.settimeout(self._timeout)
            if self._context is not None:
                assert isinstance(self.sock, ssl.SSLSocket)
                data = self._context.wrap_socket(
                    data, server_hostname=self.host, session=self.sock.session
                )
        except BaseException:
            data.close()
            raise
        return data, size

    def upload(self, file: BinaryIO, name: str) -> int:
        """Store a file; return the number of bytes sent, which the server has confirmed."""
        sent = 0
        data, _ = self.ntransfercmd(f"STOR {name}")
        try:
            with data:
                while piece := file.read(_PIECE):
                    data.sendall(piece)
                    sent += len(piece)
                _end_tls(data)
        except OSError:
            self._raise_answer()
            raise  # the server has not said why
        self.voidresp()
        return sent

    def leave(self) -> None:
        """Log out politely if the server answers soon, and close. Never raises."""
        try:
            self._set_timeout(_LATE_ANSWER_SECONDS)
            self.quit()
        except (OSError, EOFError, ftplib.Error):
            self.close()

    def count(self, name: str) -> int:
        """Fetch a file and return its size."""
        return sum(len(piece) for piece in self._download(f"RETR {name}"))

    def lines(self, command: str) -> list[str]:
        """Return a listing's lines."""
        text = b"".join(self._download(command)).decode("utf-8", "surrogateescape")
        return [line for line in _LINE_END.split(text) if line]

    def _download(self, command: str) -> list[bytes]:
        pieces = []
        data, _ = self.ntransfercmd(command)
        with data:
            while piece := data.recv(_PIECE):
                pieces.append(piece)
            _end_tls(data)
        self.voidresp()
        return pieces

    def _use(self, control: socket.socket) -> None:
        self.sock = control
        if self.file is not None:
            self.file.close()
        self.file = control.makefile("r", encoding="utf-8", errors="surrogateescape")

    def _set_timeout(self, seconds: float) -> None:
        assert self.sock is not None
        self.sock.settimeout(seconds)

    def _features(self) -> frozenset[str]:
        try:
            answer = self.sendcmd("FEAT")
        except ftplib.error_perm:
            return frozenset()
        lines = answer.upper().splitlines()[1:-1]
        return frozenset(line.split()[0] for line in lines if line.split())

    def _raise_answer(self) -> None:
        """Raise what the server says of a transfer that broke, when it still says something."""
        self._set_timeout(_LATE_ANSWER_SECONDS)
        with suppress(OSError, EOFError):
            self.voidresp()


def _end_tls(data: socket.socket) -> None:
    """Say that the data is complete, and read what came last: unread bytes would reset all."""
    if isinstance(data, ssl.SSLSocket):
        with suppress(OSError):  # servers end TLS in many ways; their answer is what counts
            data.unwrap()
