"""Writing a file of 1,000,000 changes, in each format, next to a plain loop over `csv.writer`.

All begin with the outbox's lines in blocks of 1,000, and end with a file on the disk; so decoding
is in every figure, and a line of its own shows what it takes.
"""

from __future__ import annotations

import csv
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table as Grid

from replicator.change import Block
from replicator.targets.files.formats import FormatOptions, new_file
from replicator.targets.files.formats.options import (
    ColumnOptions,
    DelimitedOptions,
    TemplateOptions,
    ValueOptions,
)
from tests.benchmarks import measuring, workload
from triggers.model import Column, Kind, Table

ROWS: Final = 1_000_000
MEMORY_GOAL: Final = 300
_BLOCK: Final = 1_000
_TABLE: Final = Table(
    workload.TABLE,
    (
        Column("id", Kind.INTEGER, "bigint"),
        Column("customer", Kind.INTEGER, "int"),
        Column("item", Kind.TEXT, "varchar(60)"),
        Column("amount", Kind.DECIMAL, "decimal(12,2)"),
        Column("note", Kind.TEXT, "text"),
        Column("changed_at", Kind.TIMESTAMP, "timestamp"),
    ),
    ("id",),
)
_NAMES: Final = [column.name for column in _TABLE.columns]
_WIDTHS: Final = (20, 10, 60, 14, 200, 26)
_FORMATS: Final = {
    "csv": FormatOptions(),
    "csv, minimal quotes": FormatOptions(delimited=DelimitedOptions(quoting="minimal")),
    "csv, a date pattern": FormatOptions(values=ValueOptions(timestamp="%d.%m.%Y %H:%M:%S")),
    "csv, gzip": FormatOptions(compress="gzip"),
    "csv, zstd": FormatOptions(compress="zstd"),
    "jsonl": FormatOptions(format="jsonl"),
    "fixed": FormatOptions(
        format="fixed",
        columns={
            _TABLE.name: {
                name: ColumnOptions(name, width=width)
                for name, width in zip(_NAMES, _WIDTHS, strict=True)
            }
        },
    ),
    "xml": FormatOptions(format="xml"),
    "template": FormatOptions(
        format="template",
        template=TemplateOptions(line="{{ op }};{{ row.id }};{{ row.item }};{{ row.amount }}"),
    ),
}


def benchmark(console: Console, runs: int) -> None:
    """Measure them in turns, each in a process of its own, and print the medians."""
    names = ("csv.writer", "decoding only", *_FORMATS)
    results: dict[str, list[measuring.Measured]] = {name: [] for name in names}
    for _ in range(runs):
        for name in names:
            results[name].append(measuring.run(__name__, name))
    grid = Grid(title=f"{ROWS:,} changes to a file; {measuring.machine()}")
    for heading in ("", "rows/s", "CPU us a row", "CPU of csv.writer's", "memory MB"):
        grid.add_column(heading, justify="right" if heading else "left")
    plain = measuring.medians(results["csv.writer"])
    for name in names:
        measured = measuring.medians(results[name])
        grid.add_row(
            name,
            f"{ROWS / measured.seconds:,.0f}",
            f"{measured.cpu / ROWS * 1e6:.1f}",
            f"{measured.cpu / plain.cpu:.2f}",
            f"{measured.peak_mb:.0f}",
        )
    console.print(grid)
    highest = max(measured.peak_mb for several in results.values() for measured in several)
    console.print(f"goal: memory under {MEMORY_GOAL} MB; highest: {highest:.0f} MB")


def _blocks() -> Iterator[Block]:
    rng = random.Random(11)
    lines = []
    for number in range(1, _BLOCK + 1):
        values = workload.row(number, rng)
        lines.append(
            f'[{number},"{_TABLE.name}","I",null,{{"id":{number},"customer":{values["customer"]},'
            f'"item":"{values["item"]}","amount":{values["amount"]},"note":"{values["note"]}",'
            f'"changed_at":"{values["changed_at"]}"}},null,"2026-11-21T13:14:15.123456"]'.encode()
        )
    block = Block.of(lines)
    for _ in range(ROWS // _BLOCK):
        yield Block(block.json, block.count)


def _plain(path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["op", *_NAMES])
        for block in _blocks():
            for change in block.changes():
                row = change.row
                writer.writerow([change.op, *[row[name] for name in _NAMES]])


def _decoded() -> None:
    for block in _blocks():
        block.changes()


def _formatted(options: FormatOptions, path: Path) -> None:
    file_format = new_file(options, _TABLE, "utf-8")
    with path.open("wb") as file:
        for block in _blocks():
            file.write(file_format.lines(block.changes()).data)
        file.write(file_format.end())


def main() -> None:
    """Write one file, and report."""
    name = sys.argv[1]
    descriptor, path = tempfile.mkstemp()
    os.close(descriptor)
    file = Path(path)
    try:
        with measuring.reporting():
            if name == "csv.writer":
                _plain(file)
            elif name == "decoding only":
                _decoded()
            else:
                _formatted(_FORMATS[name], file)
    finally:
        file.unlink()


if __name__ == "__main__":
    main()
