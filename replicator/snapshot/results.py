"""Reading pages of a table whose rows pass through a transform."""

from __future__ import annotations

from collections.abc import Container

from replicator.change import Block, Change, Row, encode
from replicator.snapshot.letters import key_of
from replicator.sources.pages import PAGE_ROWS, Page, PageReader
from replicator.transform.evaluation import RowRefused
from replicator.transform.model import Result
from triggers.model import INCOMPLETE, Table


def read_page(
    reader: PageReader, table: Table, after: bytes | None, rows: int, result: Result | None
) -> Page:
    """Read a page; where the transform fails for a row, a smaller one.

    In the end that row is a page by itself, of a change that lacks columns and is parked for that.
    """
    try:
        return reader.page(table, after, rows, result)
    except RowRefused as refused:
        assert result is not None
        if rows > 1:
            return read_page(reader, table, after, rows // 2, result)
        last = reader.page(table, after, 1).last
        name = f"row {last.decode()}" if last is not None else "the last row"
        marked: Row = dict.fromkeys(result.key, name)
        marked[INCOMPLETE] = f"the transform fails: {refused}"
        change = Change(0, table.name, "I", None, marked, None, "")
        return Page([Block.of([encode(change)])], 1, last)


def find_results(reader: PageReader, result: Result, keys: Container[bytes]) -> list[Block]:
    """Read the rows of a result with these keys: the whole table has to be looked through."""
    seen = result.as_table()
    found: list[bytes] = []
    after: bytes | None = None
    while True:
        page = read_page(reader, result.table, after, PAGE_ROWS, result)
        found += [
            encode(change)
            for block in page.blocks
            for change in block.changes()
            if INCOMPLETE not in change.row and key_of(seen, change.row) in keys
        ]
        after = page.last
        if after is None:
            return [Block.of(found)] if found else []
