"""A trial of a store before anything depends on it."""

from __future__ import annotations

import secrets
import tempfile
from pathlib import Path
from typing import Protocol

_CONTENT = b"replicator check: this file may be deleted\r\n"


class _Tried(Protocol):
    @property
    def atomic(self) -> bool: ...
    def open(self) -> None: ...
    def put(self, local: Path, name: str) -> None: ...
    def rename(self, old: str, new: str) -> None: ...
    def delete(self, name: str) -> None: ...


def probe(store: _Tried) -> None:
    """Put, rename and delete a hidden file with a name of its own."""
    name = f".replicator-{secrets.token_hex(6)}"
    store.open()
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder) / "probe"
        local.write_bytes(_CONTENT)
        store.put(local, f"{name}.part")
    last = f"{name}.part"
    try:
        if store.atomic:
            store.rename(last, name)
            last = name
    finally:
        store.delete(last)
