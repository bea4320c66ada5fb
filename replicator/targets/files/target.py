"""The `files` target: a round's files, and their manifest, put where a third party fetches them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from replicator.change import Block, Change, encode
from replicator.errors import DeliveryStopped
from replicator.pipeline.contract import DeliveryName, Outcome, Park, Parked, Progress, Round
from replicator.targets.files.folder import Folder
from replicator.targets.files.formats import new_file
from replicator.targets.files.layout import DropLayout
from replicator.targets.files.ledger import Drop, Ledger
from replicator.targets.files.manifest import (
    Manifest,
    Memo,
    Previous,
    Span,
    plain_list,
    read_memo,
    write_memo,
)
from replicator.targets.files.names import safe_name
from replicator.targets.files.publish import publish
from replicator.targets.files.spool import DraftedFile, RoundFiles
from replicator.targets.files.store import Store
from triggers.model import Table

_PARK_AT_ONCE = 1000


class FilesTarget:
    """Writes a round's changes to files, one for each table, and puts them into a store.

    Names and bytes depend only on the round, its changes, the tables' columns and this target's
    settings. All files are complete in the local copy, and recorded in its ledger, before the
    first one goes out; from then on a repetition of the round publishes those. The manifest, where
    one is wanted, goes last.
    """

    keeps_progress = False

    def __init__(
        self,
        layout: DropLayout,
        store: Store,
        delivery: DeliveryName,
        into: Mapping[str, str] | None = None,
    ) -> None:
        """`into` says what stands for `{table}`, by source table; by default its own name."""
        self._layout = layout
        self._store = store
        self._delivery = delivery
        self._into = into or {}
        self._tables: Mapping[str, Table] = {}
        self._ledger: Ledger | None = None
        self._memo: str | None = None

    def open(self, tables: Mapping[str, Table], memo: str | None = None) -> Progress | None:
        """Connect to the store; no progress is kept there.

        Raises `DeliveryStopped` when two of the tables would have files of the same name, or one
        has not what its files are to hold.
        """
        self._check_names(tables)
        for table in tables.values():
            new_file(self._layout.contents, table, self._layout.encoding)
        self._tables = tables
        self._memo = memo
        Folder(self._layout.local_copy).prepare()
        self._ledger = Ledger(ledger_path(self._layout.local_copy, self._delivery))
        self._store.open()
        return None

    def deliver(self, work: Round, blocks: Iterable[Block], park: Park) -> Outcome:
        """Publish the files of this round, or what an interrupted attempt has left of them."""
        assert self._ledger is not None
        drop = self._ledger.find(work)
        if drop is None:
            drop = self._make(work, blocks, park, self._ledger)
        else:
            for _ in blocks:  # has been read to the end
                pass
            self._park_again(drop, park, self._ledger)
        if drop is None:
            return Outcome(changes=0, written=0)
        publish(drop, self._layout.local_copy, self._store, self._ledger)
        if drop.outcome.memo is not None:
            self._memo = drop.outcome.memo
        return drop.outcome

    def close(self) -> None:
        """End the connection."""
        self._store.close()
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None

    def _make(
        self, work: Round, blocks: Iterable[Block], park: Park, ledger: Ledger
    ) -> Drop | None:
        """Write the files into the local copy; None when there is nothing to publish."""
        changes = parked = 0
        pending: list[Parked] = []
        kept: list[tuple[str, str]] = []

        def park_pending() -> None:
            nonlocal parked
            if pending:
                park(pending)
                parked += len(pending)
                kept.extend((encode(p.change).decode(), p.error) for p in pending)
                pending.clear()

        with ExitStack() as stack:
            files = RoundFiles(self._layout, self._delivery, self._into, work, stack)
            for block in blocks:
                for name, table_changes in _by_table(block.changes()).items():
                    pending += files.add(name, self._table(name), table_changes)
                changes += block.count
                if len(pending) >= _PARK_AT_ONCE:
                    park_pending()
            drafted, refused = files.complete()
            pending += refused
            park_pending()
            written = sum(file.rows for file in drafted)
            manifest, memo = self._manifest(work, drafted, stack)
            if not drafted and manifest is None:
                nothing = Outcome(changes=changes, written=0, parked=parked)
                return ledger.plan(work, nothing, [], kept) if changes else None
            everything = [*drafted, *([manifest] if manifest is not None else [])]
            self._check_untaken([file.name for file in everything], ledger)
            for file in everything:
                file.publish()
        outcome = Outcome(
            changes=changes, written=written, parked=parked, coerced=files.replaced, memo=memo
        )
        planned = [file.planned(is_manifest=file is manifest) for file in everything]
        return ledger.plan(work, outcome, planned, kept)

    def _manifest(
        self, work: Round, files: Sequence[DraftedFile], stack: ExitStack
    ) -> tuple[DraftedFile | None, str | None]:
        """Write the manifest; return it, and what the next one has to know of it."""
        layout = self._layout
        wanted = bool(files) or (work.window is not None and layout.empty_windows)
        if layout.manifest is None or not wanted:
            return None, None
        last = read_memo(self._memo)
        window = work.window
        manifest = Manifest(
            delivery=str(self._delivery),
            epoch=work.reached.epoch,
            number=last.number + 1 if last is not None else 1,
            window=Span(window.start, window.end) if window is not None else None,
            first_batch=work.first_batch,
            last_batch=work.reached.batch_no,
            previous=Previous(last.name, last.sha256) if last is not None else None,
            files=[file.entry() for file in files],
        )
        if window is not None and layout.windows is not None:
            window = layout.windows.local(window)
        name = layout.manifest.name(
            table="",
            route=self._delivery.route,
            batch=work.reached.batch_no,
            first_batch=work.first_batch,
            window=window,
        )
        file = DraftedFile(layout.local_copy, name, "", stack)
        if layout.manifest_line is None:
            file.append(manifest.encode())
        else:
            lines = plain_list(layout.manifest_line, manifest, layout.windows)
            file.append(lines.encode(layout.encoding))
        file.complete()
        return file, write_memo(Memo(manifest.number, name, file.sha256()))

    def _park_again(self, drop: Drop, park: Park, ledger: Ledger) -> None:
        """Record the dead letters of a round anew: those of unfinished rounds are forgotten."""
        for some in ledger.parked(drop):
            park(some)

    def _check_untaken(self, names: Sequence[str], ledger: Ledger) -> None:
        name = ledger.taken(names)
        if name is not None:
            raise DeliveryStopped(
                f"delivery {self._delivery}: an earlier drop has published {name} already",
                "Was the source restored, or the target's name pattern changed? Choose a pattern"
                " that gives new names, then resume the delivery.",
            )

    def _check_names(self, tables: Iterable[str]) -> None:
        taken: dict[str, str] = {}
        for table in tables:
            shown = safe_name(self._into.get(table, table))
            if "table" not in self._layout.name.fields:
                shown = ""
            if shown in taken:
                raise DeliveryStopped(
                    f"delivery {self._delivery}: the files of tables {taken[shown]} and {table} "
                    "would have the same name",
                    "Put {table} into the target's name pattern, and let no two tables of the "
                    "route go into the same one.",
                )
            taken[shown] = table

    def _table(self, name: str) -> Table:
        try:
            return self._tables[name]
        except KeyError:
            raise DeliveryStopped(
                f"delivery {self._delivery}: there are changes of table {name}, whose columns are "
                "not known any more",
                "Was the table dropped or renamed? Bring it back, or take it out of the route.",
            ) from None


def ledger_path(local_copy: Path, delivery: DeliveryName) -> Path:
    """Return where a delivery's ledger is."""
    name = f"{safe_name(delivery.route)}@{safe_name(delivery.target)}.sqlite"
    return local_copy / ".drops" / name


def _by_table(changes: Sequence[Change]) -> dict[str, list[Change]]:
    """Changes of one block by table, tables in order of their first change."""
    tables: dict[str, list[Change]] = {}
    for change in changes:
        tables.setdefault(change.table, []).append(change)
    return tables
