"""The example config/examples/unified-users: two MariaDB databases, one table of users."""

from __future__ import annotations

import random
import re
import tomllib
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from tests.conftest import MakeDatabase
from tests.replication import Replication, content, execute
from tests.servers import Database

EXAMPLE = Path(__file__).parents[2] / "config" / "examples" / "unified-users"

OWN: tuple[object, ...] = ("own", "CRM", "Zoë", "zoe@example.org", None)


class Users:
    """The example's databases, with its tables, and people who use them."""

    def __init__(
        self, folder: Path, web: Database, app: Database, unified: Database, seed: int
    ) -> None:
        self.web, self.app, self.unified = web.engine, app.engine, unified.engine
        web_table, app_table = statements("sources.sql")
        execute(self.web, web_table)
        execute(self.app, app_table)
        execute(self.unified, *statements("unified_users.sql"))
        execute(
            self.unified,
            "INSERT INTO unified_users VALUES ('own', 'CRM', 'Zoë', 'zoe@example.org', NULL)",
        )
        text = (EXAMPLE / "replicator.toml").read_text(encoding="utf-8")
        for name, database in (("webshop", web), ("app", app), ("unified", unified)):
            text = re.sub(rf'url = "mariadb://replicator@{name}.*', f'url = "{database.url}"', text)
        text = re.sub(r"password = .*\n", "", text)
        path = folder / "replicator.toml"
        path.write_text(text, encoding="utf-8")
        self.replication = Replication.of(path)
        self.replication.install()
        self._random = random.Random(seed)
        self._made = 0

    def write(self, count: int) -> None:
        """Insert, update and delete users on both sides."""
        for _ in range(count):
            self._made += 1
            number = self._random.randrange(self._made + 1)
            for engine, insert, others in (
                (self.web, self._new_web_user(), _WEB_CHANGES),
                (self.app, self._new_app_user(), _APP_CHANGES),
            ):
                chosen = self._random.choice((insert, insert, *others))
                execute(engine, chosen.format(number=number, made=self._made))

    def expected(self) -> list[tuple[object, ...]]:
        """What the example's SQL gives, run by hand over both sources."""
        routes = tomllib.loads((EXAMPLE / "replicator.toml").read_text(encoding="utf-8"))["routes"]
        rows = [OWN]
        for engine, route in zip((self.web, self.app), routes, strict=True):
            ((table, columns),) = route["columns"].items()
            where = route.get("where", {}).get(table, "TRUE")
            query = f"SELECT {', '.join(columns.values())} FROM {table} WHERE {where}"
            rows += all_rows(engine, query)
        return rows

    def _new_web_user(self) -> str:
        name = self._random.choice(("'Ada {made}'", "'李 {made}'", "'😀{made}'", "NULL"))
        return (
            "INSERT INTO users (account_name, contact_email, password_hash, created_at)"
            f" VALUES ({name}, 'mail{{made}}@example.org', x'00ff27',"
            " '2026-11-21 13:14:15')"
        )

    def _new_app_user(self) -> str:
        nickname = self._random.choice(("'Jürgen'", "NULL", "'x'"))
        return (
            "INSERT INTO app_users VALUES"
            f" ('m-{{made}}', {nickname}, 'mail{{made}}@example.org', '2026-11-21 13:14:15')"
        )


_WEB_CHANGES = (
    "UPDATE users SET contact_email = CONCAT('new', contact_email) WHERE user_id = {number}",
    "UPDATE users SET account_name = NULL WHERE user_id = {number}",
    "UPDATE users SET account_name = 'Bob {made}' WHERE user_id = {number}",
    "UPDATE users SET created_at = '2026-01-02 03:04:05' WHERE user_id = {number}",
    "DELETE FROM users WHERE user_id = {number}",
)
_APP_CHANGES = (
    "UPDATE app_users SET mobile_user_id = 'n-{made}' WHERE mobile_user_id = 'm-{number}'",
    "UPDATE app_users SET registered_email = 'b{made}@b.org' WHERE mobile_user_id = 'm-{number}'",
    "UPDATE app_users SET nickname = 'Ångström' WHERE mobile_user_id = 'm-{number}'",
    "DELETE FROM app_users WHERE mobile_user_id = 'm-{number}'",
)


def statements(file: str) -> list[str]:
    """The statements of one of the example's files."""
    text = (EXAMPLE / file).read_text(encoding="utf-8")
    return [part.strip() for part in text.split(";") if part.strip()]


def all_rows(engine: Engine, query: str) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(query.replace(":", "\\:")))]


@pytest.mark.parametrize("count", [60, pytest.param(1_000, marks=pytest.mark.torture)])
def test_both_sources_end_up_in_one_table(
    count: int, make_database: MakeDatabase, tmp_path: Path
) -> None:
    web, app, unified = (make_database("mariadb") for _ in range(3))
    users = Users(tmp_path, web, app, unified, seed=count)

    for _ in range(3):
        users.write(count)
        users.replication.deliver()

        found = content(users.unified, "unified_users")
        assert sorted(found, key=str) == sorted(users.expected(), key=str)
        assert OWN in found

    execute(users.web, "DELETE FROM users")
    users.replication.deliver()

    left = {row[1] for row in content(users.unified, "unified_users")}
    assert left == {"CRM", "MOBILE"}
