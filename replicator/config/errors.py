"""What is wrong with a configuration, in a form that names file and key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from replicator.errors import ReplicatorError


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend. `key` is the key path as written in TOML, empty for the file itself."""

    path: Path | None
    key: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        places = [str(part) for part in (self.path, self.key) if part]
        line = ": ".join([*places, self.message])
        return f"{line} ({self.hint})" if self.hint else line


class ConfigError(ReplicatorError):
    """The configuration cannot be used; `str()` gives one line per problem, never a secret."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = list(problems)


class InvalidValue(ValueError):
    """A value in the file that cannot be used; the caller knows which key it belongs to."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint that offers the known word closest to `word`, or an empty string."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    close = get_close_matches(word.casefold(), by_folded, n=1)
    return f"did you mean {by_folded[close[0]]!r}?" if close else ""
