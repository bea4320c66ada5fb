"""Savepoints that replace those of the same name, for engines that would stack them."""

from __future__ import annotations


class Savepoints:
    """Knows which savepoints stand; the statements it returns have to be executed in order."""

    def __init__(self) -> None:
        self._standing: list[str] = []

    def forget(self) -> None:
        """The transaction is over."""
        self._standing.clear()

    def set(self, name: str) -> list[str]:
        """Set one, after releasing its predecessor of the same name and all inside that."""
        statements = [f"RELEASE SAVEPOINT {name}"] if name in self._standing else []
        self._drop(name)
        self._standing.append(name)
        return [*statements, f"SAVEPOINT {name}"]

    def roll_back(self, name: str) -> list[str]:
        """Undo what was done since it was set, and end it."""
        self._drop(name)
        return [f"ROLLBACK TO SAVEPOINT {name}", f"RELEASE SAVEPOINT {name}"]

    def _drop(self, name: str) -> None:
        if name in self._standing:
            del self._standing[self._standing.index(name) :]
