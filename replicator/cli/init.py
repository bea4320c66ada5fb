"""`replicator init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from replicator.cli.exits import WrongUsage
from replicator.cli.terminal import say
from replicator.config.load import DEFAULT_PATH
from replicator.config.starter import starter_text


def init(
    path: Annotated[
        Path, typer.Argument(help="The file to write, or a folder to write replicator.toml into.")
    ] = DEFAULT_PATH,
) -> None:
    """Write a commented configuration file to start from; an existing file is never touched.

    Example: replicator init
    """
    file = path / DEFAULT_PATH if path.is_dir() else path
    try:
        with file.open("x", encoding="utf-8") as written:
            written.write(starter_text())
    except FileExistsError:
        raise WrongUsage(
            f"{file} exists already", "remove it first, or name another file"
        ) from None
    say(f"wrote {file}: edit it, then run: replicator check")
