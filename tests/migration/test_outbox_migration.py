"""The migrations build what the program queries, and can be taken up again after a crash."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from tests.capture_source import CaptureSource, capture_source, run
from tests.conftest import MakeDatabase
from tests.servers import DATABASE_KINDS
from triggers import migrations
from triggers.outbox import SCHEMA_VERSION, UtcTime

INTEGERS = {"INTEGER": 4, "SMALLINT": 2, "BIGINT": 8}


@pytest.fixture(params=DATABASE_KINDS)
def source(request: pytest.FixtureRequest, make_database: MakeDatabase) -> Iterator[CaptureSource]:
    with capture_source(make_database(request.param)) as source:
        yield source


def upgrade(source: CaptureSource) -> None:
    """Run the migrations."""
    with source.engine.begin() as connection:
        migrations.upgrade(connection, source.capture.outbox.schema)


def is_compatible(defined: sa.types.TypeEngine[object], real: sa.types.TypeEngine[object]) -> bool:
    """Tell whether a column of the real type holds every value of the defined one."""
    match defined:
        case UtcTime():
            return isinstance(real, sa.DateTime)
        case sa.Integer():
            wanted = 8 if isinstance(defined, sa.BigInteger) else 4
            return isinstance(real, sa.Integer) and INTEGERS[type(real).__name__] >= wanted
        case sa.Text():
            return isinstance(real, sa.JSON) or (isinstance(real, sa.String) and not real.length)
        case sa.String():
            return isinstance(real, sa.String) and (
                real.length is None or real.length >= (defined.length or 0)
            )
        case _:
            raise AssertionError(defined)


def test_every_defined_column_exists(source: CaptureSource) -> None:
    upgrade(source)
    outbox = source.capture.outbox
    inspector = sa.inspect(source.engine)
    for table in outbox.change.metadata.sorted_tables:
        real = {c["name"]: c for c in inspector.get_columns(table.name, schema=outbox.schema)}
        assert list(real) == [column.name for column in table.columns], table.name
        for column in table.columns:
            found = real[column.name]["type"]
            if source.kind == "sqlite" and isinstance(column.type, sa.Integer):
                assert isinstance(found, sa.Integer)  # every integer has 8 bytes there
            else:
                assert is_compatible(column.type, found), f"{column}: {found}"
        key = inspector.get_pk_constraint(table.name, schema=outbox.schema)
        assert key["constrained_columns"] == [c.name for c in table.primary_key]


def test_times_keep_microseconds(source: CaptureSource) -> None:
    upgrade(source)
    change = source.capture.outbox.change
    schema = source.capture.outbox.schema
    name = f"{schema}.outbox_change" if schema else "outbox_change"
    for _ in range(3):
        source.execute(f"INSERT INTO {name} (table_name, op) VALUES ('t', 'T')")
    with source.engine.connect() as connection:
        times = connection.execute(sa.select(change.c.captured_at)).scalars().all()
        now = connection.execute(sa.select(sa.func.current_timestamp())).scalar_one()
    assert all(str(time.tzinfo) == "UTC" for time in times)
    if source.kind != "sqlite":  # milliseconds there
        assert any(time.microsecond % 1000 for time in times)
    assert all(abs(time.year - int(str(now)[:4])) <= 1 for time in times)


def test_state_is_one_row_with_an_epoch_of_its_own(
    source: CaptureSource, make_database: MakeDatabase
) -> None:
    epochs = set()
    with capture_source(make_database(source.kind)) as second:
        for each in (source, second):
            upgrade(each)
            upgrade(each)
            with each.engine.connect() as connection:
                [row] = connection.execute(each.capture.outbox.state.select()).all()
            assert (row.id, row.highest_id, row.last_batch, row.purged_to) == (1, 0, 0, 0)
            epochs.add(row.epoch)
    assert len(epochs) == 2
    assert min(len(epoch) for epoch in epochs) >= 32


def definition(connection: Connection, schema: str | None) -> object:
    """Return everything that the catalogs say of the outbox tables."""
    inspector = sa.inspect(connection)
    return {
        table: (
            [
                (c["name"], str(c["type"]), c["nullable"], c["default"])
                for c in inspector.get_columns(table, schema)
            ],
            inspector.get_pk_constraint(table, schema),
            sorted(str(index) for index in inspector.get_indexes(table, schema)),
            sorted(str(unique) for unique in inspector.get_unique_constraints(table, schema)),
        )
        for table in sorted(inspector.get_table_names(schema))
    }


def test_statements_build_the_same(source: CaptureSource, make_database: MakeDatabase) -> None:
    schema = source.capture.outbox.schema
    with capture_source(make_database(source.kind)) as second:
        upgrade(source)
        with second.engine.connect() as connection:
            statements = migrations.upgrade_statements(connection, schema)
            assert migrations.installed_version(connection, schema) is None
        second.execute(*statements)
        with source.engine.connect() as one, second.engine.connect() as two:
            assert definition(one, schema) == definition(two, schema)
            assert migrations.installed_version(two, schema) == SCHEMA_VERSION
            assert migrations.upgrade_statements(two, schema) == []


def test_interrupted_migration_is_taken_up_again(source: CaptureSource) -> None:
    """Execute the first n statements alone, as after a crash where DDL commits by itself.

    Every second n: what a statement leaves undone shows after the next one, too.
    """
    schema = source.capture.outbox.schema
    with source.engine.connect() as connection:
        statements = migrations.upgrade_statements(connection, schema)
    if source.kind in ("postgresql", "sqlite"):
        with source.engine.connect() as connection:
            transaction = connection.begin()
            run(connection, *statements[:4])
            transaction.rollback()  # all or nothing here
        upgrade(source)
        assert_works(source)
        return
    for count in range(1, len(statements), 2):
        source.execute(*statements[:count])
        upgrade(source)
        assert_works(source)
        source.capture.uninstall(purge=True)
        source.execute("DROP TABLE item")


def assert_works(source: CaptureSource) -> None:
    """Capture a change."""
    source.execute("CREATE TABLE item (id integer NOT NULL PRIMARY KEY)")
    source.install("item")
    source.execute("INSERT INTO item VALUES (1)")
    with source.engine.connect() as connection:
        change = source.capture.outbox.change
        assert connection.execute(sa.select(sa.func.count()).select_from(change)).scalar_one() == 1
        assert len(connection.execute(source.capture.outbox.state.select()).all()) == 1
