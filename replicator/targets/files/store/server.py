"""A store on a server, whatever its protocol: one kept connection, sizes compared, errors told."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol, TypeVar

from replicator.errors import ReplicatorError, TargetUnavailable
from replicator.targets.files.store.probe import probe

_ASK_AFTER_SECONDS = 5.0

Result = TypeVar("Result")


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

    After any failure the session is given up: the next try starts from a fresh login, which also
    finds what was mended meanwhile, and makes the folder again if somebody has removed it.
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

    def open(self) -> None:
        """As `Store`."""
        self._do("log in", lambda _: None)

    def put(self, local: Path, name: str) -> None:
        """As `Store`."""
        size = local.stat().st_size

        def upload(session: Session) -> int | None:
            _make_folders(session, name)
            with local.open("rb") as file:
                return session.upload(file, name)

        found = self._do(f"upload {name}", upload)
        if found != size:
            raise TargetUnavailable(
                f"{self._place}: {name} has {found or 'no'} bytes there where {size} were sent",
                "Is the server's disk full, or does another program write to this folder? The "
                "upload is repeated.",
            )

    def rename(self, old: str, new: str) -> None:
        """As `Store`."""

        def rename(session: Session) -> None:
            if PurePosixPath(old).parent != PurePosixPath(new).parent:
                _make_folders(session, new)
            session.rename(old, new)

        # Not repeated: when the answer is lost, the file may have its new name already.
        self._do(f"rename {old} to {new}", rename, again=False)

    def size(self, name: str) -> int | None:
        """As `Store`."""
        return self._do(f"look for {name}", lambda session: session.size(name))

    def delete(self, name: str) -> None:
        """As `Store`."""
        self._do(f"delete {name}", lambda session: session.delete(name))

    def names(self, folder: str = "") -> list[str]:
        """As `Store`."""
        return sorted(self._do("list the folder", lambda session: session.names(folder)))

    def probe(self) -> None:
        """As `Store`."""
        probe(self)

    def close(self) -> None:
        """As `Store`."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _do(self, action: str, work: Callable[[Session], Result], *, again: bool = True) -> Result:
        """Do some work; `again`: if an earlier call's session fails, repeat it with a new one."""
        again = again and self._session is not None
        try:
            result = work(self._ready())
        except Exception as error:
            self.close()
            if again:
                return self._do(action, work)
            if isinstance(error, ReplicatorError):
                raise
            raise self._explain(action, error) from error
        self._used = time.monotonic()
        return result

    def _ready(self) -> Session:
        idle = time.monotonic() - self._used
        if self._session is not None and idle > _ASK_AFTER_SECONDS and not self._session.answers():
            self.close()
        if self._session is None:
            self._session = self._connect()
        return self._session


def _make_folders(session: Session, name: str) -> None:
    """Make the folders above a file; a third party may have removed what an earlier one made."""
    for folder in reversed(PurePosixPath(name).parents):
        if folder.name:
            session.make_folder(str(folder))
