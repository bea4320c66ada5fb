"""Rounds are cut into chunks, and chunks reduced to their net effect."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import pytest
from msgspec import Raw

from replicator.change import Change, Operation, Row
from replicator.targets.sql import chunk
from replicator.targets.sql.chunk import Chunk, cut, net_effect
from replicator.targets.sql.dialect import Reference, TargetColumn, TargetTable
from replicator.targets.sql.images import to_row
from replicator.targets.sql.order import arrange
from replicator.targets.sql.plan import TablePlan
from tests.blocks import block, in_blocks, raw
from triggers.model import Column, Kind, Table


def plan(name: str, *, unique_indexes: int = 1, folds: bool = False) -> TablePlan:
    source = Table(
        name, (Column("id", Kind.INTEGER, "int"), Column("t", Kind.TEXT, "text")), ("id",)
    )
    columns = {"id": TargetColumn("id", "bigint", folds=folds), "t": TargetColumn("t", "text")}
    target = TargetTable(name, name, columns, (("id",),), unique_indexes, has_primary_key=True)
    return TablePlan(source, target, columns, {})


def change(table: str, op: Operation, key: int = 0, text: str = "") -> Change:
    row = {"id": key, "t": text}
    before, after = (row, None) if op == "D" else (None, row)
    return Change(0, table, op, before, None if op == "T" else after, None, "")


def decoded(images: Mapping[Hashable, Raw]) -> dict[Hashable, Row]:
    """Images by key, as what they hold."""
    return {key: to_row(image) for key, image in images.items()}


def shapes(chunks: Sequence[Chunk]) -> list[str]:
    """Each chunk as the operations that it holds, truncations last."""
    return [
        "".join(raw.op for piece in part.changes() for raw, _change in piece)
        + "T" * len(part.truncates)
        for part in chunks
    ]


def test_chunks_end_at_a_number_of_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunk, "CHUNK_CHANGES", 3)
    blocks = in_blocks([change("a", "I", k) for k in range(4)] + [change("a", "U")] * 3, 2)
    assert shapes(list(cut(blocks, {"a": plan("a")}))) == ["IIII", "UUU"]


def test_chunks_end_at_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunk, "CHUNK_BYTES", 10_000)
    blocks = in_blocks([change("a", "I", k, "x" * 6_000) for k in range(4)], 1)
    assert shapes(list(cut(blocks, {"a": plan("a")}))) == ["II", "II"]


def test_truncation_ends_a_chunk_and_voids_what_came_before() -> None:
    changes = [
        change("a", "I", 1),
        change("b", "I", 1),
        change("a", "T"),
        change("b", "T"),
        change("a", "I", 2),
        change("a", "T"),
    ]
    chunks = list(cut([block(changes)], {"a": plan("a"), "b": plan("b")}))
    assert shapes(chunks) == ["TT", "T"]
    assert sum(part.taken for part in chunks) == len(changes)


def test_a_row_that_comes_back_begins_a_chunk_where_others_went_along() -> None:
    plans = {"a": plan("a"), "b": plan("b")}
    arrange(list(plans.values()), [Reference("b", "a", acts=True)])
    changes = [change(t, op, k) for t in "ab" for k in (1, 2) for op in ("D", "I")]
    assert shapes(list(cut([block(changes)], plans))) == ["D", "ID", "IDIDI"]


def test_net_effect() -> None:
    changes = [
        change("a", "I", 1, "new"),
        change("a", "U", 1, "newer"),
        change("a", "U", 2, "x"),
        change("a", "D", 2),
        change("a", "D", 3),
        change("a", "I", 3, "back"),
        change("a", "I", 4),
        change("a", "D", 4),
        change("a", "U", 5, "u"),
    ]
    effect = net_effect(raw(changes), {"a": plan("a")})["a"]
    assert decoded(effect.inserts) == {1: {"id": 1, "t": "newer"}}
    assert decoded(effect.upserts) == {3: {"id": 3, "t": "back"}, 5: {"id": 5, "t": "u"}}
    assert set(effect.deletes) == {2, 4}


def test_images_with_fewer_columns_add_to_earlier_ones() -> None:
    def short(key: int) -> Change:
        return Change(0, "a", "U", None, {"id": key}, None, "")

    changes = [
        change("a", "U", 1, "kept"),
        short(1),
        change("a", "I", 2, "forgotten"),
        change("a", "U", 2, "forgotten too"),
        change("a", "D", 2),
        short(2),
        short(3),
        change("a", "U", 3, "whole"),
    ]
    table = plan("a")
    effect = net_effect(raw(changes), {"a": table})["a"]
    written = [
        (tuple(column.name for column in shape.columns), rows)
        for shape, rows in table.images(effect.upserts, effect.earlier)
    ]
    assert written == [(("id", "t"), [[1, "kept"], [3, "whole"]]), (("id",), [[2]])]


def test_changes_come_one_by_one_without_those_that_a_truncation_made_void() -> None:
    changes = [change("b", "U", 1, "x"), change("a", "I", 1), change("a", "T")]
    (only,) = cut([block(changes)], {"a": plan("a"), "b": plan("b")})
    assert [[c for _raw, c in piece] for piece in only.changes()] == [changes[:1]]
    assert only.truncates == changes[2:]


class TestOrder:
    """Parents come first, and deletions last where they might take others along."""

    def test_parents_first_whatever_the_cycles(self) -> None:
        plans = [plan(name) for name in "abcd"]
        references = [
            Reference("a", "b", acts=False),
            Reference("b", "c", acts=False),
            Reference("c", "b", acts=False),
            Reference("d", "d", acts=False),
            Reference("x", "a", acts=False),
        ]
        ordered = [plan.target.identity for plan in arrange(plans, references)]
        assert ordered.index("b") < ordered.index("a")
        assert sorted(ordered) == ["a", "b", "c", "d"]

    def test_deletions(self) -> None:
        plans = {
            "child": plan("child"),
            "cascading": plan("cascading", unique_indexes=2),
            "unique": plan("unique", unique_indexes=2),
            "grandparent": plan("grandparent", unique_indexes=2),
            "folding": plan("folding", folds=True),
        }
        references = [
            Reference("child", "cascading", acts=True),
            Reference("child", "unique", acts=False),
            Reference("child", "folding", acts=False),
            Reference("cascading", "grandparent", acts=False),
        ]
        arrange(list(plans.values()), references)
        late = {name for name, plan in plans.items() if plan.deletes_last}
        assert late == {"cascading", "grandparent"}
        assert {name for name, plan in plans.items() if plan.cascades} == {"cascading"}
