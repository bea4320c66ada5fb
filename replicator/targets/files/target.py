"""The `files` target: one file per table and round, in a local folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from replicator.change import Block, Change
from replicator.errors import DeliveryStopped
from replicator.pipeline.contract import DeliveryName, Outcome, Park, Parked, Progress, Round
from replicator.targets.files.folder import Draft, Folder
from replicator.targets.files.formats import FileFormat, FormatOptions, new_file
from replicator.targets.files.names import NamePattern
from triggers.model import Table

_PARK_AT_ONCE = 1000


class FilesTarget:
    """Writes the changes of each table in a round to one file, for a third party to fetch.

    Names and bytes depend only on the round, its changes, the tables' columns and this target's
    settings; the pipeline repeats an unfinished round as it was, so a repetition replaces files by
    equal ones. All files of the round are complete before the first gets its name; the names of
    the local copy come first, so that whatever a third party can fetch is also kept here.
    """

    keeps_progress = False

    def __init__(
        self,
        folder: Path,
        name: str,
        encoding: str,
        local_copy: Path | None,
        delivery: DeliveryName,
        into: Mapping[str, str] | None = None,
        contents: FormatOptions | None = None,
    ) -> None:
        """`name` is a `NamePattern`, `encoding` one of Python's; `ValueError` when unusable.

        `into` says what stands for `{table}`, by source table; by default the table's own name.
        `contents`: by default CSV.
        """
        try:
            "".encode(encoding)
        except LookupError:
            raise ValueError(f"there is no text encoding {encoding!r}") from None
        if local_copy is not None and local_copy.resolve() == folder.resolve():
            raise ValueError(f"the local copy needs a folder of its own, not {folder}")
        self._pattern = NamePattern(name)
        self._encoding = encoding
        self._delivery = delivery
        self._into = into or {}
        self._contents = contents or FormatOptions()
        self._folders = [Folder(path) for path in (local_copy, folder) if path is not None]
        self._tables: Mapping[str, Table] = {}

    def open(self, tables: Mapping[str, Table], memo: str | None = None) -> Progress | None:  # noqa: ARG002
        """Create the folders; no progress is kept here.

        Raises `DeliveryStopped` when two of the tables would have files of the same name, or one
        has not what its files are to hold.
        """
        self._check_names(tables)
        for table in tables.values():
            new_file(self._contents, table, self._encoding)
        self._tables = tables
        for folder in self._folders:
            folder.prepare()
        return None

    def deliver(self, work: Round, blocks: Iterable[Block], park: Park) -> Outcome:
        """Publish one file for each table that has a line in this round."""
        files: dict[str, _TableFile] = {}
        changes = parked = 0
        pending: list[Parked] = []
        captured_at = ""  # of the round's first change
        with ExitStack() as stack:
            for block in blocks:
                for table, table_changes in _by_table(block.changes()).items():
                    captured_at = captured_at or table_changes[0].captured_at
                    if table not in files:
                        file_format = new_file(self._contents, self._table(table), self._encoding)
                        name = self._name(work, table, captured_at)
                        files[table] = _TableFile(file_format, name, self._folders)
                        stack.callback(files[table].discard)
                    pending += files[table].add(table_changes)
                changes += block.count
                if len(pending) >= _PARK_AT_ONCE:
                    park(pending)
                    parked += len(pending)
                    pending = []
            for file in files.values():
                file.complete()
            if pending:
                park(pending)
                parked += len(pending)
            self._publish(files.values())
        return Outcome(
            changes=changes, written=sum(file.lines for file in files.values()), parked=parked
        )

    def close(self) -> None:
        """Nothing is held between rounds."""

    def _name(self, work: Round, table: str, captured_at: str) -> str:
        return self._pattern.name(
            table=self._into.get(table, table),
            route=self._delivery.route,
            batch=work.reached.batch_no,
            first_batch=work.first_batch,
            captured_at=captured_at,
        )

    def _check_names(self, tables: Iterable[str]) -> None:
        any_round = Round(None, Progress("", 1, ""), first_batch=1, rows=0)
        taken: dict[str, str] = {}
        for table in tables:
            name = self._name(any_round, table, "2026-01-01T00:00:00")
            if name in taken:
                raise DeliveryStopped(
                    f"delivery {self._delivery}: the files of tables {taken[name]} and {table} "
                    "would have the same name",
                    "Put {table} into the target's name pattern, and let no two tables of the "
                    "route go into the same one.",
                )
            taken[name] = table

    def _table(self, name: str) -> Table:
        try:
            return self._tables[name]
        except KeyError:
            raise DeliveryStopped(
                f"delivery {self._delivery}: there are changes of table {name}, whose columns are "
                "not known any more",
                "Was the table dropped or renamed? Bring it back, or take it out of the route.",
            ) from None

    def _publish(self, files: Iterable[_TableFile]) -> None:
        for number, folder in enumerate(self._folders):
            drafts = [file.drafts[number] for file in files if file.drafts]
            for draft in drafts:
                draft.publish()
            if drafts:
                folder.sync()


class _TableFile:
    """One table's file while it grows, in each of the folders; it starts with its first line."""

    def __init__(self, file_format: FileFormat, name: str, folders: Sequence[Folder]) -> None:
        self.drafts: list[Draft] = []
        self.lines = 0
        self._format = file_format
        self._name = name
        self._folders = folders

    def add(self, changes: Sequence[Change]) -> list[Parked]:
        """Append lines; return the changes that the format refused."""
        lines = self._format.lines(changes)
        self._append(lines.data)
        self.lines += lines.count
        return lines.parked

    def complete(self) -> None:
        self._append(self._format.end())
        for draft in self.drafts:
            draft.complete()

    def discard(self) -> None:
        for draft in self.drafts:
            draft.discard()

    def _append(self, data: bytes) -> None:
        if not data:
            return
        if not self.drafts:
            for folder in self._folders:
                self.drafts.append(folder.draft(self._name))
        for draft in self.drafts:
            draft.append(data)


def _by_table(changes: Sequence[Change]) -> dict[str, list[Change]]:
    """Changes of one block by table, tables in order of their first change."""
    tables: dict[str, list[Change]] = {}
    for change in changes:
        tables.setdefault(change.table, []).append(change)
    return tables
