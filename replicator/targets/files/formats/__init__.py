"""The contents of files: what third parties dictate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, assert_never

from replicator.change import Change
from replicator.targets.files.formats.compression import gzipped, zstandardized
from replicator.targets.files.formats.delimited import DelimitedWriter
from replicator.targets.files.formats.fixed import FixedWriter
from replicator.targets.files.formats.jsonl import JsonWriter
from replicator.targets.files.formats.layout import Layout
from replicator.targets.files.formats.options import FormatOptions
from replicator.targets.files.formats.template import TemplateWriter
from replicator.targets.files.formats.text_file import Lines, TextFile, Writer
from replicator.targets.files.formats.xml import XmlWriter
from triggers.model import Table

__all__ = ["FileFormat", "FormatOptions", "Lines", "new_file"]


class FileFormat(Protocol):
    """One table's file in one round or window. Its bytes depend on options and changes only."""

    suffix: str
    """The usual end of the file's name: ".csv", ".xml.gz"."""

    def lines(self, changes: Sequence[Change]) -> Lines:
        """Return the bytes of these changes, with those of the head before the first line.

        Changes of operations that the file is not to hold are passed over: they are neither
        counted nor parked. Bytes may be held back until later calls; a file exists when a count
        was above zero.
        """

    def end(self, *, even_empty: bool = False) -> bytes:
        """Return what closes the file; nothing when it has no line.

        With `even_empty` such a file has its head and its foot all the same.
        """


def new_file(options: FormatOptions, table: Table, encoding: str) -> FileFormat:
    """Begin a file of one table's changes.

    Raises `DeliveryStopped` when the options do not fit the table: `open` finds out by making one.
    """
    file = TextFile(_writer(options, table, encoding), options, table, encoding)
    match options.compress:
        case "none":
            return file
        case "gzip":
            return gzipped(file)
        case "zstd":
            return zstandardized(file)
        case _:
            assert_never(options.compress)


def _writer(options: FormatOptions, table: Table, encoding: str) -> Writer:
    layout = Layout(options, table)
    values = options.values
    match options.format:
        case "csv" | "tsv":
            return DelimitedWriter(layout, options.delimited, values.null, f".{options.format}")
        case "jsonl":
            return JsonWriter(layout, values)
        case "fixed":
            return FixedWriter(layout, options.fixed, values.null, table, encoding)
        case "xml":
            return XmlWriter(layout, options.xml, values.null, encoding)
        case "template":
            return TemplateWriter(layout, options.template, values, table)
        case _:
            assert_never(options.format)
