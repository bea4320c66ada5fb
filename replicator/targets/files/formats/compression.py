"""Compressed files whose bytes depend on nothing but their contents."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import zstandard

from replicator.change import Change
from replicator.targets.files.formats.text_file import Lines

_PIECE = 256 * 1024
_GZIP = 16 + zlib.MAX_WBITS  # a gzip header, in which zlib leaves name and time empty
_LEVEL = 6
_ZSTD_LEVEL = 3


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


class _File(Protocol):
    suffix: str

    def lines(self, changes: Sequence[Change]) -> Lines: ...

    def end(self, *, even_empty: bool = False) -> bytes: ...


class Compressed:
    """A file format, compressed while it is written.

    The compressor gets pieces of one size, so that the bytes do not depend on how the changes came.
    """

    def __init__(self, file: _File, compressor: _Compressor, suffix: str) -> None:
        self.suffix = file.suffix + suffix
        self._file = file
        self._compressor = compressor
        self._waiting = bytearray()
        self._begun = False

    def lines(self, changes: Sequence[Change]) -> Lines:
        """As the format's; the bytes of these changes may come with later ones."""
        lines = self._file.lines(changes)
        self._begun = self._begun or lines.count > 0
        self._waiting += lines.data
        return replace(lines, data=self._compressed())

    def end(self, *, even_empty: bool = False) -> bytes:
        """Return the rest of the file; see `FileFormat.end`."""
        self._waiting += self._file.end(even_empty=even_empty)
        if not self._begun and not even_empty:
            return b""
        whole = self._compressed()
        rest = self._compressor.compress(bytes(self._waiting))
        self._waiting.clear()
        return whole + rest + self._compressor.flush()

    def _compressed(self) -> bytes:
        compressed = []
        while len(self._waiting) >= _PIECE:
            compressed.append(self._compressor.compress(bytes(self._waiting[:_PIECE])))
            del self._waiting[:_PIECE]
        return b"".join(compressed)


def gzipped(file: _File) -> Compressed:
    """Compress for gzip."""
    return Compressed(file, zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP), ".gz")


def zstandardized(file: _File) -> Compressed:
    """Compress for zstd, with a checksum."""
    compressor = zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True)
    return Compressed(file, compressor.compressobj(), ".zst")
