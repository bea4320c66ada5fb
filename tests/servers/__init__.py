"""Real database servers for the tests, and a proxy that disturbs the network in front of them."""

from tests.servers.base import DatabaseServer, ServerNotInstalled
from tests.servers.database import (
    DATABASE_KINDS,
    ENGINE_PAIRS,
    Database,
    DatabaseKind,
    in_short_form,
    server_database,
    sqlite_database,
)
from tests.servers.mariadb import MariaDBServer
from tests.servers.mysql import MySQLServer, mysql_program
from tests.servers.postgresql import PostgreSQLServer
from tests.servers.proxy import TCPProxy

__all__ = [
    "DATABASE_KINDS",
    "ENGINE_PAIRS",
    "Database",
    "DatabaseKind",
    "DatabaseServer",
    "MariaDBServer",
    "MySQLServer",
    "PostgreSQLServer",
    "ServerNotInstalled",
    "TCPProxy",
    "in_short_form",
    "mysql_program",
    "server_database",
    "sqlite_database",
]
