"""What is written for a value that the target column cannot hold."""

from __future__ import annotations

from typing import Any, Literal

from replicator.targets.sql.conversion import Converter, Unfit

Policy = Literal["error", "null", "clamp"]
"""`error`: the row is refused. `null`: NULL. `clamp`: the nearest value, where there is one."""


class Tally:
    """How many values a transaction writes as something else; follows its savepoints."""

    def __init__(self) -> None:
        self.coerced = 0
        self._at: dict[str, int] = {}

    def begin(self) -> None:
        """A transaction begins."""
        self.coerced = 0
        self._at.clear()

    def savepoint(self, name: str) -> None:
        """A savepoint is set."""
        self._at[name] = self.coerced

    def roll_back(self, name: str) -> None:
        """What was written since the savepoint is undone."""
        self.coerced = self._at[name]


def settled(convert: Converter, column: str, policy: Policy, tally: Tally) -> Converter:
    """A conversion that follows a policy, and counts; what it still refuses names the column."""

    def settle(value: Any) -> Any:
        try:
            return convert(value)
        except Unfit as unfit:
            if policy == "null":
                tally.coerced += 1
                return None
            if policy == "clamp" and unfit.nearest is not None:
                tally.coerced += 1
                return unfit.nearest
            raise Unfit(f"column {column}: {unfit.error}") from None
        except (ValueError, ArithmeticError, TypeError, AttributeError):
            raise Unfit(f"column {column}: the value has not the form of its type") from None

    return settle
