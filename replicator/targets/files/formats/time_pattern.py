"""Dates and times in the form that a third party wants."""

from __future__ import annotations

import re

from replicator.targets.files.formats.refusal import Unfit

_WIRE = re.compile(
    r"(?:(?P<Y>\d{4,6})-(?P<m>\d\d)-(?P<d>\d\d))?[T ]?"
    r"(?:(?P<H>\d\d):(?P<M>\d\d):(?P<S>\d\d)(?:\.(?P<f>\d{1,6}))?)?"
    r"(?P<z>[+-]\d\d(?::?\d\d)*)?",
    re.ASCII,
)
_DIRECTIVE = re.compile(r"%(3f|.?)", re.DOTALL)
_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = {f"{number:02d}": name for number, name in enumerate(_NAMES, 1)}
_NEEDS = {
    "Y": "Y",
    "y": "Y",
    "m": "m",
    "b": "m",
    "d": "d",
    "H": "H",
    "I": "H",
    "p": "H",
    "M": "M",
    "S": "S",
    "f": "S",
    "3f": "S",
    "z": "z",
}


class TimePattern:
    """A pattern such as `%d.%m.%Y %H:%M:%S`; it works on the text that the source wrote.

    Directives: %Y %y %m %b (Jan) %d, %H %I %p %M %S %f (six digits) %3f (three, cut off), %z as the
    source writes it, and %%. No locale and no setting of the machine matters.
    """

    def __init__(self, text: str) -> None:
        """Raise `ValueError` when it has another directive."""
        self.text = text
        self._parts: list[tuple[str, str]] = []  # literal before a directive, directive
        end = 0
        for match in _DIRECTIVE.finditer(text):
            directive = match[1]
            if directive != "%" and directive not in _NEEDS:
                raise ValueError(f"the pattern {text!r} has %{directive}, which is not known")
            self._parts.append((text[end : match.start()], directive))
            end = match.end()
        self._rest = text[end:]

    def __call__(self, value: str) -> str:
        """Return the value in this form; `Unfit` when it lacks a part, such as `infinity`."""
        match = _WIRE.fullmatch(value)
        if match is None:
            raise Unfit(f"a date or time that the pattern {self.text!r} cannot express")
        return (
            "".join(
                literal + ("%" if directive == "%" else self._part(directive, match))
                for literal, directive in self._parts
            )
            + self._rest
        )

    def _part(self, directive: str, match: re.Match[str]) -> str:
        value: str | None = match[_NEEDS[directive]]
        if value is None or (directive == "b" and value not in _MONTHS):
            raise Unfit(f"a date or time that the pattern {self.text!r} cannot express")
        fraction = (match["f"] or "").ljust(6, "0")
        match directive:
            case "y":
                return value[-2:]
            case "b":
                return _MONTHS[value]
            case "I":
                return f"{(int(value) - 1) % 12 + 1:02d}"
            case "p":
                return "AM" if int(value) < 12 else "PM"
            case "f":
                return fraction
            case "3f":
                return fraction[:3]
            case _:
                return value
