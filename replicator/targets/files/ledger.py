"""The ledger of one delivery's drops: what was planned, and how far it has been published.

It lies with the local copy and is as durable as that. A file goes through these states:

planned     complete in the local copy
renaming    complete on the server under its temporary name; the rename may or may not be done
done        published, or taken by the third party already
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from replicator.change import decode_changes
from replicator.errors import TargetUnavailable
from replicator.pipeline.contract import Outcome, Parked, Round, Window

_SCHEMA = """
CREATE TABLE IF NOT EXISTS round (
    id INTEGER PRIMARY KEY,
    epoch TEXT NOT NULL,
    mark TEXT NOT NULL,
    first_batch INTEGER NOT NULL,
    last_batch INTEGER NOT NULL,
    window_start TEXT,
    window_end TEXT,
    changes INTEGER NOT NULL,
    written INTEGER NOT NULL,
    coerced INTEGER NOT NULL,
    memo TEXT,
    planned_at TEXT NOT NULL,
    done_at TEXT
);
CREATE TABLE IF NOT EXISTS file (
    id INTEGER PRIMARY KEY,
    round_id INTEGER NOT NULL REFERENCES round (id) ON DELETE CASCADE,
    name TEXT NOT NULL UNIQUE,
    is_manifest INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'planned',
    attempt INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS file_of_round ON file (round_id);
CREATE TABLE IF NOT EXISTS parked (
    round_id INTEGER NOT NULL REFERENCES round (id) ON DELETE CASCADE,
    change TEXT NOT NULL,
    error TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS parked_of_round ON parked (round_id);
CREATE INDEX IF NOT EXISTS round_undone ON round (id) WHERE done_at IS NULL;
"""
_PARKED_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file that is complete in the local copy."""

    name: str
    rows: int
    bytes: int
    sha256: str
    is_manifest: bool = False


@dataclass(frozen=True, slots=True)
class DropFile:
    """A file of a drop, and how far it is."""

    id: int
    name: str
    is_manifest: bool
    rows: int
    bytes: int
    sha256: str
    state: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Drop:
    """A round's files, in the order in which they are published."""

    id: int
    mark: str
    first_batch: int
    last_batch: int
    window: Window | None
    planned_at: datetime
    done_at: datetime | None
    outcome: Outcome
    files: list[DropFile]


class Ledger:
    """The ledger in one file, which is made where it is missing."""

    def __init__(self, path: Path) -> None:
        """Open it; every other call must come from the same thread."""
        with _explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=30, isolation_level=None)
            self._connection.row_factory = sqlite3.Row
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("PRAGMA foreign_keys = ON")
            self._connection.executescript(_SCHEMA)
        self._path = path

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def find(self, work: Round) -> Drop | None:
        """Return the drop of exactly this round; forget others that were never finished.

        Those were finished elsewhere, or the source was restored: they are not repeated.
        """
        with self._transaction():
            found = self._connection.execute(
                "SELECT * FROM round WHERE (epoch, mark, first_batch, last_batch) = (?, ?, ?, ?)"
                " AND window_start IS ? AND window_end IS ?",
                (*_identity(work), *_ends(work.window)),
            ).fetchone()
            self._connection.execute(
                "DELETE FROM round WHERE done_at IS NULL AND id <> ?",
                (found["id"] if found else 0,),
            )
        return self._drop(found) if found else None

    def unfinished(self) -> Drop | None:
        """Return the oldest drop that is not published as a whole."""
        query = "SELECT * FROM round WHERE done_at IS NULL ORDER BY id LIMIT 1"
        found = self._connection.execute(query).fetchone()
        return self._drop(found) if found else None

    def taken(self, names: Sequence[str]) -> str | None:
        """Return one of these names that an earlier drop has used."""
        for name in names:
            query = "SELECT 1 FROM file WHERE name = ?"
            if self._connection.execute(query, (name,)).fetchone():
                return name
        return None

    def plan(
        self,
        work: Round,
        outcome: Outcome,
        files: Sequence[PlannedFile],
        parked: Sequence[tuple[str, str]],
    ) -> Drop:
        """Record a round whose files are complete in the local copy."""
        with self._transaction():
            number = self._connection.execute(
                "INSERT INTO round (epoch, mark, first_batch, last_batch, window_start, window_end,"
                " changes, written, coerced, memo, planned_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *_identity(work),
                    *_ends(work.window),
                    outcome.changes,
                    outcome.written,
                    outcome.coerced,
                    outcome.memo,
                    datetime.now(UTC).isoformat(),
                ),
            ).lastrowid
            self._connection.executemany(
                "INSERT INTO file (round_id, name, is_manifest, rows, bytes, sha256)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                [(number, f.name, f.is_manifest, f.rows, f.bytes, f.sha256) for f in files],
            )
            self._connection.executemany(
                "INSERT INTO parked VALUES (?, ?, ?)", [(number, *item) for item in parked]
            )
        query = "SELECT * FROM round WHERE id = ?"
        return self._drop(self._connection.execute(query, (number,)).fetchone())

    def parked(self, drop: Drop) -> Iterator[list[Parked]]:
        """Give the changes that the round could not write, some at a time."""
        query = "SELECT change, error FROM parked WHERE round_id = ?"
        cursor = self._connection.execute(query, (drop.id,))
        while rows := cursor.fetchmany(_PARKED_AT_ONCE):
            changes = decode_changes([row["change"].encode() for row in rows])
            yield [Parked(change, row["error"]) for change, row in zip(changes, rows, strict=True)]

    def begin_upload(self, file: DropFile) -> int:
        """Return the number of a new attempt to upload a file."""
        with self._transaction():
            query = "UPDATE file SET attempt = attempt + 1 WHERE id = ? RETURNING attempt"
            return int(self._connection.execute(query, (file.id,)).fetchone()[0])

    def set_state(self, file: DropFile, state: str) -> None:
        """Record how far a file is."""
        with self._transaction():
            self._connection.execute("UPDATE file SET state = ? WHERE id = ?", (state, file.id))

    def finish(self, drop: Drop) -> None:
        """Record that all files are published."""
        with self._transaction():
            now = datetime.now(UTC).isoformat()
            self._connection.execute(
                "UPDATE round SET done_at = coalesce(done_at, ?) WHERE id = ?", (now, drop.id)
            )

    def drops(self) -> list[Drop]:
        """Return everything, oldest first."""
        rows = self._connection.execute("SELECT * FROM round ORDER BY id").fetchall()
        return [self._drop(row) for row in rows]

    def _drop(self, row: sqlite3.Row) -> Drop:
        files = self._connection.execute(
            "SELECT id, name, is_manifest, rows, bytes, sha256, state, attempt FROM file"
            " WHERE round_id = ? ORDER BY is_manifest, id",
            (row["id"],),
        )
        parked = self._connection.execute(
            "SELECT count(*) FROM parked WHERE round_id = ?", (row["id"],)
        ).fetchone()[0]
        done_at = row["done_at"]
        start, end = row["window_start"], row["window_end"]
        return Drop(
            id=row["id"],
            mark=row["mark"],
            first_batch=row["first_batch"],
            last_batch=row["last_batch"],
            window=Window(_time(start), _time(end)) if start else None,
            planned_at=_time(row["planned_at"]),
            done_at=_time(done_at) if done_at else None,
            outcome=Outcome(
                row["changes"], row["written"], parked, coerced=row["coerced"], memo=row["memo"]
            ),
            files=[DropFile(f[0], f[1], bool(f[2]), *f[3:]) for f in map(tuple, files)],
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with _explained(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")


def _identity(work: Round) -> tuple[str, str, int, int]:
    return work.reached.epoch, work.reached.mark, work.first_batch, work.reached.batch_no


def _ends(window: Window | None) -> tuple[str | None, str | None]:
    if window is None:
        return None, None
    return _text(window.start), _text(window.end)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise TargetUnavailable(
            f"cannot use the ledger {path}: {error}",
            "Free space and make the folder writable for the replicator; it then goes on.",
        ) from error
