"""`replicator drops ...`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from replicator import config
from replicator.cli.exits import ExitCode, WrongUsage
from replicator.cli.options import ConfigOption, JsonOption, VerboseOption, load
from replicator.cli.terminal import make_table, say, show
from replicator.compose import drop_copy
from replicator.config.errors import did_you_mean
from replicator.errors import DeliveryStopped
from replicator.pipeline.contract import DeliveryName
from replicator.targets.files.ledger import Drop, DropFile, Ledger
from replicator.targets.files.publish import publish_again
from replicator.targets.files.snapshot import snapshots_path
from replicator.targets.files.store import open_store
from replicator.targets.files.target import ledger_path
from replicator.targets.files.verify import verify_folder

app = typer.Typer(no_args_is_help=True, help="See, send again and verify the files of drops.")

TargetOption = Annotated[
    str | None, typer.Option("--target", "-t", help="Only this target.", show_default=False)
]


@dataclass(frozen=True, slots=True)
class _Sent:
    """A drop, and where it belongs."""

    delivery: DeliveryName
    target: config.FilesTarget
    copy: Path
    drop: Drop
    is_snapshot: bool


@app.command("list")
def list_drops(
    target: Annotated[
        str | None, typer.Argument(help="A files target; all if left out.", show_default=False)
    ] = None,
    last: Annotated[
        int, typer.Option("--last", "-n", min=1, help="How many drops of each delivery to show.")
    ] = 20,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Show which files were put where a third party fetches them, newest drops last.

    Example: replicator drops list partner
    """
    del verbose
    shown: list[_Sent] = []
    for _delivery, drops in _ledgers(load(config), target):
        shown += drops[-last:]
    if as_json:
        typer.echo(json.dumps([_as_json(sent) for sent in shown], indent=2))
        return
    table = make_table("delivery", "window", "!file", ">rows", ">bytes", "state")
    for sent in shown:
        for file in sent.drop.files:
            table.add_row(
                str(sent.delivery),
                _window(sent),
                file.name,
                "" if file.is_manifest else str(file.rows),
                str(file.bytes),
                "delivered" if file.state == "done" else "under way",
            )
    show(table)


@app.command("resend")
def resend(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WINDOW|FILE",
            help="A moment of a window, as in 2026-11-21T13:00 (in the target's time zone), or a "
            "file's name; that of a manifest stands for its whole drop.",
        ),
    ],
    target: TargetOption = None,
    config: ConfigOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Put files there once more, as they were, from the local copy; the manifest goes last.

    Example: replicator drops resend 2026-11-21T13:00 --target partner
    """
    del verbose
    found = [
        (sent, files)
        for _delivery, drops in _ledgers(load(config), target)
        for sent in drops
        if (files := _chosen(sent, what))
    ]
    if not found:
        raise WrongUsage(f"there is no drop {what!r}", "replicator drops list shows them")
    for sent, files in found:
        if sent.drop.done_at is None:
            raise WrongUsage(f"{sent.delivery}: the drop is still under way")
        for file in files:
            _check_copy(sent.copy, file)
        store = open_store(sent.target.store_settings())
        try:
            store.open()
            publish_again(files, sent.copy, store)
        finally:
            store.close()
        for file in files:
            say(f"{sent.delivery}: {file.name}")


@app.command("verify")
def verify(
    folder: Annotated[Path, typer.Argument(help="The folder with the files that were fetched.")],
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Check fetched files against their manifests; needs no configuration.

    Every file must be there with the size and the SHA-256 that its manifest gives, no manifest may
    be missing between two others, and none may have been changed. Ends with 1 if one was.

    Example: replicator drops verify incoming
    """
    del verbose
    report = verify_folder(folder)
    if as_json:
        typer.echo(json.dumps(asdict(report), indent=2))
    else:
        if report.problems:
            table = make_table("problem", "!file", "what")
            for problem in report.problems:
                table.add_row(problem.kind, problem.name, problem.message)
            show(table)
        for chain in report.chains:
            span = f", {chain.start} to {chain.end}" if chain.start else ""
            say(f"{chain.delivery}: manifests {chain.first} to {chain.last}{span}")
        snapshots = f" ({report.snapshots} of snapshots)" if report.snapshots else ""
        say(
            f"{report.manifests} manifests{snapshots}, {report.files} files, {report.rows} rows, "
            f"{report.bytes} bytes, {len(report.problems)} problems"
        )
    if report.problems:
        raise typer.Exit(ExitCode.PROBLEM)


def _ledgers(
    settings: config.Config, chosen: str | None
) -> Iterator[tuple[DeliveryName, list[_Sent]]]:
    """Yield the drops of every delivery to a files target, oldest first."""
    known = [n for n, target in settings.targets.items() if isinstance(target, config.FilesTarget)]
    if chosen is not None and chosen not in known:
        hint = did_you_mean(chosen, known) or f"known: {', '.join(known) or 'none'}"
        raise WrongUsage(f"unknown files target: {chosen!r}", hint)
    for route in settings.routes:
        for name in route.targets:
            target = settings.targets[name]
            if not isinstance(target, config.FilesTarget) or chosen not in (None, name):
                continue
            delivery = DeliveryName(route.name, name)
            copy = drop_copy(settings, name)
            found = [
                _Sent(delivery, target, copy, drop, is_snapshot)
                for path, is_snapshot in (
                    (ledger_path(copy, delivery), False),
                    (snapshots_path(copy, delivery), True),
                )
                for drop in _read(path)
                if drop.files
            ]
            yield delivery, sorted(found, key=lambda sent: sent.drop.planned_at)


def _read(path: Path) -> list[Drop]:
    if not path.exists():
        return []
    ledger = Ledger(path)
    try:
        return ledger.drops()
    finally:
        ledger.close()


def _chosen(sent: _Sent, what: str) -> list[DropFile]:
    """Return the files of a drop that the user means."""
    for file in sent.drop.files:
        if file.name == what:
            return sent.drop.files if file.is_manifest else [file]
    try:
        moment = datetime.fromisoformat(what)
    except ValueError:
        return []
    window = sent.drop.window
    if window is None:
        return []
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=sent.target.timezone or UTC)
    return sent.drop.files if window.start <= moment < window.end else []


def _check_copy(copy: Path, file: DropFile) -> None:
    path = copy / file.name
    found = ""
    if path.is_file():
        with path.open("rb") as opened:
            found = hashlib.file_digest(opened, "sha256").hexdigest()
    if found != file.sha256:
        raise DeliveryStopped(
            f"the local copy {path} is missing or was changed",
            f"Bring it back as it was: its SHA-256 is {file.sha256}.",
        )


def _window(sent: _Sent) -> str:
    window = sent.drop.window
    if window is None:
        return "snapshot" if sent.is_snapshot else ""
    return window.start.astimezone(sent.target.timezone or UTC).isoformat()


def _as_json(sent: _Sent) -> dict[str, Any]:
    drop = sent.drop
    return {
        "delivery": str(sent.delivery),
        "is_snapshot": sent.is_snapshot,
        "first_batch": drop.first_batch,
        "last_batch": drop.last_batch,
        "window_start": drop.window.start.isoformat() if drop.window else None,
        "window_end": drop.window.end.isoformat() if drop.window else None,
        "done_at": drop.done_at.isoformat() if drop.done_at else None,
        "files": [
            {
                "name": file.name,
                "is_manifest": file.is_manifest,
                "rows": file.rows,
                "bytes": file.bytes,
                "sha256": file.sha256,
                "state": file.state,
            }
            for file in drop.files
        ],
    }
