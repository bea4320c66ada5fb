"""A TCP proxy that makes the network between two programs misbehave on demand."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable
from typing import Self, cast

from tests.servers.base import free_port

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 seconds: close() sends a reset


class _Half(asyncio.Protocol):
    """One of the two sockets of a proxied connection; forwards what it reads to its `peer`."""

    def __init__(self, proxy: TCPProxy, peer: _Half | None = None) -> None:
        self._proxy = proxy
        self._transport: asyncio.Transport | None = None
        self._writable = True
        self._peer = peer
        if peer is not None:
            peer._peer = self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._proxy._halves.add(self)
        if self._peer is None:
            self._proxy._connect_upstream(self)
        elif self._peer._transport is None or self._peer._transport.is_closing():
            self._transport.abort()  # the client has gone while its connection was being made
        else:
            self._peer.read_if_allowed()
        # Not now: asyncio in some 3.11 releases starts to read right after this, paused or not.
        self._proxy._loop.call_soon(self.read_if_allowed)

    def read_if_allowed(self) -> None:
        """Read exactly when the proxy flows and the peer takes what is read."""
        if self._transport is None or self._transport.is_closing():
            return
        peer = self._peer
        connected = peer is not None and peer._transport is not None and peer._writable
        if connected and not self._proxy._stalled:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def reset(self) -> None:
        """End the connection so that the other end sees a reset."""
        if self._transport is not None:
            end = self._transport.get_extra_info("socket")
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        assert self._peer is not None
        assert self._peer._transport is not None
        self._peer._transport.write(data)

    def pause_writing(self) -> None:
        self._writable = False
        if self._peer is not None:
            self._peer.read_if_allowed()

    def resume_writing(self) -> None:
        self._writable = True
        if self._peer is not None:
            self._peer.read_if_allowed()

    def connection_lost(self, exc: Exception | None) -> None:
        self._proxy._halves.discard(self)
        if self._peer is not None and self._peer._transport is not None:
            if exc is None:
                self._peer._transport.close()
            else:
                self._peer.reset()


class TCPProxy:
    """Listens on a port of 127.0.0.1 and forwards every connection to `upstream_port` there.

    Its methods may be called from any thread and have taken effect when they return.
    """

    def __init__(self, upstream_port: int) -> None:
        """Start to listen on `port`, which stays the same for the proxy's life."""
        self.port = free_port()
        self._upstream_port = upstream_port
        self._halves: set[_Half] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self._stalled = False
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self.accept()

    @property
    def connections(self) -> int:
        """How many client connections go through the proxy now."""
        return (len(self._halves) + 1) // 2

    def stall(self) -> None:
        """Forward nothing more, in either direction; connections stay, new ones are taken too."""
        self._call(lambda: self._set_stalled(True))

    def resume(self) -> None:
        """Forward again, beginning with what came in during the stall."""
        self._call(lambda: self._set_stalled(False))

    def cut(self) -> None:
        """Reset every connection, on both sides; new ones are taken."""
        self._call(self._reset_all)

    def refuse(self) -> None:
        """Refuse new connections, as when nobody listens; established ones stay."""
        self._call(self._stop_listening)

    def accept(self) -> None:
        """Take new connections (again)."""
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()

    def close(self) -> None:
        """End every connection and stop listening for good."""
        self.refuse()
        self.cut()
        asyncio.run_coroutine_threadsafe(self._finish_connecting(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _call(self, action: Callable[[], object]) -> None:
        """Run `action` in the proxy's own thread and wait for it."""

        async def act() -> None:
            action()
            await asyncio.sleep(0)  # asyncio closes an aborted socket in its next round

        asyncio.run_coroutine_threadsafe(act(), self._loop).result()

    def _set_stalled(self, stalled: bool) -> None:
        self._stalled = stalled
        for half in self._halves:
            half.read_if_allowed()

    def _reset_all(self) -> None:
        for half in self._halves:
            half.reset()

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await self._loop.create_server(
                lambda: _Half(self), "127.0.0.1", self.port
            )

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _connect_upstream(self, client: _Half) -> None:
        async def connect() -> None:
            try:
                await self._loop.create_connection(
                    lambda: _Half(self, client), "127.0.0.1", self._upstream_port
                )
            except OSError:
                client.reset()

        task = self._loop.create_task(connect())
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _finish_connecting(self) -> None:
        await asyncio.gather(*self._connecting)
