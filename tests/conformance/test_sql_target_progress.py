"""A SQL target applies every round exactly once, and marks what it writes."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from replicator.change import Block, Change
from replicator.errors import ReplicatorError, TargetUnavailable
from replicator.pipeline.contract import Outcome, Progress, ProgressConflict, Round
from tests.blocks import block
from tests.conformance.sql_target import FILLER, FILLER_DDL, ITEM, ITEM_DDL, Numbers, TargetDatabase
from tests.conftest import MakeDatabase
from tests.servers import DATABASE_KINDS, Database, TCPProxy

# Every application of a row is counted, and with it the mark of the session that wrote it.
AUDIT = {
    "postgresql": [
        "CREATE FUNCTION count_application() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "INSERT INTO audit VALUES (NEW.id, current_setting('outbox.origin', true)); "
        "RETURN NULL; END $$",
        "CREATE TRIGGER audit AFTER INSERT OR UPDATE ON item FOR EACH ROW "
        "EXECUTE FUNCTION count_application()",
    ],
    "sqlite": [
        "CREATE TABLE outbox_origin (origin text)",
        "CREATE TRIGGER audit AFTER INSERT ON item BEGIN "
        "INSERT INTO audit VALUES (NEW.id, (SELECT origin FROM outbox_origin)); END",
    ],
}
AUDIT["mysql"] = AUDIT["mariadb"] = [
    "CREATE TRIGGER audit AFTER INSERT ON item FOR EACH ROW "
    "INSERT INTO audit VALUES (NEW.id, @outbox_origin)",
]


@pytest.fixture(params=DATABASE_KINDS)
def database(request: pytest.FixtureRequest, make_database: MakeDatabase) -> TargetDatabase:
    made = TargetDatabase(make_database(request.param), bulk=False)
    made.execute(FILLER_DDL, ITEM_DDL, "CREATE TABLE audit (id bigint, origin varchar(40))")
    made.execute(*AUDIT[request.param])
    return made


def items(count: int) -> list[Change]:
    n = Numbers()
    return [n.change(ITEM, "I", id=k, code=f"c{k}") for k in range(count)]


def kill_sessions(database: Database) -> None:
    """End every other session, as a server does that shuts down."""
    with database.engine.connect() as connection:
        if database.kind == "postgresql":
            statement = (
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            connection.execute(text(statement)).all()
            return
        own = connection.execute(text("SELECT connection_id()")).scalar_one()
        query = "SELECT id FROM information_schema.processlist WHERE db = database() AND id <> :own"
        for (session,) in connection.execute(text(query), {"own": own}).all():
            connection.execute(text(f"KILL {session}"))


def test_progress_moves_with_the_data(database: TargetDatabase) -> None:
    assert database.deliver([ITEM], items(3)).written == 3
    assert database.deliver([ITEM], []) == Outcome(changes=0, written=0)
    target = database.target()
    assert target.open({ITEM.name: ITEM}) == Progress("epoch", 2, "mark 2")
    target.close()
    query = "SELECT delivery, epoch, batch_no, mark FROM replicator_progress"
    assert database.rows(query) == [("orders/crm", "epoch", 2, "mark 2")]


def test_what_is_written_bears_the_mark(database: TargetDatabase) -> None:
    database.deliver([ITEM], items(2))
    database.deliver([ITEM], items(60))
    assert {origin for _, origin in database.rows("SELECT * FROM audit")} == {"me"}
    if database.database.kind == "sqlite":
        assert database.rows("SELECT * FROM outbox_origin") == []


@pytest.mark.parametrize(
    "other",
    [None, Progress("epoch", 7, "mark 1"), Progress("epoch", 1, "x"), Progress("x", 1, "mark 1")],
)
def test_another_progress_is_a_conflict(database: TargetDatabase, other: Progress | None) -> None:
    database.deliver([ITEM], items(1))
    target = database.target()
    target.open({ITEM.name: ITEM})
    work = Round(other, Progress("epoch", 2, "mark 2"), 2, 3)
    with pytest.raises(ProgressConflict):
        target.deliver(work, [block(items(3))], database.park)
    target.close()
    assert database.rows("SELECT count(*) FROM audit") == [(1,)]


@pytest.mark.parametrize("first", [True, False])
def test_of_two_replicators_one_applies_a_round(database: TargetDatabase, first: bool) -> None:
    if not first:
        database.deliver([ITEM], [])
    work = database.work()
    targets = [database.target(), database.target()]
    for target in targets:
        target.open({ITEM.name: ITEM})
    at_once = threading.Barrier(2)

    def run(number: int) -> bool:
        at_once.wait()
        try:
            targets[number].deliver(work, [block(items(200))], database.park)
        except ProgressConflict:
            return False
        finally:
            targets[number].close()
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(run, range(2))) == [False, True]
    assert database.rows("SELECT count(*), count(DISTINCT id) FROM audit") == [(200, 200)]
    assert database.rows("SELECT batch_no FROM replicator_progress") == [(work.reached.batch_no,)]


@pytest.mark.parametrize("count", [5, 300])
def test_a_crash_before_the_commit_leaves_nothing(database: TargetDatabase, count: int) -> None:
    database.deliver([ITEM], items(1))
    target = database.target()
    target.open({ITEM.name: ITEM, FILLER.name: FILLER})

    def blocks() -> Iterator[Block]:
        yield block(items(count))
        n = Numbers()
        yield block([n.change(ITEM, "T"), n.change(ITEM, "I", id=1, code="after")])
        if database.database.kind == "sqlite":
            raise TargetUnavailable("as if")
        kill_sessions(database.database)
        yield block([n.change(FILLER, "I", id=1)])

    with pytest.raises(TargetUnavailable):
        target.deliver(database.work(), blocks(), database.park)
    target.close()
    assert database.rows("SELECT count(*) FROM audit") == [(1,)]
    assert database.rows("SELECT count(*) FROM item") == [(1,)]
    database.deliver([ITEM], items(count))
    assert database.rows("SELECT count(*) FROM item") == [(count,)]


@pytest.mark.parametrize("kind", ["postgresql", "mariadb", "mysql"])
def test_a_commit_whose_answer_is_lost_is_found_again(
    make_database: MakeDatabase, kind: str
) -> None:
    made = TargetDatabase(make_database(kind), bulk=False)  # type: ignore[arg-type]
    made.execute(ITEM_DDL)
    server = made.database.server
    assert server is not None
    with TCPProxy(server.port) as proxy:
        through = server.plain_url(made.database.name, port=proxy.port)
        behind = TargetDatabase(
            Database(made.database.kind, through, made.database.engine, server, made.database.name),
            bulk=False,
        )
        target = behind.target()
        target.open({ITEM.name: ITEM})
        work = behind.work()

        def blocks() -> Iterator[Block]:
            yield block(items(5))
            threading.Timer(0.5, proxy.cut).start()
            proxy.stall()

        with pytest.raises(TargetUnavailable):
            target.deliver(work, blocks(), behind.park)
        target.close()
        proxy.resume()
        target = behind.target()
        found = target.open({ITEM.name: ITEM})
        target.close()
    count = 0 if found is None else 5
    assert made.rows("SELECT count(*) FROM item") == [(count,)]


def test_parking_comes_before_the_commit(database: TargetDatabase) -> None:
    n = Numbers()
    changes = [n.change(ITEM, "I", id=1, code=None), n.change(ITEM, "I", id=2, code="b")]
    target = database.target()
    target.open({ITEM.name: ITEM})

    def park(parked: Sequence[object]) -> None:
        assert len(parked) == 1
        raise ReplicatorError("the dead letter cannot be kept")

    with pytest.raises(ReplicatorError, match="dead letter"):
        target.deliver(database.work(), [block(changes)], park)
    target.close()
    assert database.rows("SELECT count(*) FROM item") == [(0,)]
    assert database.rows("SELECT count(*) FROM replicator_progress") == [(0,)]
