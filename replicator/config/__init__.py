"""The configuration: one TOML file, read into frozen models, with every problem named at once."""

from replicator.config.backup import BackupTarget
from replicator.config.errors import ConfigError, Problem
from replicator.config.load import find, load
from replicator.config.model import (
    Config,
    FilesTarget,
    HandlerTarget,
    Route,
    Source,
    SqlTarget,
    TableOptions,
    Target,
)

__all__ = [
    "BackupTarget",
    "Config",
    "ConfigError",
    "FilesTarget",
    "HandlerTarget",
    "Problem",
    "Route",
    "Source",
    "SqlTarget",
    "TableOptions",
    "Target",
    "find",
    "load",
]
