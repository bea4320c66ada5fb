"""The outbox tables of a source database, as SQLAlchemy tables.

The Alembic migrations in `triggers/migrations` create them; these definitions are for querying.
All times are UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import Dialect as SqlDialect

SCHEMA_VERSION = "0001"
"""The newest migration that this program knows."""


class UtcTime(sa.TypeDecorator[datetime]):
    """An aware UTC `datetime`, kept with microseconds in every engine."""

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: SqlDialect) -> sa.types.TypeEngine[Any]:
        """Choose the engine's own type that keeps microseconds."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.DateTime(timezone=True))
        if dialect.name in ("mysql", "mariadb"):
            from sqlalchemy.dialects.mysql import DATETIME

            return dialect.type_descriptor(DATETIME(fsp=6))
        return dialect.type_descriptor(sa.DateTime())

    def process_bind_param(self, value: datetime | None, dialect: SqlDialect) -> datetime | None:
        """Store UTC; engines without zones get the naive UTC time."""
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(
        self,
        value: datetime | None,
        dialect: SqlDialect,  # noqa: ARG002
    ) -> datetime | None:
        """Return an aware UTC time."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


@dataclass(frozen=True)
class Outbox:
    """The outbox tables of one source; `schema` is PostgreSQL's schema, None elsewhere."""

    schema: str | None
    state: sa.Table
    change: sa.Table
    batch: sa.Table
    gap: sa.Table
    delivery: sa.Table
    dead_letter: sa.Table
    snapshot: sa.Table
    capture: sa.Table


def define_outbox(schema: str | None) -> Outbox:
    """Define the outbox tables in a schema (None: the database's default one)."""
    metadata = sa.MetaData(schema=schema)

    def table(name: str, *columns: sa.Column[Any]) -> sa.Table:
        return sa.Table(name, metadata, *columns)

    return Outbox(
        schema=schema,
        state=table(
            "outbox_state",
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("epoch", sa.String(36)),
            sa.Column("highest_id", sa.BigInteger),
            sa.Column("last_batch", sa.BigInteger),
            sa.Column("purged_to", sa.BigInteger),
            sa.Column("purged_batch", sa.BigInteger),
            sa.Column("sealed_to", UtcTime),
        ),
        change=table(
            "outbox_change",
            sa.Column("id", sa.BigInteger, primary_key=True),
            sa.Column("table_name", sa.String(255)),
            sa.Column("op", sa.String(1)),
            sa.Column("before", sa.Text),
            sa.Column("after", sa.Text),
            sa.Column("origin", sa.String(255)),
            sa.Column("captured_at", UtcTime),
        ),
        batch=table(
            "outbox_batch",
            sa.Column("batch_no", sa.BigInteger, primary_key=True, autoincrement=False),
            sa.Column("ids", sa.Text),
            sa.Column("first_id", sa.BigInteger),
            sa.Column("last_id", sa.BigInteger),
            sa.Column("row_count", sa.BigInteger),
            sa.Column("first_captured_at", UtcTime),
            sa.Column("last_captured_at", UtcTime),
            sa.Column("sealed_at", UtcTime),
        ),
        gap=table(
            "outbox_gap",
            sa.Column("first_id", sa.BigInteger, primary_key=True, autoincrement=False),
            sa.Column("last_id", sa.BigInteger),
            sa.Column("seen_at", UtcTime),
            sa.Column("horizon", sa.BigInteger),
            sa.Column("closed_at", UtcTime),
            sa.Column("reason", sa.String(255)),
        ),
        delivery=table(
            "outbox_delivery",
            sa.Column("route", sa.String(120), primary_key=True),
            sa.Column("target", sa.String(120), primary_key=True),
            sa.Column("progress", sa.BigInteger),
            sa.Column("mark", sa.String(120)),
            sa.Column("state", sa.String(20)),
            sa.Column("lease_owner", sa.String(255)),
            sa.Column("lease_until", UtcTime),
            sa.Column("plan", sa.Text),
            sa.Column("window_end", UtcTime),
            sa.Column("memo", sa.Text),
            sa.Column("last_error", sa.Text),
            sa.Column("last_error_at", UtcTime),
            sa.Column("delivered_at", UtcTime),
            sa.Column("ran_at", UtcTime),
            sa.Column("changes", sa.BigInteger),
            sa.Column("written", sa.BigInteger),
            sa.Column("coerced", sa.BigInteger),
        ),
        dead_letter=table(
            "outbox_dead_letter",
            sa.Column("route", sa.String(120), primary_key=True),
            sa.Column("target", sa.String(120), primary_key=True),
            sa.Column("change_id", sa.BigInteger, primary_key=True, autoincrement=False),
            sa.Column("batch_no", sa.BigInteger),
            sa.Column("table_name", sa.String(255)),
            sa.Column("change", sa.Text),
            sa.Column("error", sa.Text),
            sa.Column("attempts", sa.Integer),
            sa.Column("state", sa.String(20)),
            sa.Column("parked_at", UtcTime),
        ),
        snapshot=table(
            "outbox_snapshot",
            sa.Column("route", sa.String(120), primary_key=True),
            sa.Column("target", sa.String(120), primary_key=True),
            sa.Column("table_name", sa.String(255), primary_key=True),
            sa.Column("place", sa.Integer),
            sa.Column("state", sa.String(20)),
            sa.Column("position", sa.Text),
            sa.Column("copied", sa.BigInteger),
            sa.Column("estimate", sa.BigInteger),
            sa.Column("rate", sa.BigInteger),
            sa.Column("started_at", UtcTime),
            sa.Column("finished_at", UtcTime),
        ),
        capture=table(
            "outbox_capture",
            sa.Column("table_name", sa.String(255), primary_key=True),
            sa.Column("triggers", sa.Text),
            sa.Column("description", sa.Text),
            sa.Column("options", sa.Text),
            sa.Column("hash", sa.String(64)),
            sa.Column("installed_at", UtcTime),
        ),
    )
