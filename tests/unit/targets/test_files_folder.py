from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from replicator.errors import DeliveryStopped, ReplicatorError, TargetUnavailable
from replicator.targets.files.folder import Folder
from tests.unit.targets.rounds import contents


def test_a_draft_is_hidden_until_it_is_published(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "a" / "b")
    folder.prepare()
    draft = folder.draft("x.csv")
    draft.append(b"one")
    draft.append(b"two")
    draft.complete()
    assert contents(folder.path) == {".x.csv.part": b"onetwo"}
    draft.publish()
    folder.sync()
    draft.discard()
    assert contents(folder.path) == {"x.csv": b"onetwo"}


def test_a_left_over_draft_is_replaced_and_never_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"precious")
    (tmp_path / ".x.part").symlink_to(elsewhere)
    draft = Folder(tmp_path).draft("x")
    draft.append(b"new")
    draft.complete()
    draft.publish()
    assert contents(tmp_path) == {"x": b"new", "elsewhere": b"precious"}


@pytest.mark.parametrize("foreign", [b"longer than what was written", b""])
def test_a_draft_that_another_process_changed_is_not_published(
    tmp_path: Path, foreign: bytes
) -> None:
    draft = Folder(tmp_path).draft("x")
    draft.append(b"mine")
    draft.complete()
    (tmp_path / ".x.part").write_bytes(foreign)
    actions: list[Callable[[], None]] = [
        lambda: draft.append(b"more"),
        draft.complete,
        draft.publish,
    ]
    for action in actions:
        with pytest.raises(TargetUnavailable, match="where 4 were written"):
            action()
    draft.discard()
    assert contents(tmp_path) == {}


@pytest.mark.parametrize(
    ("number", "kind", "hint"),
    [
        (errno.ENOSPC, TargetUnavailable, "Free space for"),
        (errno.EDQUOT, TargetUnavailable, "Free space for"),
        (errno.EIO, TargetUnavailable, "disk or share is in order"),
        (errno.EACCES, DeliveryStopped, "may create, rename and remove files"),
        (errno.EROFS, DeliveryStopped, "may create, rename and remove files"),
    ],
)
def test_errors_tell_folder_reason_and_way_out(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    kind: type[ReplicatorError],
    hint: str,
) -> None:
    draft = Folder(tmp_path).draft("x")

    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(kind) as caught:
        draft.complete()
    assert str(tmp_path) in caught.value.message
    assert os.strerror(number) in caught.value.message
    assert hint in caught.value.hint


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "taken").write_bytes(b"")
    for path in (tmp_path / "taken", tmp_path / "taken" / "below"):
        with pytest.raises(DeliveryStopped, match="Not a directory"):
            Folder(path).prepare()


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(DeliveryStopped, match="Shorten the target's name pattern"):
        Folder(tmp_path).draft("x" * 255)


@contextmanager
def unprivileged() -> Iterator[None]:
    """Not root for a while: root may write everywhere."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with unprivileged(), pytest.raises(DeliveryStopped, match="Permission denied"):
            Folder(tmp_path).draft("x")
        with unprivileged(), pytest.raises(DeliveryStopped, match="Permission denied"):
            Folder(tmp_path / "below").prepare()
    finally:
        tmp_path.chmod(0o700)


def test_a_folder_that_vanished(tmp_path: Path) -> None:
    with pytest.raises(TargetUnavailable, match="No such file or directory"):
        Folder(tmp_path / "gone").draft("x")
