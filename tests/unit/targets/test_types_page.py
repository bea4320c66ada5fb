"""docs/types.md says what the code does."""

from __future__ import annotations

from tests.types_page import PAGE, page


def test_page_is_what_the_code_does() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m tests.types_page`"
