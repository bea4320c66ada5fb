"""Finds and reads the configuration file."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from replicator.config.errors import ConfigError, Problem
from replicator.config.keypath import key_path
from replicator.config.model import Config
from replicator.config.reference import find_problems
from replicator.config.report import problems_of

PATH_VARIABLE = "REPLICATOR_CONFIG"
DEFAULT_PATH = Path("replicator.toml")

_INIT_HINT = "`replicator init` writes a commented one to start from"


def find(path: Path | None = None) -> Path:
    """Return the file to read: `path`, else what REPLICATOR_CONFIG names, else ./replicator.toml.

    Raises `ConfigError` when the first of these that is given does not exist.
    """
    variable = os.environ.get(PATH_VARIABLE)
    if path is not None:
        found, message = path, "no such file"
    elif variable:
        found, message = Path(variable), f"no such file, named by {PATH_VARIABLE}"
    else:
        found, message = DEFAULT_PATH, "no such file in the current folder"
    if not found.exists():
        raise ConfigError([Problem(found, "", message, _INIT_HINT)])
    return found


def load(path: Path) -> Config:
    """Read and check a file, passwords included; relative paths in it start at its folder.

    Raises `ConfigError` with all problems found. Touches nothing but the files named in it.
    """
    data = _read(path)
    problems: list[Problem] = []
    try:
        config = Config.model_validate(data, context=path)
    except ValidationError as error:
        config = None
        problems = list(problems_of(error, data, path))
    problems += [
        Problem(path, key_path(finding.location, data), finding.message, finding.hint)
        for finding in find_problems(data, path.absolute().parent)
    ]
    if config is None or problems:
        raise ConfigError(problems)
    return config


def _read(path: Path) -> Mapping[str, object]:
    try:
        # An editor on Windows may put a byte order mark in front, which TOML does not know.
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        problem = Problem(path, "", "no such file", _INIT_HINT)
    except OSError as error:
        problem = Problem(path, "", f"cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        problem = Problem(path, "", "is not UTF-8 text", "save the file as UTF-8")
    except tomllib.TOMLDecodeError as error:
        problem = Problem(path, "", f"is not valid TOML: {str(error)[:1].lower()}{str(error)[1:]}")
    raise ConfigError([problem])
