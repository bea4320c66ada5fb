"""Publishing the files of a drop: each appears complete under its name, once, the manifest last."""

from __future__ import annotations

from pathlib import Path

from replicator.errors import DeliveryStopped
from replicator.targets.files.ledger import Drop, DropFile, Ledger
from replicator.targets.files.store import Store


def publish(drop: Drop, folder: Path, store: Store, ledger: Ledger) -> None:
    """Publish what has not been published yet; after a failure call it again.

    A file goes out under a temporary name, is compared in size, and is renamed. That the rename
    begins is recorded first: if the temporary file has gone afterwards, the rename was done,
    whether or not the third party has taken the file away since; it is not put there again.
    """
    for file in drop.files:
        publish_file(file, folder, store, ledger)
    ledger.finish(drop)


def publish_file(file: DropFile, folder: Path, store: Store, ledger: Ledger) -> None:
    """Publish one file of a drop, unless that has been done; see `publish`."""
    if file.state == "done":
        return
    if store.atomic:
        _rename_into_place(file, folder, store, ledger)
    else:
        store.put(_local(folder, file), file.name)
    ledger.set_state(file, "done")


def publish_again(files: list[DropFile], folder: Path, store: Store) -> None:
    """Put files of a finished drop there again, in the same order and with the same bytes."""
    for file in files:
        local = _local(folder, file)
        if store.atomic:
            temporary = temporary_name(file.name, "again")
            store.put(local, temporary)
            store.rename(temporary, file.name)
        else:
            store.put(local, file.name)


def temporary_name(name: str, attempt: int | str) -> str:
    """Return the hidden name under which an attempt uploads a file, beside its final place."""
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}.{last}.{attempt}.part"


def _rename_into_place(file: DropFile, folder: Path, store: Store, ledger: Ledger) -> None:
    temporary = temporary_name(file.name, file.attempt)
    if file.state == "renaming":
        if store.size(temporary) is None:
            return
    else:
        # Every attempt has a name of its own: a server may go on writing, or tidy up, what an
        # upload that was cut off has left, after the connection has gone.
        if file.attempt:
            store.delete(temporary)
        temporary = temporary_name(file.name, ledger.begin_upload(file))
        store.put(_local(folder, file), temporary)
        ledger.set_state(file, "renaming")
    store.rename(temporary, file.name)


def _local(folder: Path, file: DropFile) -> Path:
    path = folder / file.name
    if not path.is_file() or path.stat().st_size != file.bytes:
        raise DeliveryStopped(
            f"the local copy {path} is missing or was changed: it is not what was planned",
            "Bring it back as it was, with its size and SHA-256 as `replicator drops list` tells.",
        )
    return path
