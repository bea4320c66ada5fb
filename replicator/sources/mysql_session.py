"""A session of MySQL or MariaDB in which the server joins many lines into one value.

The driver takes several microseconds for each row of a result, whatever is in it. So neighbouring
lines are joined with GROUP_CONCAT, which drops lines and cuts texts when the result gets too long:
only what is proven to be shorter than that may be used.
"""

from __future__ import annotations

from pymysql.connections import Connection
from pymysql.cursors import Cursor
from sqlalchemy import Engine

from replicator.sources.connection import DriverConnection

LONGEST = 4 << 20
"""Bytes of joined lines that GROUP_CONCAT is allowed to return."""


class JoiningSession:
    """One connection, set up when it is taken. `longest` and `packet` hold from then on."""

    def __init__(self, engine: Engine) -> None:
        self._held = DriverConnection(engine)
        self.packet = 0
        """The server's max_allowed_packet: of anything longer it makes NULL."""
        self.longest = 0
        """Bytes that GROUP_CONCAT returns at most."""

    def connection(self) -> Connection[Cursor]:
        """Return the connection."""
        connection: Connection[Cursor] = self._held.get()
        if not self.packet:
            connection.autocommit(True)
            with connection.cursor() as cursor:
                # A slow target leaves rows unread for longer than the default minute.
                cursor.execute("SET SESSION net_write_timeout = 3600")
                cursor.execute("SELECT @@max_allowed_packet")
                ((packet,),) = cursor.fetchall()
                self.longest = min(packet, LONGEST)
                cursor.execute("SET SESSION group_concat_max_len = %s", (self.longest,))
            self.packet = packet
        return connection

    def discard(self) -> None:
        """Close the connection: what it was doing may be half done."""
        self.packet = 0
        self._held.discard()
