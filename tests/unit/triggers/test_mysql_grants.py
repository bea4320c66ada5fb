"""Reading SHOW GRANTS."""

from __future__ import annotations

import pytest

from triggers.dialects.mysql_grants import GRANT, Grants


def grants(*lines: str) -> Grants:
    """Read lines of SHOW GRANTS."""
    rights = []
    for line in lines:
        found = GRANT.match(line)
        if found is not None:
            words = frozenset(word.strip() for word in found["rights"].split(","))
            rights.append((found["scope"], words))
    return Grants("'u'@'h'", tuple(rights))


def test_scopes() -> None:
    read = grants(
        "GRANT USAGE ON *.* TO `u`@`h`",
        "GRANT SELECT, TRIGGER ON `shop`.* TO `u`@`h`",
        "GRANT INSERT ON `shop`.`order` TO `u`@`h` WITH GRANT OPTION",
        "GRANT `role`@`%` TO `u`@`h`",
    )
    assert read.on_database("TRIGGER", "shop")
    assert not read.everywhere("TRIGGER")
    assert not read.on_database("TRIGGER", "shop2")
    assert read.on_table("INSERT", "shop", "order")
    assert read.on_table("SELECT", "shop", "order")
    assert not read.on_table("INSERT", "shop", "other")
    assert not read.on_database("DELETE", "shop")


def test_all_privileges() -> None:
    read = grants("GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION")
    assert read.everywhere("PROCESS")
    assert read.on_database("TRIGGER", "any")
    assert read.everywhere("BINLOG ADMIN") is False  # SUPER, which ALL holds, is enough


@pytest.mark.parametrize(
    ("pattern", "database", "matches"),
    [
        ("shop", "shop", True),
        ("shop_1", "shopX1", True),
        ("shop\\_1", "shopX1", False),
        ("shop\\_1", "shop_1", True),
        ("shop%", "shop_anything", True),
        ("sh``op", "sh`op", True),
        ("a.b", "aXb", False),
    ],
)
def test_database_patterns(pattern: str, database: str, matches: bool) -> None:
    assert grants(f"GRANT SELECT ON `{pattern}`.* TO `u`@`h`").on_database("SELECT", database) is (
        matches
    )
