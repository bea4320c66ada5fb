"""Reading pages of a table whose rows pass through a transform."""

from __future__ import annotations

from collections.abc import Collection, Container, Sequence

from replicator.change import Block, Change, Row, encode
from replicator.pipeline.copying import RawForm
from replicator.snapshot.letters import key_of
from replicator.sources.pages import PAGE_ROWS, Page, PageReader, decode_key
from replicator.transform.evaluation import RowRefused
from replicator.transform.model import Result
from triggers.model import INCOMPLETE, Table

KEYS_AT_ONCE = 200


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
        if last is not None and result.keeps_key:
            key = result.result_key(decode_key(last))
        else:
            name = f"row {last.decode()}" if last is not None else "the last row"
            key = dict.fromkeys(result.key, name)
        return Page([_marked(table, key, refused)], 1, last)


def read_raw_page(
    reader: PageReader, table: Table, after: bytes | None, rows: int, form: RawForm
) -> Page:
    """Read a page in a form of the source's engine, or as blocks where that is another's."""
    return reader.raw_page(table, after, rows, form) or reader.page(table, after, rows)


def find_rows(
    reader: PageReader, table: Table, result: Result | None, keys: Collection[bytes]
) -> list[Block]:
    """Read the rows with these keys, of the table or of what a transform makes of it.

    Where the transform computes the key, the whole table has to be looked through. Rows for which
    it fails are left out then; else they come as changes that lack columns.
    """
    if result is not None and not result.keeps_key:
        return _look_through(reader, result, keys)
    wanted = [decode_key(key) for key in keys]
    found: list[Block] = []
    for start in range(0, len(wanted), KEYS_AT_ONCE):
        found += _find(reader, table, result, wanted[start : start + KEYS_AT_ONCE])
    return found


def _find(
    reader: PageReader, table: Table, result: Result | None, keys: Sequence[Row]
) -> list[Block]:
    if result is None:
        return reader.find(table, keys)
    try:
        return reader.find(table, [result.source_key(key) for key in keys], result)
    except RowRefused as refused:
        if len(keys) == 1:
            return [_marked(table, keys[0], refused)]
        middle = len(keys) // 2
        halves = (keys[:middle], keys[middle:])
        return [block for half in halves for block in _find(reader, table, result, half)]


def _marked(table: Table, row: Row, refused: RowRefused) -> Block:
    """A change that lacks columns."""
    marked = row | {INCOMPLETE: f"the transform fails: {refused}"}
    return Block.of([encode(Change(0, table.name, "I", None, marked, None, ""))])


def _look_through(reader: PageReader, result: Result, keys: Container[bytes]) -> list[Block]:
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
