"""Names of files: made from a pattern, safe on every file system, the same for the same round."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from string import Formatter

from replicator.pipeline.contract import Window
from replicator.targets.files.window import TimeWindows

_NUMBERS = ("batch", "first_batch", "seq")
_TIMES = ("time", "window", "window_end")
PLACEHOLDERS = ("table", "route", "op", *_NUMBERS, *_TIMES)

_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f%/\\:*?"<>|]|^\.|[. ]$')
_NUMBER_FORMAT = re.compile(r"(0?[1-9][0-9]?)?d?")
_SAMPLE_TIME = datetime(2026, 1, 1, tzinfo=UTC)
_SAMPLE_WINDOW = Window(_SAMPLE_TIME, _SAMPLE_TIME + timedelta(hours=1))
_DEFAULT_TIME = "%Y%m%d%H%M%S"
_SNAPSHOT_TIME = "{time:%Y%m%dT%H%M%SZ}"
_APART = [timedelta(hours=h) for h in (1, 12)] + [
    timedelta(days=d) for d in (1, 7, 28, 30, 31, 364, 365, 366)
]


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
    """A pattern such as `{table}_{window:%Y%m%d%H}_{seq:04d}.csv`, with `/` between folders.

    Placeholders: `{table}`; `{route}`; `{batch}` and `{first_batch}`, the last and first batch of
    the round, with an optional width (`{batch:012d}`); `{time}`, when the round's first change was
    captured, in UTC, with an optional `strftime` format; `{window}` and `{window_end}`, the round's
    window, in the same way, in the windows' time zone; `{seq}`, the number of the file among those
    of its table in the round, from 1 on; `{op}`, what the file's changes did: there is then one
    file for each operation. All of them are properties of the round, so that a repeated round gets
    the same names.
    """

    def __init__(self, text: str) -> None:
        """Raise `ValueError` with the reason when the pattern cannot be used."""
        self.text = text
        self._parts = _parse(text)
        self.fields = frozenset(part.field for part in self._parts if part.field)
        _check_separated(text, self._parts)
        self._check_literals()

    def name(
        self,
        *,
        table: str,
        route: str,
        batch: int,
        first_batch: int,
        captured_at: str = "",
        window: Window | None = None,
        seq: int = 1,
        op: str = "",
    ) -> str:
        """Return the file name; `captured_at` is the round's first, in the outbox's form."""
        values: dict[str, object] = {
            "table": safe_name(table),
            "route": safe_name(route),
            "batch": batch,
            "first_batch": first_batch,
            "seq": seq,
            "op": safe_name(op),
        }
        if captured_at:
            values["time"] = datetime.fromisoformat(captured_at).replace(tzinfo=UTC)
        if window is not None:
            values |= {"window": window.start, "window_end": window.end}
        return "".join(
            part.literal + (format(values[part.field], part.format) if part.field else "")
            for part in self._parts
        )

    def check_files(self, windows: TimeWindows | None, *, rolled: bool) -> None:
        """Raise `ValueError` when the names of two rounds' files could be the same.

        Different tables, and deliveries that share a folder, are not looked at: `fields` tells.
        """
        self._check_windowed(windows)
        if rolled and "seq" not in self.fields:
            raise ValueError(
                f"the name pattern {self.text!r} needs {{seq}}: files are rolled by size"
            )
        if "batch" not in self.fields and not self._is_different_for(windows):
            raise ValueError(self._too_few("{batch}", windows))

    def check_manifest(self, windows: TimeWindows | None) -> None:
        """Raise `ValueError` when the names of two manifests of a delivery could be the same."""
        self._check_windowed(windows)
        if extra := self.fields & {"table", "op", "seq", "time"}:
            names = ", ".join(f"{{{name}}}" for name in sorted(extra))
            raise ValueError(f"the manifest {self.text!r} is of the whole round: it has no {names}")
        different = (
            self._is_different_for(windows) if windows is not None else "batch" in self.fields
        )
        if not different:
            raise ValueError(self._too_few("{batch}", windows))

    def check_snapshots(self, *, rolled: bool) -> None:
        """Raise `ValueError` when the names of two snapshots' files could be the same.

        `{time}` is when the snapshot began, in whole seconds.
        """
        self._check_snapshot_fields({"op", "window", "window_end", "first_batch"})
        if rolled and "seq" not in self.fields:
            raise ValueError(
                f"the name pattern {self.text!r} needs {{seq}}: files are rolled by size"
            )

    def check_snapshot_manifest(self) -> None:
        """Raise `ValueError` when the names of two snapshots' manifests could be the same."""
        self._check_snapshot_fields({"op", "window", "window_end", "first_batch", "table", "seq"})

    def _check_snapshot_fields(self, refused: set[str]) -> None:
        if extra := self.fields & refused:
            names = ", ".join(f"{{{name}}}" for name in sorted(extra))
            raise ValueError(f"the name pattern {self.text!r} is of a snapshot: it has no {names}")

        def name(moment: datetime) -> str:
            captured_at = moment.replace(tzinfo=None).isoformat()
            return self.name(
                table="t", route="r", batch=1, first_batch=1, captured_at=captured_at, op="I"
            )

        apart = [timedelta(seconds=1), timedelta(minutes=1), *_APART]
        if any(name(_SAMPLE_TIME + some) == name(_SAMPLE_TIME) for some in apart):
            raise ValueError(
                f"the name pattern {self.text!r} gives two snapshots the same name: it needs "
                f"{{time}} with date and time, such as {_SNAPSHOT_TIME}"
            )

    def _check_windowed(self, windows: TimeWindows | None) -> None:
        if windows is None and self.fields & {"window", "window_end"}:
            raise ValueError(f"the name pattern {self.text!r} has {{window}}; the target has none")

    def _is_different_for(self, windows: TimeWindows | None) -> bool:
        if windows is None:
            return False
        first = windows.containing(_SAMPLE_TIME + timedelta(days=40))
        others = [windows.containing(first.end)]
        others += [windows.containing(first.start + apart) for apart in _APART]

        def name(window: Window) -> str:
            local = windows.local(window)
            return self._sample(local)

        return all(name(other) != name(first) for other in others if other != first)

    def _too_few(self, batch: str, windows: TimeWindows | None) -> str:
        if windows is None:
            return f"the name pattern {self.text!r} needs {batch}"
        return (
            f"the name pattern {self.text!r} gives two windows the same name: it needs "
            "{window} with date and time, such as {window:%Y%m%d%H%M}"
        )

    def _sample(self, window: Window) -> str:
        return self.name(
            table="t",
            route="r",
            batch=1,
            first_batch=1,
            captured_at="2026-11-21T13:14:15",
            window=window,
            op="I",
        )

    def _check_literals(self) -> None:
        sample = self._sample(_SAMPLE_WINDOW)
        if any(not part or _UNSAFE.search(part) for part in sample.split("/")):
            raise ValueError(
                f"the name pattern {self.text!r} gives {sample!r}, which holds an empty "
                "part or a character that file names cannot hold everywhere"
            )


def snapshot_name(name: str) -> str:
    """Return the name pattern of a snapshot's files where none is given: with `name`'s suffix."""
    last = re.split(r"[}/]", name)[-1]
    dot = last.find(".")
    suffix = last[dot:] if dot >= 0 else ""
    return f"snapshot_{{route}}_{_SNAPSHOT_TIME}/{{table}}_{{seq:04d}}{suffix}"


def snapshot_manifest_name(name: str, suffix: str) -> str:
    """Return the pattern for the manifest of such files: beside them."""
    folder = re.sub(r"[^/{}]*(?:\{[^{}]*\}[^/{}]*)*$", "", name)
    return f"{folder}snapshot_{{route}}_{_SNAPSHOT_TIME}.manifest{suffix}"


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
        if field in _NUMBERS:
            valid = _NUMBER_FORMAT.fullmatch(spec) is not None
        else:
            valid = not spec or (field in _TIMES and "{" not in spec)
        if not valid:
            raise ValueError(
                f"the name pattern {text!r} has {{{field}:{spec}}}, a format it cannot use"
            )
        parts.append(_Part(literal, field, spec or (_DEFAULT_TIME if field in _TIMES else "")))
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
