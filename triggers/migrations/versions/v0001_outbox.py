"""The first form of the outbox tables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql, postgresql

revision = "0001"
down_revision = None

MYSQL_OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_bin",
}

Time = sa.DateTime(timezone=True).with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
LongText = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
Image = (
    sa.Text()
    .with_variant(postgresql.JSON(), "postgresql")
    .with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
)
ChangeId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Code = sa.String(1).with_variant(postgresql.CHAR(1), "postgresql")

NOW = {
    "postgresql": "clock_timestamp()",
    "mysql": "(UTC_TIMESTAMP(6))",
    "mariadb": "(UTC_TIMESTAMP(6))",
    "sqlite": "(strftime('%Y-%m-%d %H:%M:%f000', 'now'))",
}

EPOCH = {
    "postgresql": "gen_random_uuid()::text",
    "mysql": "uuid()",
    "mariadb": "uuid()",
    "sqlite": "lower(hex(randomblob(16)))",
}


def upgrade(schema: str | None) -> None:
    """Create every table; a creation that was interrupted is taken up again."""
    dialect = op.get_context().dialect.name

    def create(name: str, *columns: sa.schema.SchemaItem, **options: Any) -> sa.Table:
        return op.create_table(
            name, *columns, schema=schema, if_not_exists=True, **MYSQL_OPTIONS, **options
        )

    state = create(
        "outbox_state",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.String(36), nullable=False),
        sa.Column("highest_id", sa.BigInteger, nullable=False),
        sa.Column("last_batch", sa.BigInteger, nullable=False),
        sa.Column("purged_to", sa.BigInteger, nullable=False),
        sa.Column("purged_batch", sa.BigInteger, nullable=False),
        sa.Column("sealed_to", Time),
    )
    identity = [sa.Identity(always=True, cache=1)] if dialect == "postgresql" else []
    create(
        "outbox_change",
        sa.Column("id", ChangeId, *identity, primary_key=True, autoincrement=True),
        sa.Column("table_name", sa.String(255), nullable=False),
        sa.Column("op", Code, nullable=False),
        sa.Column("before", Image),
        sa.Column("after", Image),
        sa.Column("origin", sa.String(255)),
        sa.Column("captured_at", Time, nullable=False, server_default=sa.text(NOW[dialect])),
        sqlite_autoincrement=True,
    )
    create(
        "outbox_batch",
        sa.Column("batch_no", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("ids", LongText, nullable=False),
        sa.Column("first_id", sa.BigInteger, nullable=False),
        sa.Column("last_id", sa.BigInteger, nullable=False),
        sa.Column("row_count", sa.BigInteger, nullable=False),
        sa.Column("first_captured_at", Time, nullable=False),
        sa.Column("last_captured_at", Time, nullable=False),
        sa.Column("sealed_at", Time, nullable=False),
    )
    create(
        "outbox_gap",
        sa.Column("first_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("last_id", sa.BigInteger, nullable=False),
        sa.Column("seen_at", Time, nullable=False),
        sa.Column("horizon", sa.BigInteger),
        sa.Column("closed_at", Time),
        sa.Column("reason", sa.String(255)),
        # An index in the form of a constraint: MySQL creates it in one step with the table.
        sa.UniqueConstraint("closed_at", "first_id", name="outbox_gap_closed_at"),
    )
    create(
        "outbox_delivery",
        sa.Column("route", sa.String(120), primary_key=True),
        sa.Column("target", sa.String(120), primary_key=True),
        sa.Column("progress", sa.BigInteger, nullable=False),
        sa.Column("mark", sa.String(120), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("lease_owner", sa.String(255)),
        sa.Column("lease_until", Time),
        sa.Column("plan", LongText),
        sa.Column("window_end", Time),
        sa.Column("memo", LongText),
        sa.Column("last_error", LongText),
        sa.Column("last_error_at", Time),
        sa.Column("delivered_at", Time),
        sa.Column("ran_at", Time),
        sa.Column("changes", sa.BigInteger, nullable=False),
        sa.Column("written", sa.BigInteger, nullable=False),
        sa.Column("coerced", sa.BigInteger, nullable=False),
    )
    create(
        "outbox_dead_letter",
        sa.Column("route", sa.String(120), primary_key=True),
        sa.Column("target", sa.String(120), primary_key=True),
        sa.Column("change_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("batch_no", sa.BigInteger, nullable=False),
        sa.Column("table_name", sa.String(255), nullable=False),
        sa.Column("change", LongText, nullable=False),
        sa.Column("error", LongText, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("parked_at", Time, nullable=False),
    )
    create(
        "outbox_snapshot",
        sa.Column("route", sa.String(120), primary_key=True),
        sa.Column("target", sa.String(120), primary_key=True),
        sa.Column("table_name", sa.String(255), primary_key=True),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("position", LongText),
        sa.Column("copied", sa.BigInteger, nullable=False),
        sa.Column("estimate", sa.BigInteger, nullable=False),
        sa.Column("rate", sa.BigInteger),
        sa.Column("started_at", Time),
        sa.Column("finished_at", Time),
    )
    create(
        "outbox_capture",
        sa.Column("table_name", sa.String(255), primary_key=True),
        sa.Column("triggers", LongText, nullable=False),
        sa.Column("description", LongText, nullable=False),
        sa.Column("options", LongText, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("installed_at", Time, nullable=False),
    )
    if dialect == "sqlite":
        create("outbox_origin", sa.Column("origin", sa.Text, nullable=False))
    values: list[sa.ColumnElement[Any]] = [sa.literal(1), sa.literal_column(EPOCH[dialect])]
    values += [sa.literal(0)] * 4 + [sa.null()]
    absent = ~sa.exists(sa.select(state.c.id))
    op.execute(sa.insert(state).from_select(list(state.c.keys()), sa.select(*values).where(absent)))
