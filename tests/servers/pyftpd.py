"""pyftpdlib: an FTP server of another make, that can be told to know less than others."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from replicator.targets.files.store import FtpSettings
from tests.servers.certificate import write_certificate
from tests.servers.drop import DropServer

Habit = Literal["keeps names", "never renames", "full"]

_PROGRAM = """
import errno, sys
from pathlib import Path
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.filesystems import AbstractedFS
from pyftpdlib.handlers import FTPHandler, TLS_FTPHandler
from pyftpdlib.servers import FTPServer

port, root, password, certificate, without, habits = sys.argv[1:]

class Files(AbstractedFS):
    def rename(self, old, new):
        if "keeps names" in habits and Path(new).exists():
            raise FileExistsError(errno.EEXIST, "File exists")
        if "never renames" in habits:
            raise PermissionError(errno.EPERM, "Renaming is not permitted")
        super().rename(old, new)

    def open(self, filename, mode):
        return super().open("/dev/full" if "full" in habits and "w" in mode else filename, mode)

class Handler(TLS_FTPHandler if certificate else FTPHandler):
    abstracted_fs = Files
    authorizer = DummyAuthorizer()
    banner = "\\u4f60\\u597d, ready"
    proto_cmds = {k: v for k, v in FTPHandler.proto_cmds.items() if k not in without.split(",")}
    if certificate:
        certfile = certificate
        tls_control_required = tls_data_required = True
        proto_cmds = {
            k: v for k, v in TLS_FTPHandler.proto_cmds.items() if k not in without.split(",")
        }

Handler.authorizer.add_user("partner", password, root, perm="elradfmwMT")
FTPServer(("127.0.0.1", int(port)), Handler).serve_forever()
"""


class PyftpdServer(DropServer):
    """An FTP server with MLSD; `without` names commands that it lacks, `habits` what it does.

    Its greeting is Chinese.
    """

    name = "pyftpdlib"
    as_tester = True  # nobody else may be allowed to read the virtual environment

    def __init__(
        self,
        *,
        tls: bool = False,
        without: Sequence[str] = (),
        habits: Sequence[Habit] = (),
    ) -> None:
        super().__init__()
        self.certificate = write_certificate(self.folder / "certificate.pem") if tls else None
        self._without = without
        self._habits = habits

    def settings(self, *, port: int | None = None, **changes: Any) -> FtpSettings:
        settings = FtpSettings(
            host="127.0.0.1",
            port=port or self.port,
            user="partner",
            folder="出/going",
            password=self.password,
            tls="explicit" if self.certificate else None,
            ca=self.certificate,
            connect_timeout=10,
            timeout=20,
        )
        return replace(settings, **changes)

    def url(self) -> str:
        return f"{'ftps' if self.certificate else 'ftp'}://partner@127.0.0.1:{self.port}/out"

    def _command(self) -> list[str | Path]:
        return [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            _PROGRAM,
            str(self.port),
            self.path,
            self.password,
            str(self.certificate or ""),
            ",".join(self._without),
            ",".join(self._habits),
        ]
