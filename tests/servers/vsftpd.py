"""vsftpd, as Debian packages it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from replicator.targets.files.store import FtpSettings
from tests.servers.base import ServerNotInstalled, find_program
from tests.servers.certificate import write_certificate
from tests.servers.drop import DropServer

# Logins other than anonymous ones need root. Anonymous ones can be asked for a password, too.
_CONFIGURATION = """
listen=YES
listen_address=127.0.0.1
background=NO
run_as_launching_user=YES
anonymous_enable=YES
local_enable=NO
secure_email_list_enable=YES
write_enable=YES
anon_upload_enable=YES
anon_mkdir_write_enable=YES
anon_other_write_enable=YES
anon_world_readable_only=NO
anon_umask=022
delay_failed_login=0
seccomp_sandbox=NO
pasv_address=203.0.113.9
"""

_TLS_CONFIGURATION = """
ssl_enable=YES
allow_anon_ssl=YES
force_anon_logins_ssl=YES
force_anon_data_ssl=YES
require_ssl_reuse=YES
strict_ssl_read_eof=YES
ssl_ciphers=HIGH
"""


class VsftpdServer(DropServer):
    """vsftpd, which announces a wrong passive address, as behind NAT, and knows no MLSD.

    With TLS it demands it everywhere, and the reuse of the session on data connections.
    """

    name = "vsftpd"

    def __init__(
        self,
        tls: Literal["explicit", "implicit"] | None = None,
        *,
        expired: bool = False,
        options: str = "",
    ) -> None:
        """`options` are added to the configuration; `expired`: the certificate is."""
        program = find_program("vsftpd", [Path("/usr/sbin")])
        if program is None:
            raise ServerNotInstalled("vsftpd")
        super().__init__()
        self._program = program
        self._tls = tls
        passwords = self._write("passwords", f"{self.password}\n")
        text = (
            _CONFIGURATION + f"listen_port={self.port}\nanon_root={self.path}\n"
            f"ftp_username={self.path.owner()}\nemail_password_file={passwords}\n"
            f"vsftpd_log_file={self.folder / 'log'}\n"
        )
        if tls is not None:
            self.certificate = write_certificate(
                self.folder / "certificate.pem", days=-1 if expired else 2
            )
            files = f"rsa_cert_file={self.certificate}\nrsa_private_key_file={self.certificate}\n"
            implicit = "implicit_ssl=YES\n" if tls == "implicit" else ""
            text += _TLS_CONFIGURATION + files + implicit
        self._configuration = self._write("vsftpd.conf", text + options)

    def settings(self, *, port: int | None = None, **changes: Any) -> FtpSettings:
        settings = FtpSettings(
            host="127.0.0.1",
            port=port or self.port,
            user="ftp",
            folder="out/going",
            password=self.password,
            tls=self._tls,
            ca=self.certificate if self._tls else None,
            connect_timeout=10,
            timeout=20,
        )
        return replace(settings, **changes)

    def url(self) -> str:
        return f"{'ftps' if self._tls else 'ftp'}://ftp@127.0.0.1:{self.port}/out/going"

    def _command(self) -> list[str | Path]:
        return [self._program, self._configuration]
