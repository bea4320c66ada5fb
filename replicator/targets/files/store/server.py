"""A store on a server, whatever its protocol: one kept connection, sizes compared, errors told."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from replicator.errors import ReplicatorError, TargetUnavailable
from replicator.targets.files.store.probe import probe

_ASK_AFTER_SECONDS = 5.0


class Session(Protocol):
    """One logged-in connection. Its methods raise what the protocol's library raises.

    Names are relative to the store's folder, as in `Store`.
    """

    def answers(self) -> bool:
        """Ask the server for a sign of life. Never raises."""

    def make_folder(self, folder: str) -> None:
        """Make one folder; no error when it is there or cannot be made."""

    def upload(self, file: BinaryIO, name: str) -> int | None:
        """Write a file; return its size there, by the server's word or else by what was sent."""

    def size(self, name: str) -> int | None:
        """As `Store.size`."""

    def rename(self, old: str, new: str) -> None:
        """As `Store.rename`."""

    def delete(self, name: str) -> None:
        """As `Store.delete`."""

    def names(self, folder: str) -> list[str]:
        """As `Store.names`, in any order."""

    def close(self) -> None:
        """End the connection, whatever state it is in. Never raises."""


class ServerStore:
    """A store that works through sessions, one at a time.

    After any failure the session is given up: the next call starts from a fresh login, which also
    finds what was mended meanwhile.
    """

    def __init__(
        self,
        place: str,
        connect: Callable[[], Session],
        explain: Callable[[str, Exception], ReplicatorError],
        atomic: bool,
    ) -> None:
        """`connect` raises explained errors; `explain` gets what a session raises.

        `explain` returns the error for a sentence `cannot <action>` and an exception.
        """
        self.atomic = atomic
        self._place = place
        self._connect = connect
        self._explain = explain
        self._session: Session | None = None
        self._used = 0.0
        self._folders: set[str] = set()

    def open(self) -> None:
        """As `Store`."""
        with self._doing("log in"):
            pass

    def put(self, local: Path, name: str) -> None:
        """As `Store`."""
        with local.open("rb") as file, self._doing(f"upload {name}") as session:
            self._make_folders(session, name)
            found = session.upload(file, name)
            size = file.tell()
        if found != size:
            raise TargetUnavailable(
                f"{self._place}: {name} has {found or 'no'} bytes there where {size} were sent",
                "Is the server's disk full, or does another program write to this folder? The "
                "upload is repeated.",
            )

    def rename(self, old: str, new: str) -> None:
        """As `Store`."""
        with self._doing(f"rename {old} to {new}") as session:
            self._make_folders(session, new)
            session.rename(old, new)

    def size(self, name: str) -> int | None:
        """As `Store`."""
        with self._doing(f"look for {name}") as session:
            return session.size(name)

    def delete(self, name: str) -> None:
        """As `Store`."""
        with self._doing(f"delete {name}") as session:
            session.delete(name)

    def names(self, folder: str = "") -> list[str]:
        """As `Store`."""
        with self._doing("list the folder") as session:
            return sorted(session.names(folder))

    def probe(self) -> None:
        """As `Store`."""
        probe(self)

    def close(self) -> None:
        """As `Store`."""
        session, self._session = self._session, None
        self._folders.clear()
        if session is not None:
            session.close()

    @contextmanager
    def _doing(self, action: str) -> Iterator[Session]:
        try:
            session = self._ready()
            yield session
        except ReplicatorError:
            self.close()
            raise
        except Exception as error:
            self.close()
            raise self._explain(action, error) from error
        self._used = time.monotonic()

    def _ready(self) -> Session:
        idle = time.monotonic() - self._used
        if self._session is not None and idle > _ASK_AFTER_SECONDS and not self._session.answers():
            self.close()
        if self._session is None:
            self._session = self._connect()
        return self._session

    def _make_folders(self, session: Session, name: str) -> None:
        above = [str(folder) for folder in PurePosixPath(name).parents if folder.name]
        for folder in reversed(above):
            if folder not in self._folders:
                session.make_folder(folder)
                self._folders.add(folder)
