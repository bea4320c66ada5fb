"""Fixtures for the configuration's tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from replicator.config import ConfigError, load

VALID = """
[sources.shop]
url = "postgresql://replicator@db.internal/shop"
password = { env = "SHOP_DB_PASSWORD" }

[targets.crm]
type = "sql"
url = "mysql://sync@crm.example/crm"

[targets.partner]
type = "files"
url = "file:outgoing"

[targets.backup]
type = "backup"
path = "var/backup"

[[routes]]
name = "orders"
source = "shop"
tables = ["public.orders", "public.order_lines"]
targets = ["crm", "partner", "backup"]
"""

Edit = tuple[str, str]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start each test with the one variable that the valid file needs."""
    for name in ("REPLICATOR_CONFIG", "REPLICATOR_KEY", "REPLICATOR_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SHOP_DB_PASSWORD", "tr0ub4dor")


@pytest.fixture
def edited(tmp_path: Path) -> Callable[..., Path]:
    """Write the valid file with some texts replaced, and return its path."""

    def write(*edits: Edit, more: str = "") -> Path:
        text = VALID
        for old, new in edits:
            assert text.count(old) == 1, f"{old!r} must be there once"
            text = text.replace(old, new)
        path = tmp_path / "replicator.toml"
        path.write_text(text + more, encoding="utf-8")
        return path

    return write


@pytest.fixture
def problems(edited: Callable[..., Path]) -> Callable[..., list[str]]:
    """Load the edited file, which must fail, and return its problems without the file's name."""

    def run(*edits: Edit, more: str = "") -> list[str]:
        path = edited(*edits, more=more)
        with pytest.raises(ConfigError) as caught:
            load(path)
        lines = str(caught.value).splitlines()
        assert lines == [str(problem) for problem in caught.value.problems]
        assert all(line.startswith(f"{path}: ") for line in lines)
        return [line.removeprefix(f"{path}: ") for line in lines]

    return run
