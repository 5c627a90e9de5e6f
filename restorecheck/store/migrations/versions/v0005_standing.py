"""Which runs the fence refused something to, and where the newest run with a verdict is found without a search."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column, fill it from the proofs, and make the indexes."""
    op.add_column("runs", sa.Column("refused", sa.Boolean, nullable=False, server_default=sa.false()))
    runs = sa.table("runs", sa.column("report", sa.JSON), sa.column("refused", sa.Boolean))
    refused = runs.c.report["refused"].as_boolean()
    op.execute(sa.update(runs).where(refused).values(refused=sa.true()))
    op.create_index("runs_by_verdict", "runs", ["check_name", "verdict", "started"])
    op.create_index(
        "runs_refused",
        "runs",
        ["check_name", "ended"],
        sqlite_where=sa.text("refused = 1"),
        postgresql_where=sa.text("refused"),
    )
