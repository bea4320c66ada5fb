"""Drops whose store dies at a step, and a third party that takes what it sees."""

from __future__ import annotations

from pathlib import Path

from replicator.targets.files.manifest import decode, decode_snapshot
from replicator.targets.files.store.local import LocalStore
from tests.unit.targets.rounds import contents


class Crash(Exception):
    """The process ends here."""


class CrashingStore(LocalStore):
    """A folder whose user dies before or after its n-th step has taken effect."""

    def __init__(self, path: Path, step: int, *, after: bool) -> None:
        super().__init__(path)
        self.step = step
        self._after = after

    def put(self, local: Path, name: str) -> None:
        if self._dies():
            (self._path / name).parent.mkdir(parents=True, exist_ok=True)
            (self._path / name).write_bytes(local.read_bytes()[:7])  # half of it
            if self._after:
                super().put(local, name)
            raise Crash
        super().put(local, name)

    def rename(self, old: str, new: str) -> None:
        if self._dies():
            if self._after:
                super().rename(old, new)
            raise Crash
        super().rename(old, new)

    def _dies(self) -> bool:
        self.step -= 1
        return self.step == 0


class ThirdParty:
    """Takes each file that it sees, and must see none twice, nor a manifest before its files."""

    def __init__(self, folder: Path) -> None:
        self.taken: dict[str, bytes] = {}
        self._folder = folder

    def fetch(self) -> None:
        for name, data in contents(self._folder).items():
            if not Path(name).name.startswith("."):
                assert name not in self.taken
                self.taken[name] = data
                (self._folder / name).unlink()
        for data in self.taken.values():
            manifest = decode(data) or decode_snapshot(data)
            listed = manifest.files if manifest is not None else []
            assert {file.name for file in listed} <= self.taken.keys()
