"""Fixtures for the command line's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.command_line import CommandLine


@pytest.fixture
def shop(tmp_path: Path) -> CommandLine:
    """A folder with a configuration for a shop on SQLite that does not exist yet."""
    return CommandLine(tmp_path)
