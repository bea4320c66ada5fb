"""Comparing every column type of every engine with what became of it in every engine."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from replicator import service
from replicator.change import encode
from replicator.compose import open_source
from replicator.pipeline.contract import DeliveryName
from replicator.verify.finding import Finding, Kind
from replicator.verify.forms import forms_of
from replicator.verify.opening import Comparison, open_comparison
from replicator.verify.pair import TablePair
from replicator.verify.run import Wish, verify
from tests.conftest import MakeDatabase
from tests.servers import ENGINE_PAIRS, Database, DatabaseKind
from tests.types.columns import SampleColumn, SampleTable
from tests.types.compare import same_value
from tests.types.pair import Pair, write
from tests.types.reading import Row, Stored, read_table
from tests.types.samples import TABLES
from tests.types.test_pairs import extreme_rows

SHORT = {("sqlite", "mysql")}
"""The short form has one pair: it takes half a minute."""
NAME = DeliveryName("all", "there")


@pytest.mark.parametrize(
    ("source", "target"),
    [
        pytest.param(
            *pair,
            id="-to-".join(pair),
            marks=() if pair in SHORT else pytest.mark.torture,
        )
        for pair in ENGINE_PAIRS
    ],
)
def test_every_type(
    source: DatabaseKind, target: DatabaseKind, make_database: MakeDatabase, tmp_path: Path
) -> None:
    """What is delivered is equal; each value that is replaced by another one is found."""
    tables = TABLES[source]
    pair = Pair(make_database(source), make_database(target), tables, tmp_path)
    try:
        for table in tables:
            pair.insert(table, extreme_rows(table))
        parked = set(pair.deliver().parked)
        missing = {(finding.table, finding.key["id"]) for finding in found(pair)}
        assert {(name.rpartition(".")[2], number) for name, number in missing} == parked

        for table in tables:
            move_values(pair.target, table)
        different = {
            (finding.table.rpartition(".")[2], finding.key["id"])
            for finding in found(pair)
            if finding.kind is Kind.DIFFERENT
        }
        for table in tables:
            expected = unequal_rows(pair, table)
            actual = {number for name, number in different if name == table.name}
            assert actual >= expected, table.name
            assert not actual - expected - equal_by_value(pair, table), table.name
            assert_told_apart(pair, table)
    finally:
        pair.close()


def found(pair: Pair) -> list[Finding]:
    """What `verify` finds."""
    settings = pair.replication.settings
    opened = open_source("here", settings.sources["here"])
    tables = list(opened.capture.tables())
    try:
        with service.delivering(settings, opened, [NAME]):
            reports = verify(
                settings,
                opened,
                NAME,
                Wish(tables, repair=False, rate=None),
                threading.Event(),
                lambda *_: None,
            )
    finally:
        opened.close()
    findings = [finding for report in reports for finding in report.findings]
    assert not [finding for finding in findings if finding.kind is Kind.UNDECIDED]
    return findings


def move_values(target: Database, table: SampleTable) -> None:
    """Give each row of the target the value of the next one that holds one in the same column."""
    rows = extreme_rows(table)
    there = read_table(target, table.name, ["id"])
    mark = "`" if target.kind in ("mysql", "mariadb") else '"'  # `portion` is a reserved word
    statements = []
    for number, row in rows.items():
        for column in row:
            name = f"{mark}{column}{mark}"
            following = next((n for n in range(number + 1, len(rows)) if n in there), None)
            if number in there and following is not None and column in rows[following]:
                statements.append(
                    f"UPDATE {table.name} SET {name} = (SELECT {name} FROM (SELECT id, {name}"
                    f" FROM {table.name}) x WHERE id = {following}) WHERE id = {number}"
                )
    write(target, statements)


def both(pair: Pair, table: SampleTable) -> list[tuple[int, Row, Row]]:
    """The rows that both sides have."""
    names = [column.name for column in table.columns]
    there = read_table(pair.target, table.name, names)
    here = read_table(pair.source, table.name, names)
    return [(number, row, there[number]) for number, row in here.items() if number in there]


def is_same(pair: Pair, column: SampleColumn, here: Stored, there: Stored) -> bool:
    """Whether values are the same, for a reader that knows nothing of the product."""
    signed = not {"sqlite", "mariadb"} & {pair.source.kind, pair.target.kind}
    try:
        return same_value(column.meaning, here, there, signed_zero=signed)
    except ValueError:  # a text in place of a number
        return False


def unequal_rows(pair: Pair, table: SampleTable) -> set[int]:
    """The rows that differ, zeros of both signs taken for equal."""
    return {
        number
        for number, here, there in both(pair, table)
        for column, one, other in zip(table.columns, here, there, strict=True)
        if not is_same(pair, column, one, other) and not (one == 0 and other == 0)
    }


def equal_by_value(pair: Pair, table: SampleTable) -> set[int]:
    """The rows whose stored forms differ, though their values are equal."""
    return {
        number
        for number, here, there in both(pair, table)
        if any(one != other for one, other in zip(here, there, strict=True))
    }


def assert_told_apart(pair: Pair, table: SampleTable) -> None:
    """Where a column has forms, equal digests mean equal values."""
    settings = pair.replication.settings
    opened = open_source("here", settings.sources["here"])
    try:
        canonical = opened.capture.dialect.canonical(table.name)
        stop = threading.Event()
        with open_comparison(settings, opened, NAME, [canonical], stop) as comparison:
            [tables] = comparison.pairs
            for column in table.columns:
                place = table.columns.index(column)
                for number, here, there in both(pair, table):
                    if has_equal_digest(comparison, tables, column.name, number):
                        one, other = here[place], there[place]
                        assert (one == 0 and other == 0) or is_same(pair, column, one, other), (
                            f"{table.name} {number}: {column.type} {one!r:.200} {other!r:.200}"
                        )
    finally:
        opened.close()


def has_equal_digest(comparison: Comparison, pair: TablePair, name: str, number: int) -> bool:
    """Whether a column has forms, and the digests of one row are equal."""
    target = pair.plan.columns[name]
    forms = forms_of(pair.seen.column(name), target, comparison.engine)
    if forms is None:
        return False
    after, last = encode({"id": number - 1}), encode({"id": number})
    here = pair.reader.digest(pair.table, after, last, {name: forms[0]})
    there = pair.examiner.digest(pair.plan.whole, ([number - 1], [number]), {target: forms[1]})
    assert here is None or here.rows == 1
    return here is not None and here == there
