"""Programs and replicators are killed: once in a database, at least once elsewhere, in order."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conftest import MakeDatabase
from tests.replication import Replication, ReplicatorProcess, content, execute, sql
from tests.servers import DatabaseKind
from tests.wait import wait_until

KILLS = 30

CLASS = """
from sqlalchemy import text

class Append:
    def open(self, context):
        self.context = context
    def deliver(self, changes):
        self.context.transaction.execute(
            text("INSERT INTO seen VALUES (:id)"), [{"id": c.row["id"]} for c in changes])
    def close(self):
        pass
"""
PROGRAM = f"""#!{sys.executable} -IS
import json, os, sys
with open("pid", "w") as file:
    file.write(str(os.getpid()))
with open("got", "a") as got:
    for line in sys.stdin:
        message = json.loads(line)
        if isinstance(message, list):
            got.write(str(message[4]["id"]) + "\\n")
        else:
            got.flush()
            os.fsync(got.fileno())
            print(json.dumps({{"ok": message["batch"]}}), flush=True)
"""


def kill_program(folder: Path) -> None:
    """Kill the program, if the one that has written its number last still runs."""
    number = (folder / "pid").read_text()
    with suppress(OSError):
        command = Path("/proc", number or "none", "cmdline").read_bytes()
        if b"./program" in command.split(b"\0"):
            os.kill(int(number), signal.SIGKILL)


@pytest.mark.torture
@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_killed_replicators_and_programs(
    kind: DatabaseKind, make_database: MakeDatabase, tmp_path: Path
) -> None:
    source, target = make_database(kind), make_database(kind)
    execute(source.engine, "CREATE TABLE item (id INTEGER PRIMARY KEY)")
    execute(target.engine, "CREATE TABLE seen (id INTEGER)")  # takes any number more than once
    module = f"append_to_{kind}"
    (tmp_path / f"{module}.py").write_text(CLASS)
    program = tmp_path / "program"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    route = {"source": "shop", "tables": ["item"]}
    replication = Replication(
        tmp_path,
        sources={"shop": source.url},
        targets={"database": sql(target.url), "program": {"type": "handler"}},
        routes=[
            {
                **route,
                "name": "class",
                "targets": ["database"],
                "handler": f"python:{module}:Append",
            },
            {**route, "name": "exec", "targets": ["program"], "handler": "exec:./program"},
        ],
    )
    replication.install()
    replication.register()
    chance = random.Random(30)
    written = 0

    def write(rows: int) -> None:
        nonlocal written
        values = ", ".join(f"({n})" for n in range(written + 1, written + rows + 1))
        execute(source.engine, f"INSERT INTO item VALUES {values}")
        written += rows

    def taken_by_program() -> list[int]:
        path = tmp_path / "got"
        return [int(line) for line in path.read_text().splitlines()] if path.exists() else []

    with ReplicatorProcess(replication) as replicator:
        for _ in range(KILLS):
            for _ in range(20):
                write(chance.randrange(1, 400))
                time.sleep(chance.random() * 0.05)
            wait_until(lambda: content(target.engine, "seen"), 120)
            wait_until((tmp_path / "pid").exists, 120)
            kill_program(tmp_path)
            if chance.random() < 0.7:
                replicator.kill()
                replicator.start()
        expected = list(range(1, written + 1))
        wait_until(lambda: len(set(taken_by_program())) == written, 120)
        wait_until(lambda: len(content(target.engine, "seen")) >= written, 120)
        replicator.stop()
    assert [row[0] for row in content(target.engine, "seen")] == expected, "each exactly once"
    taken = taken_by_program()
    assert sorted(set(taken)) == expected
    first_seen = list(dict.fromkeys(taken))
    assert first_seen == expected, "in order, repetitions left aside"
    again = sum(count - 1 for count in Counter(taken).values())
    print(f"\n{kind}: {KILLS} kills: {written} changes, {again} of them to the program again")
