"""Short ways to say what becomes of a pair of types."""

from __future__ import annotations

from replicator.targets.sql.conversion import Conversion, Converter, Fit, Unfit

EXACT = Conversion(Fit.EXACT)


def exact(convert: Converter | None = None, limits: str = "") -> Conversion:
    """Every value that is written is the same value; `limits` are refused."""
    return Conversion(Fit.EXACT, limits=limits, convert=convert)


def converted(note: str, convert: Converter | None = None, limits: str = "") -> Conversion:
    """Values are written in another form, from which they can be had back."""
    return Conversion(Fit.CONVERTED, note, limits, convert)


def refused(note: str = "no form of the values would be kept") -> Conversion:
    """Nothing is written."""

    def refuse(_value: object) -> object:
        raise Unfit(note)

    return Conversion(Fit.REFUSED, note, convert=refuse)


def after(first: Converter | None, then: Converter | None) -> Converter | None:
    """Two steps as one."""
    if first is None or then is None:
        return first or then
    return lambda value: then(first(value))
