"""Capture where MySQL and MariaDB differ from the other engines."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from tests.capture_source import CaptureSource, capture_source, deleted, inserted, run, updated
from tests.conftest import MakeDatabase
from triggers.capture import State
from triggers.errors import TableRefused
from triggers.model import TableSpec


@pytest.fixture(params=["mariadb", "mysql"])
def source(request: pytest.FixtureRequest, make_database: MakeDatabase) -> Iterator[CaptureSource]:
    with capture_source(make_database(request.param)) as source:
        source.execute("CREATE TABLE item (id integer PRIMARY KEY, name varchar(40))")
        yield source


def test_application_account_needs_no_rights_on_the_outbox(source: CaptureSource) -> None:
    source.install("item")
    account = f"'app_{source.database.name[-8:]}'@'127.0.0.1'"
    source.execute(
        f"CREATE USER {account}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON `{source.database.name}`.item TO {account}",
    )
    assert source.database.server is not None
    url = sa.make_url(source.database.server.url(source.database.name))
    engine = sa.create_engine(
        url.set(username=account.split("'")[1]),
        poolclass=sa.NullPool,
        connect_args={"ssl_disabled": True},
    )
    try:
        with engine.begin() as connection:
            run(
                connection,
                "INSERT INTO item VALUES (1, 'a')",
                "UPDATE item SET id = 2",
                "DELETE FROM item",
            )
        with engine.connect() as connection, pytest.raises(DBAPIError, match="denied"):
            run(connection, "SELECT * FROM outbox_change")
    finally:
        engine.dispose()
        source.execute(f"DROP USER {account}")
    assert [change.op for change in source.changes()] == ["I", "D", "U", "D"]


def test_sessions(source: CaptureSource) -> None:
    """No setting of an application's session changes what is logged, or breaks its writes."""
    source.execute(
        "CREATE TABLE typed (id integer PRIMARY KEY, at timestamp(6) NULL, d datetime, x float,"
        " name varchar(40), b varbinary(9))"
    )
    source.install("typed")
    row = "'2026-11-21 12:00:00.123456', '2026-11-21 12:00:00', 0.1, 'ab', x'ff00'"
    source.execute(f"INSERT INTO typed VALUES (1, {row})")
    [plain] = source.changes()
    assert plain.after is not None
    assert plain.after["at"].endswith("12:00:00.123456+00:00")
    modes = (
        "ANSI",
        "TRADITIONAL",
        "PIPES_AS_CONCAT",
        "NO_BACKSLASH_ESCAPES",
        "PAD_CHAR_TO_FULL_LENGTH",
    )
    for number, mode in enumerate(modes, 2):
        with source.engine.connect() as connection:
            run(
                connection,
                f"SET SESSION sql_mode = '{mode}'",
                "SET SESSION time_zone = '+05:45'",
                "SET SESSION character_set_connection = latin1",
                "SET SESSION div_precision_increment = 0",
                f"INSERT INTO typed SELECT {number}, at, d, x, name, b FROM typed WHERE id = 1",
            )
            connection.commit()
        [odd] = source.changes()
        assert odd.after == plain.after | {"id": number}


def test_case_of_a_key_with_before_full(source: CaptureSource) -> None:
    source.execute(
        "CREATE TABLE word (w varchar(9) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"
        " PRIMARY KEY, n integer)"
    )
    source.install(TableSpec("word", before="full"))
    source.execute("INSERT INTO word VALUES ('a', 1)", "UPDATE word SET n = 2")
    source.execute("UPDATE word SET w = 'A'", "UPDATE word SET w = 'Á'")
    assert source.changes() == [
        inserted({"w": "a", "n": 1}),
        updated({"w": "a", "n": 2}, {"w": "a", "n": 1}),
        deleted({"w": "a", "n": 2}),
        updated({"w": "A", "n": 2}),
        deleted({"w": "A", "n": 2}),
        updated({"w": "Á", "n": 2}),
    ]


def test_key_by_prefix_is_refused(source: CaptureSource) -> None:
    source.execute("CREATE TABLE t (id varchar(99) NOT NULL, PRIMARY KEY (id(5)))")
    with pytest.raises(TableRefused, match="no primary key"):
        source.install("t")


def test_table_without_transactions_is_refused(source: CaptureSource) -> None:
    source.execute("CREATE TABLE t (id integer PRIMARY KEY) ENGINE = MyISAM")
    with pytest.raises(TableRefused, match="no transactions"):
        source.install("t")


def test_failed_installation_leaves_the_old_triggers(source: CaptureSource) -> None:
    """MySQL's DDL is not transactional: there is no moment without triggers all the same."""
    source.install("item")
    capture = source.capture
    plan = capture.dialect.triggers

    def broken(*arguments: object) -> object:
        planned = plan(*arguments)  # type: ignore[arg-type]
        last = planned.replace[-1]
        return type(planned)(planned.bodies, [*planned.replace[:-1], last + " nonsense"])

    capture.dialect.triggers = broken  # type: ignore[method-assign, assignment]
    full = TableSpec("item", before="full")
    with pytest.raises(DBAPIError, match="syntax"):
        source.install(full)
    capture.dialect.triggers = plan  # type: ignore[method-assign]
    assert source.states(full) == [State.DRIFTED]
    source.execute("INSERT INTO item VALUES (1, 'a')")
    assert {change.op for change in source.changes()} == {"I"}
    source.install(full)
    source.execute("UPDATE item SET name = 'b'")
    assert source.changes() == [updated({"id": 1, "name": "b"}, {"id": 1, "name": "a"})]


def test_session_settings_of_an_installation_end_with_it(source: CaptureSource) -> None:
    query = sa.text("SELECT @@SESSION.sql_mode, @@SESSION.lock_wait_timeout")
    with source.engine.connect() as connection:
        before = connection.execute(query).one()
    source.install("item")
    with source.engine.connect() as connection:
        assert connection.execute(query).one() == before
