"""What `check` reports of a source; each remedy is executed and has to mend its finding."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from tests.capture_source import CaptureSource, as_specs, capture_source
from tests.conftest import MakeDatabase
from tests.servers import (
    DATABASE_KINDS,
    DatabaseKind,
    MariaDBServer,
    MySQLServer,
    mysql_program,
    server_database,
)
from triggers.capture import Capture
from triggers.dialects.base import Finding
from triggers.engine import make_engine
from triggers.model import TableSpec


@pytest.fixture
def source(request: pytest.FixtureRequest, make_database: MakeDatabase) -> Iterator[CaptureSource]:
    with capture_source(make_database(request.param)) as source:
        source.execute("CREATE TABLE item (id integer NOT NULL PRIMARY KEY, name varchar(40))")
        yield source


def on(*kinds: DatabaseKind) -> pytest.MarkDecorator:
    """Run a test on databases of these kinds."""
    return pytest.mark.parametrize("source", kinds, indirect=True)


def findings(source: CaptureSource, *specs: str | TableSpec) -> list[Finding]:
    """Return the coverage report for tables."""
    return source.capture.coverage(as_specs(specs or ["item"]))


def one(source: CaptureSource, word: str, *specs: str | TableSpec) -> Finding:
    """Return the finding whose message holds a word."""
    [found] = [f for f in findings(source, *specs) if word in f.message]
    return found


def mend(source: CaptureSource, finding: Finding) -> None:
    """Execute a finding's remedy as the superuser."""
    statements = finding.remedy.split(" -- ")[0].split(" (not")[0].rstrip(";")
    with source.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in statements.split(";"):
            connection.exec_driver_sql(statement)


@contextmanager
def as_user(source: CaptureSource, *grants: str) -> Iterator[CaptureSource]:
    """Look at the source as a new user without other rights; {} in a grant is the user."""
    name = f"u{source.database.name[-8:]}"
    quoted = f'"{name}"' if source.kind == "postgresql" else f"'{name}'@'127.0.0.1'"
    login = " LOGIN" if source.kind == "postgresql" else ""
    source.execute(f"CREATE USER {quoted}{login}", *(grant.format(quoted) for grant in grants))
    url = sa.make_url(source.database.url).set(username=name)
    engine = make_engine(url, poolclass=sa.NullPool)
    limited = CaptureSource(source.database)
    limited.engine.dispose()
    limited.engine, limited.capture = engine, Capture(engine)
    try:
        yield limited
    finally:
        engine.dispose()
        if source.kind == "postgresql":
            source.execute(f"DROP OWNED BY {quoted} CASCADE")
        source.execute(f"DROP USER {quoted}")


@on(*DATABASE_KINDS)
def test_refused_table_is_a_problem(source: CaptureSource) -> None:
    finding = one(source, "does not exist", "gone")
    assert finding.level == "problem"
    assert "create the table" in finding.remedy


@on("postgresql")
class TestPostgresql:
    """PostgreSQL."""

    def test_nothing_to_report(self, source: CaptureSource) -> None:
        assert findings(source) == []
        source.install("item")
        assert findings(source) == []

    def test_rights(self, source: CaptureSource) -> None:
        with as_user(source) as user:
            for _ in range(9):
                problems = [f for f in findings(user) if f.level == "problem"]
                if not problems:
                    break
                for problem in problems:
                    mend(source, problem)
            user.install("item")
            assert [f.level for f in findings(user)] == ["warning"]  # not the owner
            source.execute("INSERT INTO item VALUES (1, 'a')")
            assert [change.op for change in source.changes()] == ["I"]
            mend(source, findings(user)[0])
            assert findings(user) == []
            user.capture.uninstall()

    def test_right_to_the_schema_of_the_table(self, source: CaptureSource) -> None:
        source.execute("CREATE SCHEMA shop", "CREATE TABLE shop.t (id integer PRIMARY KEY)")
        with as_user(source, "GRANT SELECT, TRIGGER ON shop.t TO {}") as user:
            mend(source, one(user, "may not use the schema", "shop.t"))
            assert not any("may not use" in f.message for f in findings(user, "shop.t"))

    def test_right_to_the_outbox_schema(self, source: CaptureSource) -> None:
        source.install("item")
        with as_user(source) as user:
            mend(source, one(user, "functions in the schema"))
            assert not any("functions in the schema" in f.message for f in findings(user))

    def test_definer_without_rights(self, source: CaptureSource) -> None:
        source.install("item")
        name = f"gone{source.database.name[-6:]}"
        source.execute(f"CREATE ROLE {name}")
        with source.engine.connect() as connection:
            function = connection.exec_driver_sql(
                "SELECT p.oid::regprocedure FROM pg_proc p WHERE proname LIKE 'outbox_capture%%'"
            ).scalar_one()
        source.execute(f"ALTER FUNCTION {function} OWNER TO {name}")
        with pytest.raises(DBAPIError, match="permission denied"):
            source.execute("INSERT INTO item VALUES (1, 'a')")
        mend(source, one(source, "who may not write"))
        source.execute("INSERT INTO item VALUES (1, 'a')")
        assert findings(source) == []
        source.execute(f"DROP OWNED BY {name} CASCADE", f"DROP ROLE {name}")

    def test_outbox_tables(self, source: CaptureSource) -> None:
        source.install("item")
        source.execute("ALTER TABLE outbox.outbox_change ALTER COLUMN id SET CACHE 20")
        source.execute("ALTER TABLE outbox.outbox_gap SET UNLOGGED")
        assert {f.level for f in findings(source)} == {"problem"}
        mend(source, one(source, "lots of 20"))
        mend(source, one(source, "unlogged"))
        assert findings(source) == []

    def test_table(self, source: CaptureSource) -> None:
        source.execute("ALTER TABLE item SET UNLOGGED")
        assert one(source, "unlogged").level == "warning"
        mend(source, one(source, "unlogged"))
        source.execute("CREATE TABLE special (PRIMARY KEY (id)) INHERITS (item)")
        assert "special" in one(source, "inherit").message
        assert one(source, "inherit").level == "problem"

    def test_row_level_security(self, source: CaptureSource) -> None:
        source.execute("ALTER TABLE item ENABLE ROW LEVEL SECURITY")
        with as_user(source, "GRANT SELECT, TRIGGER ON item TO {}") as user:
            mend(source, one(user, "row-level security"))
            assert not any("row-level" in f.message for f in findings(user))
            source.execute(f"ALTER ROLE {user.engine.url.username} NOBYPASSRLS")

    def test_partitions(self, source: CaptureSource) -> None:
        source.execute("CREATE TABLE p (id integer PRIMARY KEY) PARTITION BY HASH (id)")
        assert one(source, "single partition", "p").level == "warning"

    def test_replica_role_by_default(self, source: CaptureSource) -> None:
        name = source.database.name
        source.execute(f"ALTER DATABASE {name} SET session_replication_role = replica")
        finding = one(source, "replica role")
        assert finding.level == "warning"
        mend(source, finding)
        assert findings(source) == []

    def test_subscription(self, source: CaptureSource) -> None:
        name = f"s{source.database.name}"
        with source.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(
                f"CREATE SUBSCRIPTION {name} CONNECTION 'dbname=x' PUBLICATION p"
                " WITH (connect = false, slot_name = NONE)"
            )
            connection.exec_driver_sql(
                "INSERT INTO pg_subscription_rel SELECT oid, 'item'::regclass, 'r'"
                f" FROM pg_subscription WHERE subname = '{name}'"
            )
        try:
            source.install("item")
            assert one(source, "subscription").level == "warning"
            always = TableSpec("item", always=True)
            source.install(always)
            assert findings(source, always) == []
        finally:
            source.execute(f"DROP SUBSCRIPTION {name}")


@on("mariadb", "mysql")
class TestMysql:
    """MySQL and MariaDB."""

    def test_only_truncate_to_report(self, source: CaptureSource) -> None:
        source.install("item")
        [finding] = findings(source)
        assert finding.level == "warning"
        assert "TRUNCATE" in finding.message

    def test_rights(self, source: CaptureSource) -> None:
        with as_user(source, f"GRANT SELECT ON `{source.database.name}`.item TO {{}}") as user:
            mend(source, one(user, "lacks"))
            user.install("item")
            mend(source, one(user, "rolled back"))
            [finding] = findings(user)
            assert "TRUNCATE" in finding.message

    def test_rights_by_pattern_and_role(self, source: CaptureSource) -> None:
        role = f"r{source.database.name[-8:]}"
        pattern = source.database.name.replace("_", "\\\\_")[:-2] + "%%"
        default = (
            f"SET DEFAULT ROLE {role} FOR {{}}"
            if source.kind == "mariadb"
            else f"SET DEFAULT ROLE {role} TO {{}}"
        )
        source.execute(f"CREATE ROLE {role}")
        try:
            with as_user(
                source,
                f"GRANT ALL ON `{pattern}`.* TO {role}".replace("%%", "%").replace("\\\\", "\\"),
                f"GRANT PROCESS ON *.* TO {role}",
                f"GRANT {role} TO {{}}",
                default,
            ) as user:
                assert [f.message[:8] for f in findings(user)] == ["TRUNCATE"]
                user.install("item")
        finally:
            source.execute(f"DROP ROLE {role}")

    def test_cascade(self, source: CaptureSource) -> None:
        source.execute(
            "CREATE TABLE child (id integer PRIMARY KEY, a integer, item integer,"
            " CONSTRAINT fk FOREIGN KEY (item) REFERENCES item (id) ON DELETE CASCADE)",
            "CREATE TABLE loose (id integer PRIMARY KEY, item integer,"
            " CONSTRAINT fk2 FOREIGN KEY (item) REFERENCES item (id) ON UPDATE SET NULL)",
            "CREATE TABLE fine (id integer PRIMARY KEY, item integer,"
            " FOREIGN KEY (item) REFERENCES item (id) ON DELETE RESTRICT)",
        )
        found = [
            f for f in findings(source, "child", "loose", "fine", "item") if "InnoDB" in f.message
        ]
        assert [f.subject for f in found] == ["child", "loose"]
        assert all(f.level == "problem" and "item" in f.message for f in found)
        for finding in found:
            mend(source, finding)
        assert len(findings(source, "child", "loose")) == 1
        source.execute("INSERT INTO item VALUES (1, 'a')", "INSERT INTO child VALUES (1, 1, 1)")
        with pytest.raises(DBAPIError, match="foreign key"):
            source.execute("DELETE FROM item")

    def test_increment(self, source: CaptureSource) -> None:
        source.execute("SET GLOBAL auto_increment_increment = 2")
        try:
            finding = one(source, "auto_increment_increment")
            assert finding.level == "warning"
            mend(source, finding)
            assert len(findings(source)) == 1
        finally:
            source.execute("SET GLOBAL auto_increment_increment = 1")

    def test_definer_that_is_gone(self, source: CaptureSource) -> None:
        with as_user(source, f"GRANT ALL ON `{source.database.name}`.* TO {{}}") as user:
            user.install("item")
            assert not any("1449" in f.message for f in findings(source))
            with as_other(source) as other:
                assert one(other, "may not see whether").level == "unknown"
        with pytest.raises(DBAPIError, match="definer"):
            source.execute("INSERT INTO item VALUES (1, 'a')")
        mend(source, one(source, "1449"))
        source.execute("INSERT INTO item VALUES (1, 'a')")
        assert not any("1449" in f.message for f in findings(source))


@contextmanager
def as_other(source: CaptureSource) -> Iterator[CaptureSource]:
    """Look at the source as a second user, who may do everything in the database."""
    name = f"o{source.database.name[-8:]}"
    source.execute(
        f"CREATE USER '{name}'@'127.0.0.1'",
        f"GRANT ALL ON `{source.database.name}`.* TO '{name}'@'127.0.0.1'",
    )
    engine = make_engine(sa.make_url(source.database.url).set(username=name), poolclass=sa.NullPool)
    other = CaptureSource(source.database)
    other.engine.dispose()
    other.engine, other.capture = engine, Capture(engine)
    try:
        yield other
    finally:
        engine.dispose()
        source.execute(f"DROP USER '{name}'@'127.0.0.1'")


@pytest.mark.parametrize("kind", ["mariadb", "mysql"])
def test_binary_log(kind: DatabaseKind) -> None:
    if kind == "mysql" and mysql_program() is None:
        pytest.skip("MySQL 8 is not installed")
    server = MariaDBServer(binary_log=True) if kind == "mariadb" else MySQLServer(binary_log=True)
    with server, server_database(kind, server) as database, capture_source(database) as source:
        source.execute("SET GLOBAL log_bin_trust_function_creators = 0")
        source.execute("CREATE TABLE item (id integer PRIMARY KEY)")
        assert not any("1419" in f.message for f in findings(source))
        with as_user(source, f"GRANT ALL ON `{database.name}`.* TO {{}}") as user:
            finding = one(user, "1419")
            assert finding.level == "problem"
            with pytest.raises(DBAPIError, match="1419"):
                user.install("item")
            mend(source, finding)
            user.install("item")
            assert not any("1419" in f.message for f in findings(user))


@on("sqlite")
class TestSqlite:
    """SQLite."""

    def test_journal_mode(self, source: CaptureSource) -> None:
        mend(source, one(source, "journal mode is delete"))
        assert findings(source) == []

    def test_replace_and_unique_indexes(self, source: CaptureSource) -> None:
        source.execute("CREATE UNIQUE INDEX item_name ON item (name)")
        finding = one(source, "REPLACE")
        assert finding.level == "warning"
        assert "item_name" in finding.message
        source.execute("CREATE TABLE fine (a text, b text, PRIMARY KEY (a, b))")
        assert not any("REPLACE" in f.message for f in findings(source, "fine"))

    def test_file_that_cannot_be_written(
        self, source: CaptureSource, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # The tests may run as root, for whom every file can be written.
        monkeypatch.setattr("os.access", lambda path, _mode: path != Path(source.database.name))
        assert one(source, "cannot be written").level == "problem"
