"""Logging in to an SSH server whose host key is known."""

from __future__ import annotations

import logging
import socket
from pathlib import Path
from typing import Any

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm

from replicator.errors import DeliveryStopped, ReplicatorError, TargetUnavailable
from replicator.targets.files.store.errors import connection_failure
from replicator.targets.files.store.settings import SftpSettings

KNOWN_HOSTS = (Path("~/.ssh/known_hosts"), Path("/etc/ssh/ssh_known_hosts"))
_SSH_PORT = 22
_KEEPALIVE_SECONDS = 30

# Whatever it has to say is raised as well, and told in one sentence.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)


def connect(settings: SftpSettings) -> paramiko.Transport:
    """Return a connection that is logged in; raises explained errors only."""
    known = None if settings.host_key else _known_keys(settings)
    refused: list[paramiko.PKey] = []
    while True:
        transport = _start(settings, known, refused)
        if transport is None:
            raise _wrong_key(settings, known, refused)
        key = transport.get_remote_server_key()
        if key.fingerprint == settings.host_key or (
            known is not None and known.get(key.get_name()) == key
        ):
            break
        _end(transport)
        refused.append(key)  # the server may have others: it shows one for each kind
    try:
        _log_in(settings, transport)
    except ReplicatorError:
        _end(transport)
        raise
    except Exception as error:
        _end(transport)
        raise connection_failure(settings.place, error) from error
    transport.set_keepalive(_KEEPALIVE_SECONDS)
    return transport


def _start(
    settings: SftpSettings,
    known: dict[str, paramiko.PKey] | None,
    refused: list[paramiko.PKey],
) -> paramiko.Transport | None:
    """Connect and exchange keys; None: the server has no host key of a kind that is left."""
    try:
        server = socket.create_connection(
            (settings.host, settings.port), timeout=settings.connect_timeout
        )
    except OSError as error:
        raise connection_failure(settings.place, error) from error
    transport = paramiko.Transport(server)
    options = transport.get_security_options()
    kinds = [
        kind
        for kind in options.key_types
        if not any(_same_kind(kind, key.get_name()) for key in refused)
        and (known is None or any(_same_kind(kind, name) for name in known))
    ]
    if not kinds:
        _end(transport)
        return None
    options.key_types = kinds
    transport.banner_timeout = settings.connect_timeout
    transport.handshake_timeout = settings.connect_timeout
    transport.auth_timeout = settings.timeout
    try:
        transport.start_client(timeout=settings.connect_timeout)
    except paramiko.ssh_exception.IncompatiblePeer as error:
        _end(transport)
        if "key" in str(error):
            return None
        raise DeliveryStopped(
            f"{settings.place}: the server speaks only ciphers that are not safe any more",
            "Its owner has to bring the SSH server up to date.",
        ) from error
    except (OSError, EOFError, paramiko.SSHException) as error:
        _end(transport)
        raise connection_failure(settings.place, error) from error
    return transport


def _end(transport: paramiko.Transport) -> None:
    """End a connection in whatever state; one that has not begun keeps its socket by itself."""
    transport.close()
    transport.sock.close()


def _same_kind(kind: str, name: str) -> bool:
    """Tell whether an algorithm (`rsa-sha2-512`) is for keys of this name (`ssh-rsa`)."""
    return kind == name or (name == "ssh-rsa" and kind.startswith("rsa-sha2-"))


def _known_keys(settings: SftpSettings) -> dict[str, paramiko.PKey]:
    """Return the host's known keys, by kind."""
    if settings.known_hosts is not None:
        files = [settings.known_hosts]
    else:
        files = [path for file in KNOWN_HOSTS if (path := file.expanduser()).exists()]
    keys = paramiko.HostKeys()
    for file in files:
        try:
            keys.load(str(file))
        except OSError as error:
            raise DeliveryStopped(
                f"{settings.place}: the file of known hosts {file} cannot be read: "
                f"{error.strerror}",
                "`known_hosts` names a file in OpenSSH's form.",
            ) from error
    return dict(keys.lookup(_name(settings)) or {})


def _name(settings: SftpSettings) -> str:
    if settings.port == _SSH_PORT:
        return settings.host
    return f"[{settings.host}]:{settings.port}"


def _wrong_key(
    settings: SftpSettings,
    known: dict[str, paramiko.PKey] | None,
    refused: list[paramiko.PKey],
) -> DeliveryStopped:
    if known is not None and not known:
        command = f"ssh-keyscan -p {settings.port} {settings.host}"
        return DeliveryStopped(
            f"{settings.place}: the server's host key is not known",
            f'Ask the server\'s owner for its fingerprint and set `host_key = "SHA256:..."`, or '
            f"append what `{command}` prints to the file of known hosts after comparing it.",
        )
    shown = ", ".join(key.fingerprint for key in refused) or "none of that kind"
    wanted = "the file of known hosts has" if settings.host_key is None else "`host_key` says"
    return DeliveryStopped(
        f"{settings.place}: the server's host key is another one than {wanted} (it shows {shown})",
        "Somebody may be in between: send nothing. If the server was given new keys, ask its "
        "owner for the fingerprint and write that down; then resume the delivery.",
    )


def _log_in(settings: SftpSettings, transport: paramiko.Transport) -> None:
    key = _private_key(settings)
    password = settings.password
    try:
        more: list[str] = []
        if key is not None:
            more = transport.auth_publickey(settings.user, key)
        if password is not None and (key is None or more):
            more = transport.auth_password(settings.user, password)
    except paramiko.AuthenticationException as error:
        if (
            isinstance(error, paramiko.BadAuthenticationType)
            # With a password this has been tried, too.
            and (password is None or "keyboard-interactive" not in error.allowed_types)
        ):
            allowed = ", ".join(error.allowed_types)
            raise DeliveryStopped(
                f"{settings.place} refuses the login: it takes only {allowed}",
                "Set `password`, or `key`, or both, as the server wants it; then resume the "
                "delivery.",
            ) from None
        if not transport.is_active():
            raise TargetUnavailable(
                f"{settings.place} ended the connection during the login",
                "It is tried again; if that does not help, check user, password and key.",
            ) from None
        what = "user and password" if key is None else "user and key"
        raise DeliveryStopped(
            f"{settings.place} refuses the login",
            f"Check {what} of the target; then resume the delivery.",
        ) from None
    if more:
        raise DeliveryStopped(
            f"{settings.place} wants more for a login: {', '.join(more)}",
            "Set `password` as well as `key`; then resume the delivery.",
        )


def _private_key(settings: SftpSettings) -> paramiko.PKey | None:
    if settings.key is None:
        return None
    place, file = settings.place, settings.key
    # As bytes: paramiko hands it on as it is, whatever its annotation says.
    secret: Any = settings.passphrase.encode() if settings.passphrase else None
    try:
        return paramiko.PKey.from_path(file, secret)
    except OSError as error:
        message = f"{place}: the key {file} cannot be read: {error.strerror}"
        hint = "`key` names the private key's file."
    except (TypeError, paramiko.PasswordRequiredException):
        message = f"{place}: the key {file} " + (
            "has no passphrase" if secret else "needs a passphrase"
        )
        hint = "Take `passphrase` away." if secret else "Set `passphrase`."
    except (ValueError, UnsupportedAlgorithm, paramiko.SSHException, paramiko.pkey.UnknownKeyType):
        message = f"{place}: the key {file} cannot be used" + (
            ", or the passphrase is wrong" if secret else ""
        )
        hint = "It has to be an Ed25519, ECDSA or RSA key as `ssh-keygen` writes it."
    raise DeliveryStopped(message, hint)
