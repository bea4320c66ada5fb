"""Text, and members of ENUM and SET."""

from __future__ import annotations

from typing import Any

from replicator.targets.sql.conversion import Conversion, Converter, Unfit
from replicator.targets.sql.values.characters import text_check
from replicator.targets.sql.values.documents import document_check
from replicator.targets.sql.values.holding import Documents, Holding, Members, Texts
from replicator.targets.sql.values.outcome import after, converted, exact, refused
from triggers.model import Column, Kind


def from_text(column: Column, holding: Holding) -> Conversion:
    """TEXT."""
    padded = _is_padded(column)
    match holding:
        case Texts(trims=True):
            limits = _limits(holding, column)
            if padded and column.engine == "postgresql":
                return converted("without the padding", after(_trim, text_check(holding)), limits)
            check = text_check(
                holding,
                column.length,
                trimmed=padded and column.engine == "mysql",
                nul=may_hold_nul(column),
            )
            if padded:
                return exact(check, limits)
            limits = ", ".join(filter(None, (limits, "text that ends in a blank")))
            return converted("the engine pads it with blanks", check, limits)
        case Texts():
            nul = may_hold_nul(column)
            return exact(
                text_check(holding, column.length, nul=nul, trimmed=True), _limits(holding, column)
            )
        case Documents(keeps="text"):
            return exact(document_check("text"), "text that is not JSON")
        case Documents():
            note = "as a JSON document: its content, not its spacing"
            return converted(note, document_check(holding.keeps), "text that is not JSON")
        case Members():
            return exact(member_check(holding), "text that is no member")
        case _:
            return refused()


def from_enum(column: Column, holding: Holding) -> Conversion:
    """ENUM: one member; and SET: members with commas."""
    longest = 63 if column.engine == "postgresql" else None
    match holding:
        case Members():
            own = members_of(column.native)
            several = column.native.lower().startswith("set(")
            if own is not None and own.labels <= holding.labels and several == holding.several:
                return exact(None if "" in own.labels or several else member_check(holding))
            return exact(member_check(holding), "members that the target lacks")
        case Texts():
            check = text_check(holding, longest, nul=may_hold_nul(column), trimmed=False)
            return exact(check, _limits(holding, column, longest))
        case _:
            return refused()


def from_own_text(column: Column, holding: Holding) -> Conversion:
    """OTHER and other values of which the engine's text is the form."""
    match holding:
        case Texts():
            check = text_check(holding, nul=may_hold_nul(column), trimmed=False)
            return converted("as text", check, _limits(holding, column))
        case _:
            return refused()


def members_of(type_: str) -> Members | None:
    """The members of MySQL's `enum('a','b''c')` or `set(..)`; None: another type."""
    name, _, listed = type_.partition("(")
    if name.lower() not in ("enum", "set") or not listed.endswith(")"):
        return None
    labels = [label.replace("''", "'") for label in listed[1:-2].split("','")]
    return Members(frozenset(labels), several=name.lower() == "set")


def member_check(holding: Members) -> Converter:
    """Refuse what is no member, in exactly this spelling."""
    labels = holding.labels

    def check(value: Any) -> Any:
        if value in labels or (
            holding.several and (not value or labels.issuperset(value.split(",")))
        ):
            return value
        raise Unfit("not a member of the column's type")

    return check


def may_hold_nul(column: Column) -> bool:
    """Whether the source's text may hold the character NUL, which PostgreSQL has not."""
    return column.engine in ("mysql", "sqlite")


def _trim(value: str) -> str:
    return value.rstrip(" ")


def _is_padded(column: Column) -> bool:
    """Whether blanks at the end of the source's values mean nothing."""
    native = column.native.lower()
    if column.engine == "postgresql":
        return native == "character" or native.startswith("character(")
    return column.engine == "mysql" and native.startswith("char(")


def _limits(holding: Texts, column: Column, longest: int | None = None) -> str:
    if column.kind is Kind.TEXT and column.engine != "sqlite":
        longest = column.length
    limits = []
    if holding.characters is not None and (longest is None or longest > holding.characters):
        limits.append(f"more than {holding.characters} characters")
    if holding.size is not None and (longest is None or longest * holding.widest > holding.size):
        limits.append(f"more than {holding.size} bytes")
    if holding.codec is not None:
        limits.append(f"characters that {holding.codec} lacks")
    if not holding.nul and may_hold_nul(column):
        limits.append("NUL")
    return ", ".join(limits)
