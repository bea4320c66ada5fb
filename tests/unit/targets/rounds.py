"""Tables, changes and rounds for the tests of targets that write files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

from replicator.change import Block, Change, Operation, Row
from replicator.pipeline.contract import DeliveryName, Parked, Progress, Round
from tests import blocks
from triggers.model import Column, Kind, Table

DELIVERY = DeliveryName("orders", "partner")
SECRET = "4111-1111-1111-1111"

ORDERS = Table(
    "public.orders",
    (
        Column("id", Kind.INTEGER, "bigint", nullable=False),
        Column("customer", Kind.TEXT, "text"),
        Column("total", Kind.DECIMAL, "numeric(12,2)"),
        Column("paid", Kind.BOOLEAN, "boolean"),
        Column("photo", Kind.BYTES, "bytea"),
        Column("tags", Kind.ARRAY, "text[]"),
        Column("document", Kind.JSON, "json"),
    ),
    ("id",),
)
LINES = Table(
    "public.order_lines",
    (Column("id", Kind.INTEGER, "int"), Column("note", Kind.TEXT, "text")),
    ("id",),
)
TABLES = {table.name: table for table in (ORDERS, LINES)}


def change(
    number: int, table: Table, op: Operation, row: Row | None, *, second: int = 15
) -> Change:
    before, after = (row, None) if op == "D" else (None, row)
    at = f"2026-11-21T13:14:{second:02d}.000123"
    return Change(number, table.name, op, before, after, None, at)


def line(number: int, note: str | None) -> Change:
    return change(number, LINES, "I", {"id": number, "note": note})


CHANGES = [
    change(
        1,
        ORDERS,
        "I",
        {
            "id": 123456789012345678901234567890,
            "customer": 'Åsa "A" O\'Neil, Ltd\nline two\r\nline three',
            "total": Decimal("0.00000010"),
            "paid": True,
            "photo": "\\x00ff",
            "tags": ["a,b", None, Decimal("1.50"), 7, 'q"'],
            "document": '{"b": 1,  "a": [null]}',
        },
    ),
    line(2, "你好 😀"),
    change(3, ORDERS, "U", {"id": 2, "customer": "", "total": Decimal("1E+3"), "paid": False}),
    change(4, ORDERS, "D", {"id": 3, "customer": None, "total": "NaN"}, second=59),
    change(5, LINES, "T", None),
    line(6, None),
    line(7, ""),
]


def work(first: int = 7, last: int = 9, *, epoch: str = "e1", mark: str = "") -> Round:
    return Round(None, Progress(epoch, last, mark or f"m{last}"), first, len(CHANGES))


def in_blocks(changes: Sequence[Change], size: int = 2) -> Iterator[Block]:
    return blocks.in_blocks(changes, size)


class ParkedList:
    """A `Park` that keeps what was parked."""

    def __init__(self) -> None:
        self.parked: list[Parked] = []

    def __call__(self, parked: Sequence[Parked]) -> None:
        self.parked += parked


def no_park(parked: Sequence[Parked]) -> None:
    raise AssertionError(f"{len(parked)} changes were parked")


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones included: relative name -> bytes."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}
