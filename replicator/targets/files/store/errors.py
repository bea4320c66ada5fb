"""Failures of servers and their connections, told in one sentence with a way out."""

from __future__ import annotations

import re
import socket
import ssl

from replicator.errors import DeliveryStopped, ReplicatorError, TargetUnavailable

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_LONGEST = 200

# OpenSSL's numbers (X509_V_ERR_...).
_NOT_YET_VALID = 9
_EXPIRED = 10
_OTHER_HOST = {62, 64}


def plain_text(answer: str, password: str | None = None) -> str:
    """Make a server's answer fit for a message: one line, printable, without the password."""
    if password:
        answer = answer.replace(password, "***")
    printable = answer.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return _CONTROL.sub(" ", printable).strip()[:_LONGEST]


def connection_failure(place: str, error: Exception) -> ReplicatorError:
    """Explain why a server is not reached, or not any more."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate_refused(place, error)
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
        cause = (error.reason or "no reason given").replace("_", " ").lower()
        return TargetUnavailable(
            f"{place}: TLS fails: {cause}",
            "Does this port speak TLS? ftps:// starts plain and switches (port 21), "
            'tls = "implicit" begins with TLS (port 990).',
        )
    if isinstance(error, socket.gaierror):
        return TargetUnavailable(
            f"{place}: there is no host of this name",
            "Check the host in the target's url, and this machine's name service.",
        )
    if isinstance(error, ConnectionRefusedError):
        return TargetUnavailable(
            f"{place} refuses the connection",
            "Does the server run, and is the port in the target's url right?",
        )
    if isinstance(error, TimeoutError):
        return TargetUnavailable(
            f"{place} does not answer in time",
            "Check network and firewalls (FTP also needs the server's passive ports); "
            "`connect_timeout` and `timeout` set how long to wait.",
        )
    reason = plain_text(getattr(error, "strerror", None) or "")
    return TargetUnavailable(
        f"{place}: the connection was lost" + (f": {reason}" if reason else ""),
        "The delivery goes on by itself when the server can be reached again.",
    )


def disk_full(place: str, action: str, answer: str) -> TargetUnavailable:
    """Explain that the server has no room."""
    return TargetUnavailable(
        f"{place}: cannot {action}: the server has no room left ({answer})",
        "Free space there, or raise the account's quota; the delivery then goes on by itself.",
    )


def not_allowed(place: str, action: str, answer: str) -> DeliveryStopped:
    """Explain that the server forbids something."""
    hint = "Let the account create, rename and delete files in the folder of the target's url"
    if action.startswith("rename"):
        hint += ", or set `rename = false` where the server cannot rename"
    return DeliveryStopped(
        f"{place}: cannot {action}: the server does not allow it ({answer})",
        f"{hint}; then resume the delivery.",
    )


def _certificate_refused(place: str, error: ssl.SSLCertVerificationError) -> DeliveryStopped:
    code = error.verify_code
    if code == _EXPIRED:
        reason = "has expired"
        hint = "The server's owner has to renew it; then resume the delivery."
    elif code == _NOT_YET_VALID:
        reason = "is not valid yet"
        hint = "Check this machine's clock, then the server's certificate."
    elif code in _OTHER_HOST:
        reason = "is for another host"
        hint = "Write the host in the target's url as the certificate has it."
    else:
        reason = f"is not trusted ({error.verify_message})"
        hint = 'Name a file with the certificate, or that of its issuer, as `ca = "file.pem"`.'
    return DeliveryStopped(f"{place}: the server's certificate {reason}", hint)
