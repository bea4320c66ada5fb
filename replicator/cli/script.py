"""SQL statements as a script that the engine's own client can run."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import count

_HAS_BODY = re.compile(r"\s*CREATE\s+(OR\s+REPLACE\s+)?TRIGGER\b", re.IGNORECASE)


def script(statements: Iterable[str], engine: str) -> str:
    """Write statements so that psql, mysql, mariadb or sqlite3 can be fed with them.

    The clients of MySQL and MariaDB end a statement at the first semicolon, so that a trigger's
    body needs another delimiter.
    """
    return "\n".join(_ended(statement, engine) for statement in statements)


def _ended(statement: str, engine: str) -> str:
    statement = statement.strip().removesuffix(";")
    if engine in ("mysql", "mariadb") and _HAS_BODY.match(statement):
        delimiter = next(
            mark for mark in ("$" * number for number in count(2)) if mark not in statement
        )
        return f"DELIMITER {delimiter}\n{statement}{delimiter}\nDELIMITER ;"
    return f"{statement};"
