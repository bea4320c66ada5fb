"""Reading ahead: the next changes are read while a target still writes.

A feed runs in a thread of its own and keeps a bounded number of bytes ready, in blocks, round
after round. The delivery takes rounds out of it in order.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from replicator.change import Block
from replicator.pipeline.batches import Batches, Waiting
from replicator.pipeline.contract import Progress, Round, Window, Windows
from replicator.pipeline.reader import ChangeReader
from replicator.pipeline.signal import BatchSignal

AHEAD_BYTES = 8 << 20
ROUND_ROWS = 250_000
LOOK_AGAIN = 1.0
"""Seconds after which new batches are looked for unasked: another replicator may have sealed."""

CLOSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class _Start:
    work: Round


class _End:
    """The end of a round."""


@dataclass(frozen=True, slots=True)
class _Failure:
    error: Exception


class _Room:
    """Lets through at most a number of bytes at a time, and always at least one piece."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._size = size
        self._changed = threading.Condition()
        self._open = True

    def take(self, size: int) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: self._free >= size or self._free == self._size or not self._open
            )
            self._free -= size

    def give(self, size: int) -> None:
        with self._changed:
            self._free += size
            self._changed.notify_all()

    def abandon(self) -> None:
        with self._changed:
            self._open = False
            self._changed.notify_all()


class Feed:
    """Rounds of one delivery's changes, from `start` on, read ahead of their use."""

    def __init__(
        self,
        batches: Batches,
        reader: ChangeReader,
        tables: Sequence[str],
        start: Progress,
        planned: Round | None,
        new_batch: BatchSignal,
        windows: Windows | None = None,
        window: Window | None = None,
    ) -> None:
        """Begin to read; with `windows`, each round is one of them, and `window` the first."""
        self._batches = batches
        self._reader = reader
        self._tables = tables
        self._position = start
        self._planned = planned
        self._windows = windows
        self._window = window
        self._new_batch = new_batch
        self._ready: queue.SimpleQueue[_Start | Block | _End | _Failure] = queue.SimpleQueue()
        self._room = _Room(AHEAD_BYTES)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._thread.start()

    def next_round(self, timeout: float) -> tuple[Round, Iterator[Block]] | None:
        """Return the next round and its changes, block by block; None after `timeout` seconds.

        The blocks must be used up before the next call. Raises what the reading raised.
        """
        try:
            item = self._ready.get(timeout=timeout)
        except queue.Empty:
            return None
        if isinstance(item, _Failure):
            raise item.error
        assert isinstance(item, _Start)
        return item.work, self._blocks()

    def close(self) -> None:
        """Stop reading. The thread gives its connections back when it ends.

        A read that hangs in the network is not waited for: its thread ends when the read does.
        """
        self._stopping.set()
        self._room.abandon()
        self._new_batch.wake()
        self._thread.join(CLOSE_SECONDS)

    def _blocks(self) -> Iterator[Block]:
        while True:
            item = self._ready.get()
            match item:
                case Block(json):
                    yield item
                    self._room.give(len(json))
                case _End():
                    return
                case _Failure(error):
                    raise error
                case _Start():
                    raise AssertionError("a round began inside another")

    def _next_round(self) -> Waiting | None:
        if self._planned is not None:
            return self._batches.planned_round(self._position, self._planned)
        if self._windows is None:
            return self._batches.next_round(self._position, ROUND_ROWS)
        if self._window is None:
            self._window = self._batches.first_window(self._position, self._windows)
        return self._batches.window_round(self._position, self._window)

    def _look_again(self) -> float:
        """Return after how many seconds to look for a round unasked."""
        if self._window is None:
            return LOOK_AGAIN
        rest = (self._window.end - datetime.now(UTC)).total_seconds()
        return min(max(rest, 0.001), LOOK_AGAIN)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                seen = self._new_batch.count()
                waiting = self._next_round()
                if waiting is None:
                    self._new_batch.wait(seen, self._look_again())
                    continue
                self._planned = None
                if waiting.work.window is not None and self._windows is not None:
                    self._window = self._windows.containing(waiting.work.window.end)
                self._ready.put(_Start(waiting.work))
                for block in self._reader.read(waiting.ids, self._tables):
                    self._room.take(len(block.json))
                    if self._stopping.is_set():
                        return
                    self._ready.put(block)
                self._ready.put(_End())
                self._position = waiting.work.reached
        except Exception as error:  # noqa: BLE001 - handed to the delivery, which decides
            self._ready.put(_Failure(error))
        finally:
            self._reader.close()
            self._batches.close()
