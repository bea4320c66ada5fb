"""Passwords: named in the file, kept elsewhere, never shown by `repr`, a log or an error."""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from replicator.config.errors import InvalidValue, did_you_mean

KEY_VARIABLE = "REPLICATOR_KEY"
KEY_FILE_VARIABLE = "REPLICATOR_KEY_FILE"

_VERSION = "v1:"
_KEY_BYTES = 32
_NONCE_BYTES = 12
_FORMS = '"text", { env = "NAME" }, { file = "path" } or { encrypted = "v1:..." }'


@dataclass(frozen=True, slots=True)
class PlainSecret:
    """A password written into the file itself."""

    value: str = field(repr=False)

    def reveal(self) -> str:
        """Return the password."""
        return self.value


@dataclass(frozen=True, slots=True)
class EnvironmentSecret:
    """A password in an environment variable, read when it is needed."""

    variable: str

    def reveal(self) -> str:
        """Return the password; `InvalidValue` names a variable that is missing or empty."""
        value = os.environ.get(self.variable)
        if value is None:
            raise InvalidValue(f"environment variable {self.variable} is not set")
        if not value:
            raise InvalidValue(f"environment variable {self.variable} is empty")
        return value


@dataclass(frozen=True, slots=True)
class FileSecret:
    """A password in a file of its own, read when it is needed."""

    path: Path

    def reveal(self) -> str:
        """Return the file's text without one trailing newline; `InvalidValue` names the file."""
        return _read(self.path)


@dataclass(frozen=True, slots=True)
class EncryptedSecret:
    """A password encrypted with the key that REPLICATOR_KEY or REPLICATOR_KEY_FILE gives."""

    text: str = field(repr=False)

    def reveal(self) -> str:
        """Return the password; `InvalidValue` says whether the key or the text is at fault."""
        return decrypt(self.text, environment_key())


Secret = PlainSecret | EnvironmentSecret | FileSecret | EncryptedSecret


def parse_secret(value: object, folder: Path) -> Secret:
    """Read one of the four forms; a relative file is in `folder`. Raises `InvalidValue`."""
    match value:
        case str():
            if not value:
                raise InvalidValue("must not be empty")
            return PlainSecret(value)
        case {"env": str(variable), **rest} if variable and not rest:
            return EnvironmentSecret(variable)
        case {"file": str(name), **rest} if name and not rest:
            return FileSecret(folder / name)
        case {"encrypted": str(text), **rest} if text and not rest:
            return EncryptedSecret(text)
        case dict():
            known = ("env", "file", "encrypted")
            unknown = [str(key) for key in value if key not in known]
            if unknown:
                hint = did_you_mean(unknown[0], known)
                raise InvalidValue(f"unknown key {unknown[0]!r}", hint or f"write {_FORMS}")
    raise InvalidValue("must be a text or one of the tables for secrets", f"write {_FORMS}")


def generate_key() -> str:
    """Return a new random 256-bit key as base64url text."""
    return _encode(AESGCM.generate_key(bit_length=8 * _KEY_BYTES))


def encrypt(plain: str, key: str) -> str:
    """Encrypt with AES-256-GCM under a fresh nonce; `InvalidValue` when the key is malformed."""
    nonce = os.urandom(_NONCE_BYTES)
    sealed = AESGCM(_key_bytes(key)).encrypt(nonce, plain.encode(), _VERSION.encode())
    return _VERSION + _encode(nonce + sealed)


def decrypt(text: str, key: str) -> str:
    """Undo `encrypt`; `InvalidValue` for another format, a wrong key or a text that was altered."""
    if not text.startswith(_VERSION):
        raise InvalidValue(
            f"the encrypted text does not begin with {_VERSION}",
            "make one with `replicator secret encrypt`",
        )
    cipher = AESGCM(_key_bytes(key))
    try:
        content = _decode(text.removeprefix(_VERSION))
        nonce, sealed = content[:_NONCE_BYTES], content[_NONCE_BYTES:]
        return cipher.decrypt(nonce, sealed, _VERSION.encode()).decode()
    except (InvalidTag, ValueError):
        raise InvalidValue("cannot be decrypted: wrong key, or the text was altered") from None


def environment_key() -> str:
    """Return the key for encrypted values; `InvalidValue` names the variables that give it."""
    if key := os.environ.get(KEY_VARIABLE):
        return key
    if path := os.environ.get(KEY_FILE_VARIABLE):
        return _read(Path(path))
    raise InvalidValue(
        "the key for encrypted values is missing", f"set {KEY_VARIABLE} or {KEY_FILE_VARIABLE}"
    )


def _read(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidValue(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidValue(f"cannot read {path}: not UTF-8 text") from None
    text = text.removesuffix("\n")
    if not text:
        raise InvalidValue(f"{path} is empty")
    return text


def _key_bytes(key: str) -> bytes:
    try:
        content = _decode(key)
    except ValueError:
        content = b""
    if len(content) != _KEY_BYTES:
        raise InvalidValue(
            f"the key for encrypted values is not {_KEY_BYTES} bytes in base64url",
            "make one with `replicator secret keygen`",
        )
    return content


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    padded = text + "=" * (-len(text) % 4)
    try:
        return base64.b64decode(padded, altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
