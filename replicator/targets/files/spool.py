"""Making a round's files, complete, in the local copy. Only then is the first one published."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from replicator.change import Change, Operation
from replicator.errors import DeliveryStopped
from replicator.pipeline.contract import DeliveryName, Parked, Round, Window
from replicator.targets.files.folder import Draft, Folder
from replicator.targets.files.formats import FileFormat, FormatOptions, new_file
from replicator.targets.files.formats.options import OPERATIONS
from replicator.targets.files.layout import DropLayout
from replicator.targets.files.ledger import PlannedFile
from replicator.targets.files.manifest import FileEntry, ListedFile
from triggers.model import Table

_ROWS_AT_ONCE = 100
"""After how many rows the size of a file is looked at, where files are rolled by bytes."""


class DraftedFile:
    """One file of the local copy while it grows, with what a manifest says of it."""

    def __init__(self, folder: Path, name: str, table: str, stack: ExitStack) -> None:
        self.name = name
        self.table = table
        self.size = 0
        self.rows = 0
        self.first_change = self.last_change = 0
        self._folder = folder
        self._stack = stack
        self._digest = hashlib.sha256()
        self._draft: Draft | None = None

    def append(self, data: bytes) -> None:
        """Write at the end; the file is made with the first byte."""
        if data:
            self.begin().append(data)
            self._digest.update(data)
            self.size += len(data)

    def begin(self) -> Draft:
        """Make the file, where that has not been done."""
        if self._draft is None:
            path = self._folder / self.name
            Folder(path.parent).prepare()
            self._draft = Folder(path.parent).draft(path.name)
            self._stack.callback(self._draft.discard)
        return self._draft

    def complete(self) -> None:
        """Bring all bytes to the disk."""
        if self._draft is not None:
            self._draft.complete()

    def publish(self) -> None:
        """Give the file its name in the local copy."""
        if self._draft is not None:
            self._draft.publish()
            Folder(self._draft.path.parent).sync()

    @property
    def exists(self) -> bool:
        """Whether there is a file: one without a byte is none, unless it was begun."""
        return self._draft is not None

    def sha256(self) -> str:
        """Return the SHA-256 of what was written."""
        return self._digest.hexdigest()

    def entry(self) -> FileEntry:
        """Return what a manifest says of the finished file."""
        return FileEntry(
            name=self.name,
            table=self.table,
            rows=self.rows,
            bytes=self.size,
            sha256=self.sha256(),
            first_change=self.first_change,
            last_change=self.last_change,
        )

    def listed(self) -> ListedFile:
        """Return what the manifest of a snapshot says of it."""
        return ListedFile(
            name=self.name,
            table=self.table,
            rows=self.rows,
            bytes=self.size,
            sha256=self.sha256(),
        )

    def planned(self, *, is_manifest: bool = False) -> PlannedFile:
        """Return what the ledger records of it."""
        return PlannedFile(self.name, self.rows, self.size, self.sha256(), is_manifest)


class RoundFiles:
    """All files of one round; how its changes come in blocks makes no difference to them."""

    def __init__(
        self,
        layout: DropLayout,
        delivery: DeliveryName,
        into: Mapping[str, str],
        work: Round,
        stack: ExitStack,
        captured_at: str = "",
    ) -> None:
        """`stack` takes care of what an attempt that fails leaves behind.

        `captured_at` is what names tell, in the outbox's form; by default that of the first change.
        """
        self.replaced = 0
        self._layout = layout
        self._delivery = delivery
        self._into = into
        self._work = work
        self._stack = stack
        self._captured_at = captured_at
        self._series: dict[tuple[str, str], _Series] = {}
        self._names: dict[str, str] = {}
        self._by_operation = "op" in layout.name.fields

    def begin(self, name: str, table: Table) -> None:
        """Begin the file of a table that may get no change; not for names with `{op}`."""
        self._series[name, ""] = _Series(self, name, table, "")

    def add(self, name: str, table: Table, changes: Sequence[Change]) -> list[Parked]:
        """Take in changes of the table of this name; return those that cannot be written."""
        self._captured_at = self._captured_at or changes[0].captured_at
        parked: list[Parked] = []
        for op, some in self._split(changes):
            series = self._series.get((name, op))
            if series is None:
                series = self._series[name, op] = _Series(self, name, table, op)
            parked += series.add(some)
        return parked

    def complete(self) -> tuple[list[DraftedFile], list[Parked]]:
        """End every file; return those that exist, in order of their first lines."""
        parked: list[Parked] = []
        for series in self._series.values():
            parked += series.end()
        files = [file for series in self._series.values() for file in series.files if file.exists]
        for file in files:
            file.complete()
        return files, parked

    def contents(self, op: str) -> FormatOptions:
        """Return the options for the files of one operation, or for all of them."""
        contents = self._layout.contents
        operation = next((known for known in OPERATIONS if known == op), None)
        return contents.only(operation) if operation is not None else contents

    def draft(self, table: str, op: str, seq: int) -> DraftedFile:
        """Begin a file."""
        name = self._layout.name.name(
            table=(shown := self._into.get(table, table)),
            route=self._delivery.route,
            batch=self._work.reached.batch_no,
            first_batch=self._work.first_batch,
            captured_at=self._captured_at,
            window=self._window(),
            seq=seq,
            op=self._layout.contents.word(_operation(op)) if op else "",
        )
        if name in self._names:
            raise DeliveryStopped(
                f"delivery {self._delivery}: the files of tables {self._names[name]} and"
                f" {table} would have the same name",
                "Put {table}, and {seq} or {op} where there are several files of a table, into the"
                " target's name pattern, and let no two tables of the route go into the same one.",
            )
        self._names[name] = table
        return DraftedFile(self._layout.local_copy, name, shown, self._stack)

    def new_format(self, table: Table, op: str) -> FileFormat:
        """Begin the contents of a file."""
        return new_file(self.contents(op), table, self._layout.encoding)

    @property
    def empty_files(self) -> bool:
        """Whether a table without changes has a file."""
        return self._layout.empty_files

    def is_full(self, file: DraftedFile) -> bool:
        """Tell whether another file is to follow."""
        rows, size = self._layout.roll_rows, self._layout.roll_bytes
        return bool((rows and file.rows >= rows) or (size and file.size >= size))

    def room(self, file: DraftedFile, waiting: int) -> int:
        """Return how many rows to write before `is_full` is asked again."""
        unit = _ROWS_AT_ONCE if self._layout.roll_bytes else waiting
        return min(unit, self._layout.roll_rows - file.rows) if self._layout.roll_rows else unit

    def _split(self, changes: Sequence[Change]) -> Iterator[tuple[str, Sequence[Change]]]:
        wanted = self._layout.contents.operations
        if not self._by_operation:
            if not wanted.issuperset(OPERATIONS):
                changes = [change for change in changes if change.op in wanted]
            if changes:
                yield "", changes
            return
        for op in dict.fromkeys(change.op for change in changes):
            if op in wanted:
                yield op, [change for change in changes if change.op == op]

    def _window(self) -> Window | None:
        windows, window = self._layout.windows, self._work.window
        return windows.local(window) if windows is not None and window is not None else window


class _Series:
    """The files of one table, or of one of its operations, one after the other."""

    def __init__(self, round_files: RoundFiles, name: str, table: Table, op: str) -> None:
        self.files: list[DraftedFile] = []
        self._round = round_files
        self._name = name
        self._table = table
        self._op = op
        self._waiting: list[Change] = []
        self._begin()

    def add(self, changes: Sequence[Change]) -> list[Parked]:
        self._waiting += changes
        return self._write(all_of_it=False)

    def end(self) -> list[Parked]:
        parked = self._write(all_of_it=True)
        self._end_file()
        return parked

    def _write(self, *, all_of_it: bool) -> list[Parked]:
        parked: list[Parked] = []
        start = 0
        while start < len(self._waiting):
            file = self.files[-1]
            room = self._round.room(file, len(self._waiting) - start)
            some = self._waiting[start : start + room]
            if len(some) < room and not all_of_it:
                break
            start += len(some)
            lines = self._format.lines(some)
            file.append(lines.data)
            self._round.replaced += lines.replaced
            parked += lines.parked
            if lines.count:
                refused = {item.change.id for item in lines.parked}
                written = [change.id for change in some if change.id not in refused]
                file.first_change = file.first_change or written[0]
                file.last_change = written[-1]
                file.rows += lines.count
            if self._round.is_full(file):
                self._end_file()
                self._begin()
        self._waiting = self._waiting[start:]
        return parked

    def _begin(self) -> None:
        self._format = self._round.new_format(self._table, self._op)
        self.files.append(self._round.draft(self._name, self._op, len(self.files) + 1))

    def _end_file(self) -> None:
        file = self.files[-1]
        alone = self._round.empty_files and len(self.files) == 1
        if alone:
            file.begin()
        file.append(self._format.end(even_empty=alone))


def _operation(op: str) -> Operation:
    return next(known for known in OPERATIONS if known == op)
