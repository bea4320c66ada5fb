"""Handlers in a running replication: what is written, when it counts, and who cannot do harm."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from replicator.check import Finding, find
from replicator.errors import DeliveryStopped, TargetUnavailable
from tests.conftest import MakeDatabase
from tests.replication import Replication, ReplicatorProcess, content, execute, sql
from tests.servers import Database, DatabaseKind
from tests.wait import wait_until

CREATE = "CREATE TABLE item (id INTEGER PRIMARY KEY, amount INTEGER)"
EXAMPLES = Path(__file__).parents[2] / "config" / "examples" / "handlers"
KINDS: list[DatabaseKind] = ["sqlite", "postgresql", "mariadb"]
HANDLER = {"type": "handler"}

_numbers = count(1)


class Shop:
    """A source with tables `item` and `part`, and one target that is reached through a handler."""

    def __init__(
        self,
        folder: Path,
        source: Database,
        target: Mapping[str, object],
        route: Mapping[str, object],
    ) -> None:
        self.folder = folder
        self.source = source
        execute(source.engine, CREATE, CREATE.replace("item", "part"))
        defaults = {"name": "r", "source": "shop", "tables": ["item"], "targets": ["t"]}
        self.replication = Replication(
            folder,
            sources={"shop": source.url},
            targets={"t": target},
            routes=[{**defaults, **route}],
        )
        self.replication.install()

    def write(self, *ids: int, table: str = "item") -> None:
        """Insert rows in one transaction."""
        rows = ", ".join(f"({n}, {n})" for n in ids)
        execute(self.source.engine, f"INSERT INTO {table} VALUES {rows}")

    def deliver(self) -> BaseException | None:
        """Deliver once; return the error."""
        return self.replication.run_once()["r/t"]

    def dead_letters(self) -> list[tuple[int, str]]:
        """Change and error of what is parked."""
        capture = self.replication.capture("shop")
        table = capture.outbox.dead_letter
        with capture.engine.connect() as connection:
            query = sa.select(table.c.change_id, table.c.error).order_by(table.c.change_id)
            found = [(row.change_id, row.error) for row in connection.execute(query)]
        capture.engine.dispose()
        return found


def python_handler(folder: Path, body: str) -> str:
    """Write a module with a class `H` of these methods, and return what names it."""
    name = f"handler_of_a_test_{next(_numbers)}"
    lines = ["import os, sys, time", "from sqlalchemy import text", "", "class H:"]
    defaults = {
        "open": "def open(self, context): self.context = context",
        "deliver": "def deliver(self, changes): pass",
        "close": "def close(self): pass",
    }
    lines += [f"    {text}" for key, text in defaults.items() if f"def {key}(" not in body]
    lines += [f"    {line}" for line in body.splitlines()]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text("\n".join(lines) + "\n")
    return f"python:{name}:H"


def program(folder: Path, body: str) -> str:
    """Write a Python program, and return what names it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"program-{next(_numbers)}"
    path.write_text(f"#!{sys.executable} -IS\nimport json, os, signal, sys, time\n{body}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return f"exec:./{path.name}"


LOOP = """
def batches():
    changes = []
    for line in sys.stdin:
        message = json.loads(line)
        if isinstance(message, list):
            changes.append(message)
        else:
            yield message["batch"], changes
            changes = []
def answer(message):
    print(json.dumps(message), flush=True)
def keep(changes):
    with open("got", "a") as file:
        file.writelines(f"{change[2]} {change[4]['id']}\\n" for change in changes)
"""
ACCEPT = (
    f"{LOOP}\nfor batch, changes in batches():\n    keep(changes)\n    answer({{'ok': batch}})\n"
)


def got(folder: Path) -> list[str]:
    """What the program of `ACCEPT` has kept."""
    path = folder / "got"
    return path.read_text().splitlines() if path.exists() else []


MakeShop = Callable[..., Shop]


@pytest.fixture
def make_shop(make_database: MakeDatabase, tmp_path: Path) -> MakeShop:
    """A function that makes a shop on SQLite."""

    def make(target: Mapping[str, object], **route: object) -> Shop:
        return Shop(tmp_path / "shop", make_database("sqlite"), target, route)

    return make


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the configuration."""
    return tmp_path / "shop"


# --- Python handlers in a SQL target's transaction --------------------

WRITE = """
def deliver(self, changes):
    for change in changes:
        self.context.transaction.execute(
            text("INSERT INTO seen VALUES (:id, :amount)"), change.after)
"""
SEEN = "CREATE TABLE seen (id INTEGER PRIMARY KEY, amount INTEGER)"


@pytest.fixture(params=KINDS)
def target(request: pytest.FixtureRequest, make_database: MakeDatabase) -> Database:
    """A target database of each kind, with a table `seen`."""
    database = make_database(request.param)
    execute(database.engine, SEEN)
    return database


def test_rows_and_progress_commit_together(
    make_shop: MakeShop, target: Database, folder: Path
) -> None:
    fail_first = """
def deliver(self, changes):
    H.calls = getattr(H, "calls", 0) + 1
    for change in changes:
        self.context.transaction.execute(
            text("INSERT INTO seen VALUES (:id, :amount)"), change.after)
    if H.calls == 1:
        raise ConnectionError("away for a moment")
"""
    shop = make_shop(sql(target.url), handler=python_handler(folder, fail_first))
    shop.write(1, 2, 3)
    assert shop.deliver() is None
    assert content(target.engine, "seen") == [(1, 1), (2, 2), (3, 3)], "written once, not twice"
    shop.write(4)
    assert shop.deliver() is None
    assert len(content(target.engine, "seen")) == 4
    assert shop.replication.record("shop", "r/t").changes == 4


def test_what_the_database_refuses_is_parked(
    make_shop: MakeShop, target: Database, folder: Path
) -> None:
    execute(target.engine, "INSERT INTO seen VALUES (2, 0)")
    shop = make_shop(sql(target.url), handler=python_handler(folder, WRITE))
    shop.write(1, 2, 3)
    assert shop.deliver() is None
    assert content(target.engine, "seen") == [(1, 1), (2, 0), (3, 3)]
    ((change, error),) = shop.dead_letters()
    assert change == 2
    named = {"sqlite": "seen.id", "postgresql": "seen_pkey", "mariadb": "key PRIMARY"}
    assert named[target.kind] in error


@pytest.mark.parametrize("ending", ["commit", "rollback"])
def test_a_handler_that_ends_the_transaction_is_stopped(
    make_shop: MakeShop, target: Database, folder: Path, ending: str
) -> None:
    body = f"{WRITE}    self.context.transaction.{ending}()\n"
    shop = make_shop(sql(target.url), handler=python_handler(folder, body))
    shop.write(1)
    error = shop.deliver()
    assert isinstance(error, DeliveryStopped)
    assert error.message == "the handler ends the round's transaction"
    assert content(target.engine, "seen") == []
    assert shop.replication.record("shop", "r/t").state == "stopped"


def test_a_savepoint_lets_a_handler_try_something(
    make_shop: MakeShop, target: Database, folder: Path
) -> None:
    body = """
def deliver(self, changes):
    from sqlalchemy.exc import IntegrityError
    connection = self.context.transaction
    for change in changes:
        try:
            with connection.begin_nested():
                connection.execute(text("INSERT INTO seen VALUES (:id, :amount)"), change.after)
        except IntegrityError:
            connection.execute(text("UPDATE seen SET amount = 99 WHERE id = :id"), change.after)
"""
    execute(target.engine, "INSERT INTO seen VALUES (2, 0)")
    shop = make_shop(sql(target.url), handler=python_handler(folder, body))
    shop.write(1, 2, 3)
    assert shop.deliver() is None
    assert content(target.engine, "seen") == [(1, 1), (2, 99), (3, 3)]
    assert shop.dead_letters() == []


def test_a_forgotten_savepoint_stops(make_shop: MakeShop, target: Database, folder: Path) -> None:
    body = "def deliver(self, changes): self.context.transaction.begin_nested()"
    shop = make_shop(sql(target.url), handler=python_handler(folder, body))
    shop.write(1)
    error = shop.deliver()
    assert isinstance(error, DeliveryStopped)
    assert error.message == "the handler leaves a savepoint open"


def test_order_is_kept_across_handlers(make_shop: MakeShop, target: Database, folder: Path) -> None:
    """Parts go the target's own way, and refer to items, which a handler writes."""
    execute(
        target.engine,
        "CREATE TABLE part (id INTEGER PRIMARY KEY, amount INTEGER REFERENCES seen (id))"
        if target.kind != "mariadb"
        else "CREATE TABLE part (id INTEGER PRIMARY KEY, amount INTEGER,"
        " FOREIGN KEY (amount) REFERENCES seen (id))",
    )
    shop = make_shop(
        sql(target.url), tables=["part", "item"], handlers={"item": python_handler(folder, WRITE)}
    )
    for number in range(1, 40):
        shop.write(number)
        shop.write(number, table="part")
    assert shop.deliver() is None
    assert shop.dead_letters() == []
    assert len(content(target.engine, "part")) == len(content(target.engine, "seen")) == 39


# --- Python handlers elsewhere --------------------


def test_a_handler_parks_what_it_names(make_shop: MakeShop, folder: Path) -> None:
    body = """
def deliver(self, changes):
    for change in changes:
        if change.row["id"] == 2:
            self.context.park(change, "not two")
"""
    shop = make_shop(HANDLER, handler=python_handler(folder, body))
    shop.write(1, 2, 3)
    assert shop.deliver() is None
    assert shop.dead_letters() == [(2, "not two")]
    record = shop.replication.record("shop", "r/t")
    assert (record.changes, record.written) == (3, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_looking_up_in_the_source_is_read_only(
    make_database: MakeDatabase, folder: Path, kind: DatabaseKind
) -> None:
    body = """
def deliver(self, changes):
    from sqlalchemy.exc import DBAPIError
    found = self.context.source.execute(text("SELECT count(*) FROM item")).scalar_one()
    with open(os.path.join(os.path.dirname(__file__), "found"), "a") as file:
        file.write(f"{len(changes)} of {found}\\n")
    try:
        self.context.source.execute(text("DELETE FROM item"))
    except DBAPIError:
        return
    raise SystemExit("could write")
"""
    handler = python_handler(folder, body)
    shop = Shop(folder, make_database(kind), HANDLER, {"handler": handler})
    shop.write(1, 2)
    assert shop.deliver() is None
    assert (folder / "found").read_text() == "2 of 2\n"
    assert len(content(shop.source.engine, "item")) == 2


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("def deliver(self, changes): sys.exit(1)", "calls sys.exit"),
        (
            "def deliver(self, changes): self.context.transaction",
            "the handler asks for a transaction of target t, which is no database",
        ),
        (
            "def deliver(self, changes):\n"
            "    from replicator.handlers import DeliveryStopped\n"
            "    raise DeliveryStopped('no licence')",
            "no licence",
        ),
        ("deliver = None", "the class has no method deliver"),
    ],
)
def test_what_needs_somebody_stops(
    make_shop: MakeShop, folder: Path, body: str, message: str
) -> None:
    handler = python_handler(folder, body)
    if body.startswith("deliver"):
        path = next(folder.glob("handler_of*.py"))
        path.write_text(path.read_text().replace("def deliver(self, changes): pass", "pass"))
    shop = make_shop(HANDLER, handler=handler)
    shop.write(1)
    error = shop.deliver()
    assert isinstance(error, DeliveryStopped)
    assert message in error.message


def test_an_exception_is_told_without_its_text(make_shop: MakeShop, folder: Path) -> None:
    body = "def deliver(self, changes):\n    raise ValueError('4111-1111')"
    handler = python_handler(folder, body)
    shop = make_shop(HANDLER, handler=handler)
    shop.write(1)
    error = shop.deliver()
    (module,) = folder.glob("handler_of*.py")
    line = module.read_text().splitlines().index("        raise ValueError('4111-1111')") + 1
    assert isinstance(error, TargetUnavailable)
    assert error.message == f"handler {handler}: ValueError in {module.name}, line {line}"
    assert "4111" not in shop.replication.record("shop", "r/t").last_error


def test_a_slow_class_is_told_of(
    make_shop: MakeShop, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    body = """
def deliver(self, changes):
    while not os.path.exists(os.path.join(os.path.dirname(__file__), "go")):
        time.sleep(0.01)
"""
    handler = python_handler(folder, body)
    shop = make_shop(HANDLER, handler=handler, handler_timeout=0.1)
    shop.write(1)
    worker = threading.Thread(target=shop.deliver)
    worker.start()
    try:
        warning = f"r/t: handler {handler} has been busy with one batch for 0.1 s"
        wait_until(lambda: warning in caplog.messages, 20)
    finally:
        (folder / "go").touch()
        worker.join()
    assert shop.replication.record("shop", "r/t").changes == 1


def test_a_source_that_is_away_is_waited_for(make_shop: MakeShop, folder: Path) -> None:
    """What a look-up raises is no row's fault."""
    body = """
def deliver(self, changes):
    H.calls = getattr(H, "calls", 0) + 1
    table = "item" if H.calls > 1 else "missing"
    assert self.context.source.execute(text(f"SELECT count(*) FROM {table}")).scalar() == 1
"""
    shop = make_shop(HANDLER, handler=python_handler(folder, body))
    shop.write(1)
    assert shop.deliver() is None
    assert shop.dead_letters() == []


def test_a_handler_beside_a_files_target(make_shop: MakeShop, folder: Path) -> None:
    """One table goes to the program, the other to the target's files."""
    shop = make_shop(
        {"type": "files", "url": "file:out"},
        tables=["item", "part"],
        handlers={"item": program(folder, ACCEPT)},
    )
    shop.write(1, 2)
    shop.write(7, table="part")
    shop.write(3)
    assert shop.deliver() is None
    assert got(folder) == ["I 1", "I 2", "I 3"]
    (file,) = (folder / "out").glob("*.csv")
    assert file.name.startswith("part_")
    assert file.read_bytes().endswith(b'"I",7,7\r\n')


# --- Programs --------------------


def test_a_program_gets_lines_and_answers(make_shop: MakeShop, folder: Path) -> None:
    shop = make_shop(HANDLER, handler=program(folder, ACCEPT))
    shop.write(*range(1, 2501))
    assert shop.deliver() is None
    assert got(folder) == [f"I {n}" for n in range(1, 2501)]
    assert shop.replication.record("shop", "r/t").written == 2500


def test_a_program_parks_by_id(make_shop: MakeShop, folder: Path) -> None:
    body = f"""{LOOP}
for batch, changes in batches():
    answer({{"error": "odd\\x07 ones", "park": [c[0] for c in changes if c[4]["id"] % 2]}})
"""
    shop = make_shop(HANDLER, handler=program(folder, body))
    shop.write(1, 2, 3)
    assert shop.deliver() is None
    assert shop.dead_letters() == [(1, "odd  ones"), (3, "odd  ones")]


ONCE = """
first = not os.path.exists("tried")
open("tried", "a").close()
"""


@pytest.mark.parametrize(
    "misbehaviour",
    [
        "time.sleep(600)",
        "os._exit(3)",
        "os.kill(os.getpid(), signal.SIGSEGV)",
        "print('no json', flush=True); time.sleep(600)",
        "print('[1]', flush=True); time.sleep(600)",
        "print(json.dumps({'ok': 77}), flush=True); time.sleep(600)",
        "print(json.dumps({'error': 'x', 'park': [77]}), flush=True); time.sleep(600)",
        "print(json.dumps({'error': 'busy'}), flush=True); time.sleep(600)",
        "print(json.dumps({'ok': 1}), flush=True); time.sleep(600)",
        "sys.stdout.write('x' * 3_000_000)",
        "sys.stdout.close(); os.close(1); time.sleep(600)",
        "os.close(0); time.sleep(600)",
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)",
    ],
    ids=[
        "hangs",
        "exits",
        "crashes",
        "garbage",
        "wrong-json",
        "wrong-batch",
        "wrong-park",
        "error",
        "too-early",
        "endless-answer",
        "closes-output",
        "never-reads",
        "ignores-sigterm",
    ],
)
def test_a_program_that_misbehaves_is_ended_and_started_again(
    make_shop: MakeShop, folder: Path, misbehaviour: str
) -> None:
    """The second process behaves: everything arrives."""
    body = f"{ONCE}\nif first:\n    {misbehaviour}\n{ACCEPT}"
    shop = make_shop(HANDLER, handler=program(folder, body), handler_timeout=1.5)
    shop.write(*range(1, 2001))
    assert shop.deliver() is None
    assert sorted(set(got(folder)), key=lambda line: int(line[2:])) == [
        f"I {n}" for n in range(1, 2001)
    ]


def test_a_program_that_never_works_fails_with_its_reason(
    make_shop: MakeShop, folder: Path
) -> None:
    shop = make_shop(HANDLER, handler=program(folder, "sys.exit(7)"))
    shop.write(1)
    error = shop.deliver()
    assert isinstance(error, TargetUnavailable)
    assert error.message == "the handler program ended with exit code 7"
    assert shop.replication.record("shop", "r/t").state == "failing"


def test_a_program_can_stop_its_delivery(make_shop: MakeShop, folder: Path) -> None:
    body = (
        f"{LOOP}\nfor batch, changes in batches():\n    answer({{'error': 'no', 'stop': True}})\n"
    )
    shop = make_shop(HANDLER, handler=program(folder, body))
    shop.write(1)
    error = shop.deliver()
    assert isinstance(error, DeliveryStopped)
    assert error.message == "the handler program says: no"


def test_a_program_that_disappears_stops_its_delivery(make_shop: MakeShop, folder: Path) -> None:
    shop = make_shop(HANDLER, handler=program(folder, ACCEPT))
    shop.write(1)
    (path,) = folder.glob("program-*")
    path.unlink()
    error = shop.deliver()
    assert isinstance(error, DeliveryStopped)
    assert str(path) in error.message


def test_a_flood_of_messages_neither_blocks_nor_fills_the_log(
    make_shop: MakeShop, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    flood = "for n in range(200_000):\n    print('message', n, file=sys.stderr)\n"
    body = f"{flood}\nsys.stderr.write('y' * 5_000_000)\nsys.stderr.flush()\n{ACCEPT}"
    shop = make_shop(HANDLER, handler=program(folder, body))
    shop.write(1)
    with caplog.at_level("INFO", "replicator.handler"):
        assert shop.deliver() is None
    assert got(folder) == ["I 1"]
    messages = [record.message for record in caplog.records if "handler" in record.name]
    assert messages[0] == "message 0"
    assert any("more lines of the handler program left out" in message for message in messages)
    assert sum(map(len, messages)) < 100_000


def test_nothing_of_a_program_is_left_behind(make_shop: MakeShop, folder: Path) -> None:
    """Its children hold its pipes open, and ignore SIGTERM."""
    children = """
for _ in range(3):
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
        os._exit(0)
with open("group", "w") as file:
    file.write(str(os.getpgid(0)))
"""
    shop = make_shop(HANDLER, handler=program(folder, children + ACCEPT))
    shop.write(1)
    assert shop.deliver() is None
    assert got(folder) == ["I 1"]
    group = int((folder / "group").read_text())
    wait_until(lambda: not members(group), 5, "the program's children are gone")


def test_children_that_outlive_a_crash_are_ended(make_shop: MakeShop, folder: Path) -> None:
    """The crash is noticed although a child holds the pipes open."""
    body = f"""{ONCE}
if first:
    if os.fork() == 0:
        time.sleep(600)
    with open("group", "w") as file:
        file.write(str(os.getpgid(0)))
    os._exit(1)
{ACCEPT}"""
    shop = make_shop(HANDLER, handler=program(folder, body))
    shop.write(1)
    assert shop.deliver() is None
    assert got(folder) == ["I 1"]
    group = int((folder / "group").read_text())
    wait_until(lambda: not members(group), 5, "the program's children are gone")


def members(group: int) -> list[int]:
    """The living processes of a group."""
    return [pid for pid in _processes() if _group(pid) == group]


def _processes() -> Iterator[int]:
    return (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())


def _group(pid: int) -> int | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[2])


def test_stopping_ends_a_program_that_hangs(make_shop: MakeShop, folder: Path) -> None:
    body = "open('pid', 'w').write(str(os.getpid()))\nopen('ready', 'w').close()\ntime.sleep(600)\n"
    shop = make_shop(HANDLER, handler=program(folder, body), handler_timeout=600)
    shop.write(1)
    with ReplicatorProcess(shop.replication) as process:
        wait_until((folder / "ready").exists, 20, "the program runs")
        process.stop()
    pid = int((folder / "pid").read_text())
    assert _group(pid) is None, "it was ended with the replicator"


def test_a_program_sees_its_input_end_when_the_replicator_is_killed(
    make_shop: MakeShop, folder: Path
) -> None:
    body = f"{ACCEPT}\nopen('ended', 'w').close()\n"
    shop = make_shop(HANDLER, handler=program(folder, body))
    shop.write(1)
    with ReplicatorProcess(shop.replication) as process:
        wait_until(lambda: got(folder) == ["I 1"], 20)
        process.kill()
    wait_until((folder / "ended").exists, 10, "the program ends by itself")
    shop.write(2)
    assert shop.deliver() is None
    assert got(folder)[-1] == "I 2"


def test_a_program_that_reads_slowly_holds_the_delivery_back(
    make_shop: MakeShop, folder: Path
) -> None:
    """What it has not read waits in the source, not in memory: one batch is out at a time."""
    body = f"""{LOOP}
for batch, changes in batches():
    keep(changes)
    while not os.path.exists("go"):
        time.sleep(0.01)
    answer({{"ok": batch}})
"""
    shop = make_shop(HANDLER, handler=program(folder, body))
    shop.write(*range(1, 4001))
    worker = threading.Thread(target=shop.deliver)
    worker.start()
    try:
        wait_until(lambda: got(folder), 20)
        first = len(got(folder))
        assert first < 4000
        assert shop.replication.record("shop", "r/t").progress == 0
    finally:
        (folder / "go").touch()
        worker.join()
    assert len(got(folder)) == 4000


# --- What `check` finds


def problems_of_the_route(shop: Shop) -> list[Finding]:
    """What `check` finds about the only route."""
    return [found for found in find(shop.replication.settings) if found.place == "route r"]


def test_check_looks_for_handlers(make_shop: MakeShop, folder: Path) -> None:
    handler = python_handler(folder, "")
    programs = {"item": handler, "part": program(folder, ACCEPT)}
    shop = make_shop(HANDLER, tables=["item", "part"], handlers=programs)
    assert problems_of_the_route(shop) == []
    (path,) = folder.glob("program-*")
    path.unlink()
    (problem,) = problems_of_the_route(shop)
    assert problem.message.endswith(f"there is no file {path}")


@pytest.mark.parametrize(
    ("suffix", "message", "hint"),
    [
        ("2:H", "there is no module 'broken2'", "it is looked for in"),
        (":G", "its module has no class 'G'", "it has H"),
        (":H", "the class has no method close", "a handler has open(context)"),
    ],
)
def test_a_class_that_is_no_handler(
    make_shop: MakeShop, folder: Path, suffix: str, message: str, hint: str
) -> None:
    folder.mkdir()
    body = "class H:\n    def open(self, context): pass\n    def deliver(self, changes): pass\n"
    (folder / "broken.py").write_text(body)
    shop = make_shop(HANDLER, handler=f"python:broken{suffix}")
    try:
        (found,) = problems_of_the_route(shop)
    finally:
        sys.modules.pop("broken", None)
        sys.path.remove(str(folder))
    assert message in found.message
    assert found.remedy.startswith(hint)


# --- The examples of the documentation --------------------


def example(folder: Path, name: str, **urls: str) -> Replication:
    """The example's files, with these databases in place of its own."""
    shutil.copytree(EXAMPLES, folder)
    path = folder / name
    text = path.read_text()
    for line in text.splitlines():
        for section, url in urls.items():
            if line == f"[{section.replace('_', '.')}]":
                before, _, after = text.partition(line)
                lines = [t for t in after.splitlines() if not t.startswith("password")]
                place = next(n for n, t in enumerate(lines) if t.startswith("url"))
                lines[place] = f"url = {json.dumps(url)}"
                text = before + line + "\n".join(lines) + "\n"
    path.write_text(text)
    return Replication.of(path)


@pytest.mark.docs
def test_the_python_example(make_database: MakeDatabase, tmp_path: Path) -> None:
    source, reports = make_database("postgresql"), make_database("mariadb")
    execute(
        source.engine,
        "CREATE TABLE customer (id integer PRIMARY KEY, name text NOT NULL)",
        "CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer, total numeric(10,2))",
    )
    execute(
        reports.engine,
        "CREATE TABLE order_report (order_id integer PRIMARY KEY, customer text,"
        " total decimal(10,2))",
    )
    replication = example(
        tmp_path / "example",
        "python-lookup.toml",
        sources_shop=source.url,
        targets_reports=reports.url,
    )
    replication.prepare()
    execute(
        source.engine,
        "INSERT INTO customer VALUES (1, 'Ada'), (2, 'Grace')",
        "INSERT INTO orders VALUES (10, 1, 12.50), (11, 2, 7.25), (12, 2, NULL), (13, 9, 1)",
        "UPDATE orders SET total = 8 WHERE id = 11",
        "DELETE FROM orders WHERE id = 13",
    )
    replication.deliver()
    rows = [
        (order, name, str(total)) for order, name, total in content(reports.engine, "order_report")
    ]
    assert rows == [(10, "Ada", "12.50"), (11, "Grace", "8.00")]
    assert content(reports.engine, "customer") == [(1, "Ada"), (2, "Grace")]
    execute(source.engine, "TRUNCATE orders")
    replication.deliver()
    assert content(reports.engine, "order_report") == []


@pytest.mark.docs
def test_the_shell_example(make_database: MakeDatabase, tmp_path: Path) -> None:
    source = make_database("sqlite")
    execute(
        source.engine,
        "CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT)",
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, total NUMERIC)",
    )
    replication = example(tmp_path / "example", "shell-append.toml", sources_shop=source.url)
    replication.install()
    name = 'It\'s "quoted" \\ $(date) `date` * 你好\n\ttwo lines'
    with source.engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO customer VALUES (1, :name)"), {"name": name})
        connection.execute(sa.text("INSERT INTO orders VALUES (5, 12.5)"))
    replication.deliver()
    lines = (tmp_path / "example" / "changes.jsonl").read_text().splitlines()
    changes: list[list[Any]] = [json.loads(line) for line in lines]
    assert [change[1:5] for change in changes] == [
        ["customer", "I", None, {"id": 1, "name": name}],
        ["orders", "I", None, {"id": 5, "total": 12.5}],
    ]
    assert os.access(EXAMPLES / "append.sh", os.X_OK)
