"""Whether a text fits into a text column."""

from __future__ import annotations

import codecs
from typing import Any

from replicator.targets.sql.conversion import Converter, Unfit
from replicator.targets.sql.values.holding import Texts


def text_check(
    holding: Texts,
    longest: int | None = None,
    *,
    nul: bool = False,
    trimmed: bool = True,
) -> Converter | None:
    """Refuse text that a column cannot hold; None: text of this kind always fits.

    `longest`: characters that values have at most. `nul`: they may hold NUL. `trimmed`: they never
    end in a blank, or that does not matter. What is not known to be ASCII has every character.
    """
    characters, size, codec = holding.characters, holding.size, holding.codec
    if longest is not None:
        if characters is not None and longest <= characters:
            characters = None
        if size is not None and longest * holding.widest <= size:
            size = None
    forbids_nul = nul and not holding.nul
    blanks = holding.trims and not trimmed
    if characters is None and size is None and codec is None and not forbids_nul and not blanks:
        return None
    encode = codecs.lookup(codec).encode if codec else None

    def check(value: Any) -> Any:
        if forbids_nul and "\0" in value:
            raise Unfit("the column's text cannot hold NUL", value.replace("\0", ""))
        if characters is not None and len(value) > characters:
            raise Unfit(f"the text is longer than {characters} characters", value[:characters])
        if encode is not None:
            try:
                encode(value)
            except UnicodeEncodeError:
                raise Unfit("a character is not in the column's character set") from None
        if size is not None and len(value) * holding.widest > size:
            encoded = value.encode(codec or "utf-8")
            if len(encoded) > size:
                nearest = encoded[:size].decode(codec or "utf-8", "ignore")
                raise Unfit(f"the text is longer than {size} bytes", nearest)
        if blanks and value.endswith(" "):
            raise Unfit("the column drops blanks at the end of text", value.rstrip(" "))
        return value

    return check
