"""Who is told what: episodes and deliveries; counts that nothing takes away; when things were first seen.

All begin empty: nobody is told of old runs again, and the counts are of what happens from here on.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "episodes",
        sa.Column("key", sa.String(128), primary_key=True),
        sa.Column("check_name", sa.String(64), nullable=False),
        sa.Column("episode", sa.JSON, nullable=False),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("notice_id", sa.String(255), nullable=False),
        sa.Column("receiver", sa.String(64), nullable=False),
        sa.Column("key", sa.String(128), nullable=False),
        sa.Column("turn", sa.String(16), nullable=False),
        sa.Column("notice", sa.JSON, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_try", sa.Float, nullable=False),
        sa.Column("claimed_by", sa.String(64)),
        sa.Column("claimed_until", sa.Float),
        sa.Column("ended", sa.Float),
        sa.Column("acknowledged", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("reason", sa.String(32)),
        sa.Column("why", sa.Text),
        sa.UniqueConstraint("notice_id", "receiver", name="deliveries_once"),
    )
    op.create_index("deliveries_by_turn", "deliveries", ["state", "receiver", "next_try"])
    op.create_index("deliveries_by_key", "deliveries", ["receiver", "key", "id"])
    op.create_table(
        "counters",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("labels", sa.String(255), primary_key=True),
        sa.Column("value", sa.Float, nullable=False),
    )
    op.create_table(
        "first_seen",
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
    )
