"""What assertions measured, with more than one number each, and what somebody accepted.

The baselines that are there are carried over: they came from runs that passed.
"""

from __future__ import annotations

import json
import zlib

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_AT_A_TIME = 500


def upgrade() -> None:
    """Make the tables, and fill the first from the baselines."""
    measured = op.create_table(
        "measured",
        sa.Column("run_id", sa.String(64), sa.ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("check_name", sa.String(64), nullable=False),
        sa.Column("assertion", sa.Text, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("baseline", sa.Boolean, nullable=False),
        sa.Column("measured", sa.LargeBinary, nullable=False),
    )
    op.create_index("measured_by_assertion", "measured", ["check_name", "assertion", "at"])
    op.create_table(
        "accepted",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("check_name", sa.String(64), nullable=False),
        sa.Column("assertion", sa.Text, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("run_id", sa.String(64), nullable=False),
        sa.Column("measured", sa.LargeBinary, nullable=False),
    )
    op.create_index("accepted_by_assertion", "accepted", ["check_name", "assertion", "at"])
    old = sa.table(
        "baselines",
        *(sa.column(name) for name in ("run_id", "position", "check_name", "assertion", "at", "value")),
    )
    rows = op.get_bind().execute(sa.select(old))
    while some := rows.fetchmany(_AT_A_TIME):
        op.bulk_insert(measured, [_row(row) for row in some])
    op.drop_index("baselines_by_assertion", "baselines")
    op.drop_table("baselines")


def _row(row: sa.Row[tuple[object, ...]]) -> dict[str, object]:
    text = json.dumps({"assertion": row.assertion, "value": row.value})
    return {
        "run_id": row.run_id,
        "position": row.position,
        "check_name": row.check_name,
        "assertion": row.assertion,
        "at": row.at,
        "baseline": True,
        "measured": zlib.compress(text.encode()),
    }
