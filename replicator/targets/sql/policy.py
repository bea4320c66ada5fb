"""What is written for a value that the target column cannot hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from replicator.targets.sql.conversion import Converter, Unfit

Policy = Literal["error", "null", "clamp"]
"""`error`: the row is refused. `null`: NULL. `clamp`: the nearest value, where there is one."""


@dataclass(slots=True)
class Tally:
    """How many values were written as something else."""

    coerced: int = 0


def settled(convert: Converter, column: str, policy: Policy, tally: Tally) -> Converter:
    """A conversion that follows a policy; what it still refuses names the column.

    Every coercion is added to `tally`; who takes back what was written sets that back too.
    """

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
