"""`replicator triggers ...`, `replicator tables create` and `replicator check`."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from contextlib import closing

import pytest
import sqlalchemy as sa

from tests.acceptance.command_line import CommandLine
from tests.conftest import MakeDatabase
from tests.servers import Database, DatabaseKind


def test_install_status_uninstall(shop: CommandLine) -> None:
    shop.make_shop()
    assert shop.run("triggers", "status").code == 1

    assert shop.ok("triggers", "install").splitlines() == [
        "Source  Table   Was      Done",
        "shop    orders  missing  installed",
        "shop    lines   missing  installed",
    ]
    assert "nothing, already installed" in shop.ok("triggers", "install")
    assert shop.ok("triggers", "status").count(" installed") == 2
    assert shop.sql("SELECT route, target FROM outbox_delivery ORDER BY 2") == [
        ("orders", "copy"),
        ("orders", "drop"),
    ]

    shop.sql("ALTER TABLE lines ADD COLUMN note TEXT")
    drifted = shop.run("triggers", "status")
    assert (drifted.code, "column 'note' was added" in drifted.out) == (1, True)
    assert "renewed: column 'note' was added" in shop.ok("triggers", "install")
    assert shop.run("triggers", "status").code == 0

    shop.edit('"orders", "lines"', '"orders"')
    left_over = shop.run("triggers", "status")
    assert (left_over.code, "left over" in left_over.out) == (1, True)
    shop.ok("triggers", "uninstall", "--table", "lines")
    assert shop.run("triggers", "status").code == 0

    shop.sql("INSERT INTO orders VALUES (1, 2.5)")
    refused = shop.run("triggers", "uninstall", "--purge")
    assert (refused.code, "1 captured changes" in refused.errors) == (1, True)
    shop.ok("triggers", "uninstall", "--purge", "--yes")
    assert shop.sql("SELECT name FROM sqlite_master WHERE name LIKE 'outbox%'") == []
    shop.ok("triggers", "uninstall")


def test_install_sql_for_sqlite(shop: CommandLine) -> None:
    shop.make_shop()
    text = shop.ok("triggers", "install", "--sql")
    assert shop.sql("SELECT name FROM sqlite_master WHERE name LIKE 'outbox%'") == []

    with closing(sqlite3.connect(shop.folder / "shop.db")) as connection:
        connection.executescript(text)

    assert shop.run("triggers", "status").code == 0
    assert "nothing, already installed" in shop.ok("triggers", "install")
    assert shop.sql("SELECT count(*) FROM outbox_delivery") == [(2,)]


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_install_sql_for_servers(
    shop: CommandLine, make_database: MakeDatabase, kind: DatabaseKind
) -> None:
    database = make_database(kind)
    note = '"50% note"' if kind == "postgresql" else "`50% note`"
    _execute(database, f"CREATE TABLE orders (id INTEGER PRIMARY KEY, {note} TEXT)")
    shop.path.write_text(
        f"""
        [sources.shop]
        url = "{database.url}"
        [targets.backup]
        type = "backup"
        path = "backup"
        [[routes]]
        name = "orders"
        source = "shop"
        tables = ["orders"]
        targets = ["backup"]
        """
    )
    text = shop.ok("triggers", "install", "--sql")
    assert shop.run("triggers", "status").code == 1

    done = subprocess.run(
        _client(database), input=text, text=True, check=False, capture_output=True
    )

    assert done.returncode == 0, done.stderr
    status = shop.run("triggers", "status")
    assert status.code == 0, (status, text)
    _execute(database, "INSERT INTO orders VALUES (1, '50% off')")
    assert "orders/backup  delivered        1" in shop.ok("run", "--once")


def test_create_tables(shop: CommandLine) -> None:
    shop.make_shop()
    text = shop.ok("tables", "create", "--sql")
    assert text.count("CREATE TABLE") == 2
    assert not (shop.folder / "copy.db").exists()

    assert shop.ok("tables", "create").count(" created") == 2
    assert "nothing to do" in shop.ok("tables", "create")
    assert shop.sql("SELECT name FROM sqlite_master ORDER BY 1", "copy.db") == [
        ("lines",),
        ("orders",),
    ]


def test_check(shop: CommandLine) -> None:
    shop.make_shop()
    before = json.loads(shop.run("check", "--json").out)
    assert before["problems"] == 3
    assert {finding["remedy"] for finding in before["findings"]} == {
        "replicator triggers install",
        "replicator tables create makes it",
    }
    shop.ok("triggers", "install")
    shop.ok("tables", "create")

    assert "0 problems, 0 warnings, 0 could not be checked" in shop.ok("check")
    assert "Cannot hold" in shop.ok("check", "--types")
    pairs = json.loads(shop.ok("check", "--json"))["types"]
    assert ("orders", "id", "exact") in {(p["table"], p["column"], p["fit"]) for p in pairs}

    shop.sql("DROP TABLE lines", "copy.db")
    (shop.folder / "outgoing").write_text("in the way")
    shop.sql("UPDATE outbox_delivery SET route = 'old' WHERE target = 'drop'")
    done = shop.run("check")
    assert done.code == 1
    assert "table lines is missing in the target" in done.out
    assert 'CREATE TABLE "lines"' in done.out
    assert "is a file, not a folder" in done.out
    [delete] = [line.strip() for line in done.out.splitlines() if "DELETE FROM" in line]

    assert delete in shop.ok("status")
    shop.sql(delete)
    assert "not in the configuration" not in shop.run("check").out


def test_what_cannot_be_reached(shop: CommandLine) -> None:
    shop.make_shop()
    shop.edit('url = "sqlite:///copy.db"', 'url = "mysql://u:s3cr3t-pw@127.0.0.1:1/x"')
    shop.ok("triggers", "install")

    done = shop.run("check")
    assert done.code == 3
    assert "could not check  target copy (mysql 127.0.0.1:1/x)" in done.out
    created = shop.run("tables", "create")
    assert (created.code, "target copy (mysql 127.0.0.1:1/x)" in created.errors) == (3, True)
    assert shop.run("status").code == 0

    shop.edit("sqlite:///shop.db", "postgresql://u:s3cr3t-pw@127.0.0.1:1/shop")
    for command in ("check", "status", "triggers install", "run --once", "pause orders"):
        done = shop.run(*command.split(), "--verbose")
        assert done.code == 3, (command, done)
        told = done.out + done.errors
        assert "source shop (postgresql 127.0.0.1:1/shop) cannot be reached" in told
        assert "s3cr3t-pw" not in told


def test_a_password_that_the_server_refuses_is_not_shown(
    shop: CommandLine, make_database: MakeDatabase
) -> None:
    database = make_database("mariadb")
    _execute(database, "CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    wrong = database.engine.url.set(drivername="mariadb", password="s3cr3t-pw")
    text = wrong.render_as_string(hide_password=False)
    shop.make_shop()
    shop.ok("triggers", "install")
    shop.sql("INSERT INTO orders VALUES (1, 2.5)")
    shop.edit("sqlite:///copy.db", text)

    for command in ("check", "tables create", "run --once", "status"):
        done = shop.run(*command.split(), "--verbose")
        assert (command, done.code) == (command, 0 if command == "status" else 1)
        assert "s3cr3t-pw" not in done.out + done.errors

    shop.edit("sqlite:///shop.db", text)
    done = shop.run("triggers", "install", "--verbose")
    assert (done.code, "Access denied" in done.errors) == (3, True)
    assert "s3cr3t-pw" not in done.out + done.errors


def _execute(database: Database, statement: str) -> None:
    with database.engine.begin() as connection:
        connection.execute(sa.text(statement))


def _client(database: Database) -> list[str]:
    assert database.server is not None
    user, port = str(database.engine.url.username), str(database.server.port)
    if database.kind == "postgresql":
        place = ["-h", "127.0.0.1", "-p", port, "-U", user, "-d", database.name]
        return ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *place]
    return ["mariadb", "--no-defaults", "-h", "127.0.0.1", "-P", port, "-u", user, database.name]
