"""Captured tables on each engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import MakeDatabase
from tests.servers import DATABASE_KINDS
from tests.unit.pipeline.captured import Item, captured

CONCURRENT = [kind for kind in DATABASE_KINDS if kind != "sqlite"]


@pytest.fixture(params=DATABASE_KINDS)
def item(request: pytest.FixtureRequest, make_database: MakeDatabase) -> Iterator[Item]:
    """A captured table, on every engine."""
    with captured(make_database(request.param)) as found:
        yield found


@pytest.fixture(params=CONCURRENT)
def busy_item(request: pytest.FixtureRequest, make_database: MakeDatabase) -> Iterator[Item]:
    """A captured table, on every engine that lets several transactions write at once."""
    with captured(make_database(request.param)) as found:
        yield found


@pytest.fixture(params=["mariadb", "mysql"])
def innodb_item(request: pytest.FixtureRequest, make_database: MakeDatabase) -> Iterator[Item]:
    """A captured table on InnoDB."""
    with captured(make_database(request.param)) as found:
        yield found


@pytest.fixture
def postgresql_item(make_database: MakeDatabase) -> Iterator[Item]:
    """A captured table on PostgreSQL."""
    with captured(make_database("postgresql")) as found:
        yield found
