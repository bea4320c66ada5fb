"""Going through a table in the order of its key."""

from __future__ import annotations

from collections.abc import Sequence


def beyond(operator: str, names: Sequence[str], values: Sequence[str]) -> str:
    """A condition: the key compares so (`>` or `<=`) with these values, all of it as SQL.

    Column by column, in a form whose first part is a range of an index: not every server finds one
    in a comparison of rows.
    """
    alternatives = []
    for place, (name, value) in enumerate(zip(names, values, strict=True)):
        compared = operator if place == len(names) - 1 else operator[0]
        before = zip(names[:place], values[:place], strict=True)
        terms = [*(f"{n} = {v}" for n, v in before), f"{name} {compared} {value}"]
        alternatives.append(f"({' AND '.join(terms)})")
    if len(alternatives) == 1:
        return alternatives[0]
    return f"({names[0]} {operator[0]}= {values[0]} AND ({' OR '.join(alternatives)}))"
