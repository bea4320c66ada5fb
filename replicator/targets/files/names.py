"""Names of files: made from a pattern, safe on every file system, the same for the same round."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from string import Formatter

PLACEHOLDERS = ("table", "route", "batch", "first_batch", "time")

_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f%/\\:*?"<>|]|^\.|[. ]$')
_NUMBER_FORMAT = re.compile(r"(0?[1-9][0-9]?)?d?")
_SAMPLE_TIME = datetime(2026, 11, 21, 13, 14, 15, tzinfo=UTC)
_DEFAULT_TIME = "%Y%m%d%H%M%S"


def safe_name(name: str) -> str:
    """Escape what a file name cannot hold, as %XX of its UTF-8 bytes; different names stay so.

    Escaped are path separators, control characters, `%` itself, a leading dot, and what Windows
    and the shares that it serves refuse. Other characters, in any script, stay as they are.
    """

    def escape(match: re.Match[str]) -> str:
        return "".join(f"%{byte:02X}" for byte in match.group().encode())

    return _UNSAFE.sub(escape, name)


@dataclass(frozen=True, slots=True)
class _Part:
    literal: str
    field: str | None
    format: str


class NamePattern:
    """A pattern such as `{table}_{time:%Y%m%d}_{batch:012d}.csv`.

    Placeholders: `{table}`; `{route}`; `{batch}` and `{first_batch}`, the last and first batch of
    the round, with an optional width (`{batch:012d}`); `{time}`, when the round's first change was
    captured, in UTC, with an optional `strftime` format. All of them are properties of the round,
    so that a repeated round gets the same names.

    `{batch}` is required, and text that is no digit has to separate it from whatever stands beside
    it: so no two rounds of a delivery give the same name. A delivery of several tables needs
    `{table}`, and deliveries that share a folder `{route}`; `fields` tells what is there.
    """

    def __init__(self, text: str) -> None:
        """Raise `ValueError` with the reason when the pattern cannot be used."""
        self.text = text
        self._parts = _parse(text)
        self.fields = frozenset(part.field for part in self._parts if part.field)
        if "batch" not in self.fields:
            raise ValueError(f"the name pattern {text!r} needs {{batch}}")
        _check_separated(text, self._parts)
        self._check_literals()

    def name(
        self, *, table: str, route: str, batch: int, first_batch: int, captured_at: str
    ) -> str:
        """Return the file name; `captured_at` is the round's first, in the outbox's form."""
        values = {
            "table": safe_name(table),
            "route": safe_name(route),
            "batch": batch,
            "first_batch": first_batch,
            "time": datetime.fromisoformat(captured_at).replace(tzinfo=UTC),
        }
        return "".join(
            part.literal + (format(values[part.field], part.format) if part.field else "")
            for part in self._parts
        )

    def _check_literals(self) -> None:
        sample = self.name(
            table="t", route="r", batch=1, first_batch=1, captured_at=_SAMPLE_TIME.isoformat()
        )
        if _UNSAFE.search(sample):
            raise ValueError(
                f"the name pattern {self.text!r} gives {sample!r}, which holds a path separator or "
                "another character that file names cannot hold everywhere"
            )


def _parse(text: str) -> list[_Part]:
    try:
        parsed = list(Formatter().parse(text))
    except ValueError as error:
        raise ValueError(f"the name pattern {text!r} cannot be read: {error}") from None
    parts = []
    for literal, field, spec, conversion in parsed:
        spec = spec or ""
        if field is not None and (field not in PLACEHOLDERS or conversion):
            known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
            raise ValueError(f"the name pattern {text!r} has {{{field}}}; there are only {known}")
        if field in ("batch", "first_batch"):
            valid = _NUMBER_FORMAT.fullmatch(spec) is not None
        else:
            valid = not spec or (field == "time" and "{" not in spec)
        if not valid:
            raise ValueError(
                f"the name pattern {text!r} has {{{field}:{spec}}}, a format it cannot use"
            )
        parts.append(_Part(literal, field, spec or (_DEFAULT_TIME if field == "time" else "")))
    return parts


def _check_separated(text: str, parts: list[_Part]) -> None:
    """Refuse `{table}{batch}`: table a, batch 11 and table a1, batch 1 would share a name."""
    for number, part in enumerate(parts):
        if part.field != "batch":
            continue
        following = parts[number + 1] if number + 1 < len(parts) else _Part("", None, "")
        touched_before = part.literal[-1:].isdigit() or (not part.literal and number > 0)
        touched_after = following.literal[:1].isdigit() or (
            not following.literal and following.field is not None
        )
        if touched_before or touched_after:
            raise ValueError(
                f"the name pattern {text!r} needs text that is no digit on both sides of "
                f"{{batch}}, such as '_'"
            )
