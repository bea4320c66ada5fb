"""The course of the demo: set up, live changes, two mishaps, the end, the comparison."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from importlib.resources import files
from pathlib import Path

from rich.console import Console

from replicator.config.errors import InvalidValue
from replicator.demo import shop
from replicator.demo.compare import compare
from replicator.demo.process import Replicator, command
from replicator.demo.screen import Screen, verdict
from replicator.demo.watching import Delivered, Watch

SECONDS = 12.0
"""How long the writers write."""

_LOOK_EVERY = 0.1
_LOCKED_AT, _LOCKED_FOR = 0.25, 2.0  # share of the time; seconds
_KILLED_AT, _KILLED_FOR = 0.6, 1.0
_DRAIN_SECONDS = 30.0


def run_demo(console: Console, folder: Path | None = None, seconds: float = SECONDS) -> bool:
    """Run the demo; return whether all targets have exactly the source's rows.

    Everything is made in `folder`, which has to be empty or missing and is kept; by default in a
    temporary one, which is removed. Raises `InvalidValue` for a folder that is in use, `DemoFailed`
    when a command fails.
    """
    with ExitStack() as stack:
        if folder is None:
            place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="replicator-")))
        else:
            place = folder.resolve()
            if place.exists() and (not place.is_dir() or any(place.iterdir())):
                raise InvalidValue(f"{folder} is not empty", "name one that does not exist yet")
            place.mkdir(parents=True, exist_ok=True)
        console.print(
            "\n[bold]A shop on SQLite[/bold], its changes captured by triggers and delivered to"
            " another database,"
            " to CSV files for a partner, and to a backup: each exactly once.\n"
        )
        _set_up(console, place)
        delivered = _run(console, place, seconds)
        return _conclude(console, place, delivered, kept=folder is not None)


def _set_up(console: Console, folder: Path) -> None:
    text = files("replicator.demo").joinpath("replicator.toml").read_text(encoding="utf-8")
    (folder / "replicator.toml").write_text(text, encoding="utf-8")
    shop.create(folder / "shop.db")
    _say(console, "cd " + str(folder), "shop.db is there; replicator.toml says what goes where")
    command(folder, "triggers", "install")
    _say(console, "replicator triggers install", "every change of the shop is now captured")
    command(folder, "tables", "create")
    _say(console, "replicator tables create", "crm.db has the same tables, empty")
    _say(console, "replicator run", "delivers until it is stopped\n")


def _run(console: Console, folder: Path, seconds: float) -> list[Delivered]:
    """Let the shop live for a while; return how far the deliveries were at the end."""
    replicator, customers = Replicator(folder), shop.Shop(folder / "shop.db")
    with ExitStack() as stack:
        screen = stack.enter_context(Screen(console))
        stack.callback(replicator.stop)
        watch = Watch(folder / "shop.db")
        stack.callback(watch.close)
        replicator.start()
        screen.tell(f"the shop opens: {shop.WRITERS} writers, one transaction in seven rolled back")
        customers.open()
        try:
            _live(folder, screen, watch, replicator, seconds)
        finally:
            customers.close()
        done = customers.done
        screen.tell(
            f"the shop closes: {done['committed']:,} transactions committed,"
            f" {done['rolled back']:,} rolled back; what is still on its way arrives"
        )
        return _drain(screen, watch, replicator)


def _live(
    folder: Path, screen: Screen, watch: Watch, replicator: Replicator, seconds: float
) -> None:
    """Show progress, lock a target for a moment, and kill the replicator once."""
    began = time.monotonic()

    def pause(until: float, title: str) -> None:
        while time.monotonic() - began < until:
            screen.show(title, *watch.look())
            time.sleep(_LOOK_EVERY)

    pause(seconds * _LOCKED_AT, "live")
    replicator.check()
    with closing(sqlite3.connect(folder / "crm.db", timeout=30)) as somebody:
        screen.tell(
            f"[yellow]another program locks crm.db for {_LOCKED_FOR:.0f} s:[/yellow]"
            " it falls behind, the others go on"
        )
        somebody.execute("BEGIN IMMEDIATE")
        pause(seconds * _LOCKED_AT + _LOCKED_FOR, "crm.db is locked")
        somebody.execute("ROLLBACK")
    screen.tell("crm.db is free again: it catches up")
    pause(seconds * _KILLED_AT, "live")
    replicator.check()
    replicator.kill()
    screen.tell("[yellow]kill -9:[/yellow] the replicator is gone; the shop does not notice")
    pause(seconds * _KILLED_AT + _KILLED_FOR, "no replicator is running")
    replicator.start()
    screen.tell("a new one takes over where the target's own commit says it was")
    pause(seconds, "live")
    replicator.check()


def _drain(screen: Screen, watch: Watch, replicator: Replicator) -> list[Delivered]:
    deadline = time.monotonic() + _DRAIN_SECONDS
    while True:
        captured, deliveries = watch.look()
        screen.show("arriving", captured, deliveries)
        arrived = bool(deliveries) and not any(delivery.waiting for delivery in deliveries)
        if arrived or time.monotonic() > deadline:
            return deliveries
        replicator.check()
        time.sleep(_LOOK_EVERY)


def _conclude(console: Console, folder: Path, delivered: Sequence[Delivered], kept: bool) -> bool:
    compared = compare(folder)
    console.print()
    console.print(verdict(compared))
    equal = all(table.equal for table in compared)
    late = [delivery.name for delivery in delivered if delivery.waiting]
    counts = ", ".join(f"{delivery.name} {delivery.changes:,}" for delivery in delivered)
    files_there = len(list((folder / "outgoing").glob("*.csv")))
    console.print(f"Changes delivered: {counts} ({files_there} CSV files, one backup).")
    if late:
        console.print(f"[bold red]Not everything arrived in time: {', '.join(late)}.[/bold red]")
    if equal:
        console.print("[bold green]Source and targets are equal.[/bold green] Nothing was lost.")
    else:
        console.print("[bold red]Source and targets differ.[/bold red]")
    if kept:
        console.print(
            f"\nEverything is in {folder}. Look at replicator.toml, outgoing/, backup/ and"
            " replicator.log, then try there:"
        )
        for line in ("replicator status", "replicator check", "replicator triggers status"):
            console.print(f"  [cyan]{line}[/cyan]")
    else:
        console.print("\nKeep the files and look at them: [cyan]replicator demo shop[/cyan]")
    console.print("Your own databases: [cyan]replicator init[/cyan] writes a file to start from.")
    return equal and not late


def _say(console: Console, line: str, what: str) -> None:
    console.print(f"  [cyan]$ {line}[/cyan]  [dim]# {what}[/dim]", highlight=False)
