"""What the account of a connection may do on MySQL or MariaDB, its active roles included."""

from __future__ import annotations

import re
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

GRANT = re.compile(r"GRANT (?P<rights>.+?) ON (?P<scope>\S+|`.+?`\.(?:\*|`.+?`)) TO ")


@dataclass(frozen=True, slots=True)
class Grants:
    """Rights by scope, as `SHOW GRANTS` prints it: `*.*`, `` `db`.* ``, `` `db`.`table` ``."""

    account: str  # quoted, for a GRANT statement
    rights: tuple[tuple[str, frozenset[str]], ...]

    def everywhere(self, right: str) -> bool:
        """Tell whether the right is granted on the whole server."""
        return self._granted(right, "*.*")

    def on_database(self, right: str, database: str) -> bool:
        """Tell whether the right is granted on the database; its name may be a pattern there."""
        return self.everywhere(right) or any(
            _holds(rights, right)
            for scope, rights in self.rights
            if scope.endswith("`.*") and _matches(scope[1:-3], database)
        )

    def on_table(self, right: str, database: str, table: str) -> bool:
        """Tell whether the right is granted on the table."""
        scope = ".".join("`" + name.replace("`", "``") + "`" for name in (database, table))
        return self.on_database(right, database) or self._granted(right, scope)

    def _granted(self, right: str, scope: str) -> bool:
        return any(_holds(rights, right) for at, rights in self.rights if at == scope)


def read_grants(connection: Connection) -> Grants:
    """Read the rights of the connection's account and of its active roles."""
    user, roles = connection.execute(sa.text("SELECT CURRENT_USER(), CURRENT_ROLE()")).one()
    name, _at, host = user.rpartition("@")
    # MySQL prints the rights of roles only when asked; MariaDB always does, and cannot be asked.
    asked = roles not in (None, "NONE") and not connection.dialect.is_mariadb  # type: ignore[attr-defined]
    using = f" FOR CURRENT_USER() USING {roles.replace('%', '%%')}" if asked else ""
    rights = []
    for (line,) in connection.exec_driver_sql(f"SHOW GRANTS{using}"):
        found = GRANT.match(line)
        if found is not None:
            words = frozenset(word.strip().upper() for word in found["rights"].split(","))
            rights.append((found["scope"], words))
    return Grants(f"'{name}'@'{host}'", tuple(rights))


def _holds(rights: frozenset[str], right: str) -> bool:
    dynamic = "_" in right or right == "BINLOG ADMIN"
    return right in rights or (not dynamic and bool({"ALL PRIVILEGES", "ALL"} & rights))


def _matches(pattern: str, database: str) -> bool:
    expression = ""
    for part in re.findall(r"\\.|``|.", pattern):
        match part:
            case "%":
                expression += ".*"
            case "_":
                expression += "."
            case "``":
                expression += "`"
            case _:
                expression += re.escape(part[-1])
    return re.fullmatch(expression, database) is not None
