"""Two databases that replicate to each other: both converge, and no change comes back."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from tests.conftest import MakeDatabase
from tests.replication import Replication, content, execute, sql
from tests.servers import DatabaseKind
from tests.wait import wait_until

CHANGES = [60, pytest.param(3000, marks=pytest.mark.torture)]


@pytest.mark.parametrize("changes", CHANGES)
@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_two_databases_replicate_to_each_other(
    kind: DatabaseKind, changes: int, make_database: MakeDatabase, tmp_path: Path
) -> None:
    """Each is written to in its own half of the keys, so that what both shall hold is known."""
    left, right = make_database(kind), make_database(kind)
    for database in (left, right):
        execute(database.engine, "CREATE TABLE item (id INTEGER PRIMARY KEY, version INTEGER)")
    replication = Replication(
        tmp_path,
        sources={"left": left.url, "right": right.url},
        targets={"to_left": sql(left.url), "to_right": sql(right.url)},
        routes=[
            {"name": "there", "source": "left", "tables": ["item"], "targets": ["to_right"]},
            {"name": "back", "source": "right", "tables": ["item"], "targets": ["to_left"]},
        ],
    )
    replication.prepare()
    chance = random.Random(1)
    written = {"left": 0, "right": 0}
    with replication.running():
        for number in range(changes):
            side, engine, half = chance.choice(
                [("left", left.engine, 0), ("right", right.engine, 1000)]
            )
            written[side] += write(engine, half + chance.randint(1, 20), number)
        wait_until(lambda: finished(replication), 60, "both deliveries finished")
        wait_until(lambda: content(left.engine, "item") == content(right.engine, "item"), 30)
        # Were changes going round, the outboxes would still be growing.
        assert captured(replication, "left") == written["left"]
        assert captured(replication, "right") == written["right"]
    assert len(content(left.engine, "item")) > 10
    assert min(written.values()) > changes / 4


def write(engine: Engine, key: int, number: int) -> int:
    """Change a row; return how many changes that makes."""
    with engine.begin() as connection:
        if number % 5 == 4:
            query = sa.text("DELETE FROM item WHERE id = :id")
            return connection.execute(query, {"id": key}).rowcount
        update = sa.text("UPDATE item SET version = :version WHERE id = :id")
        values = {"id": key, "version": number}
        if connection.execute(update, values).rowcount:
            return 1
        connection.execute(sa.text("INSERT INTO item VALUES (:id, :version)"), values)
        return 1


def captured(replication: Replication, source: str) -> int:
    """How many changes a source has ever captured."""
    capture = replication.capture(source)
    newest = sa.select(sa.func.max(capture.outbox.change.c.id))
    with capture.engine.connect() as connection:
        found = connection.execute(newest).scalar() or 0
    capture.engine.dispose()
    return found


def finished(replication: Replication) -> bool:
    """Whether both deliveries have finished what their sources have sealed, and all is sealed."""
    for source, delivery in (("left", "there/to_right"), ("right", "back/to_left")):
        capture = replication.capture(source)
        with capture.engine.connect() as connection:
            state = connection.execute(sa.select(capture.outbox.state)).one()
        capture.engine.dispose()
        record = replication.find_record(source, delivery)
        if record is None or record.progress != state.last_batch:
            return False
        if state.highest_id != captured(replication, source):
            return False
    return True
