"""`replicator secret ...`."""

from __future__ import annotations

import getpass
import sys

import typer

from replicator.cli.exits import WrongUsage
from replicator.config.secret import KEY_VARIABLE, encrypt, environment_key, generate_key

app = typer.Typer(no_args_is_help=True, help="Encrypt passwords for the configuration file.")


@app.command("keygen")
def make_key() -> None:
    """Print a new key for encrypted values; keep it outside the configuration file.

    Example: export REPLICATOR_KEY=$(replicator secret keygen)
    """
    typer.echo(generate_key())


@app.command("encrypt")
def encrypt_text() -> None:
    """Encrypt a password read from the terminal or from stdin, with the key in REPLICATOR_KEY.

    Put what it prints into the file as: password = { encrypted = "v1:..." }

    Example: replicator secret encrypt < password.txt
    """
    key = environment_key()
    if sys.stdin.isatty():
        plain = getpass.getpass("Password: ")
        if getpass.getpass("Once more: ") != plain:
            raise WrongUsage("the two passwords differ", "nothing was encrypted")
    else:
        plain = sys.stdin.read().removesuffix("\n")
    if not plain:
        raise WrongUsage(
            "there is nothing to encrypt", f"the key comes from {KEY_VARIABLE}, the text from stdin"
        )
    typer.echo(encrypt(plain, key))
