"""Names of PostgreSQL tables as the configuration writes them."""

from __future__ import annotations

import pytest

from triggers.dialects.postgresql import PostgresqlDialect
from triggers.dialects.postgresql_catalog import relation, split_name
from triggers.errors import TableRefused


@pytest.mark.parametrize(
    ("name", "parts", "canonical"),
    [
        ("orders", ("public", "orders"), "public.orders"),
        ("shop.Orders", ("shop", "Orders"), "shop.Orders"),
        ('shop."a.b"', ("shop", "a.b"), 'shop."a.b"'),
        ('"my schema".t', ("my schema", "t"), "my schema.t"),
        ('"say ""hi"""', ("public", 'say "hi"'), 'public."say ""hi"""'),
        ('"public"."orders"', ("public", "orders"), "public.orders"),
    ],
)
def test_split(name: str, parts: tuple[str, str], canonical: str) -> None:
    assert split_name(name) == parts
    assert PostgresqlDialect().canonical(name) == canonical
    assert split_name(canonical) == parts


@pytest.mark.parametrize("name", ["", "a.b.c", '"open', "a."])
def test_not_a_name(name: str) -> None:
    with pytest.raises(TableRefused, match="not a table name"):
        split_name(name)


def test_relation_quotes_both_parts() -> None:
    assert relation('public."x; DROP ""y"') == '"public"."x; DROP ""y"'
