"""Generated names."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from triggers.naming import generated_name, is_generated


@given(st.text(min_size=1), st.sampled_from(["insert", "capture", "update_0a1b2c"]))
def test_names_are_plain_and_short(table: str, purpose: str) -> None:
    name = generated_name(table, purpose)
    assert name.isascii()
    assert name.replace("_", "a").isalnum()
    assert len(name) <= 60
    assert is_generated(name)


@given(st.text(min_size=1), st.text(min_size=1))
def test_two_tables_never_share_a_name(one: str, other: str) -> None:
    if one != other:
        assert generated_name(one, "insert") != generated_name(other, "insert")


def test_names_can_be_read() -> None:
    assert generated_name("public.Order Lines", "insert").startswith(
        "outbox_insert_public_order_lines_"
    )
    assert not is_generated("outbox_change")
    assert not is_generated("outbox_insert_by_hand")
