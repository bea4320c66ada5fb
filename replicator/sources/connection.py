"""A driver's own connection, taken from an engine when it is first needed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, PoolProxiedConnection


class DriverConnection:
    """Holds one connection of an engine's pool, out of any transaction of SQLAlchemy's."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._proxy: PoolProxiedConnection | None = None

    def get(self) -> Any:
        """Return the driver's connection."""
        if self._proxy is None:
            self._proxy = self._engine.raw_connection()
        return self._proxy.driver_connection

    def discard(self) -> None:
        """Close the connection: what it was doing may be half done."""
        if self._proxy is not None:
            proxy, self._proxy = self._proxy, None
            proxy.invalidate()
