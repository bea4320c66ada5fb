"""What every part of the configuration has in common, and parts that hold secrets."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, PrivateAttr

from replicator.config.errors import ConfigError, InvalidValue, Problem
from replicator.config.secret import Secret


class Section(BaseModel):
    """One table of the file."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
        defer_build=True,
    )


class SecretSection(Section):
    """A section with secrets; it knows its own place, to tell when one cannot be had any more."""

    _path: Path | None = PrivateAttr(default=None)
    _key: str = PrivateAttr(default="")

    def tell_place(self, path: Path | None, key: str) -> None:
        """Say which file and which key this section was read from."""
        self._path = path
        self._key = key

    def _reveal(self, key: str, secret: Secret | None) -> str | None:
        """Return a secret, read anew from where it is kept; `ConfigError` when that fails."""
        if secret is None:
            return None
        try:
            return secret.reveal()
        except InvalidValue as error:
            problem = Problem(self._path, f"{self._key}.{key}", error.message, error.hint)
            raise ConfigError([problem]) from None
