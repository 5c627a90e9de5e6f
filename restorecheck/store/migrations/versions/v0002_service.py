"""What the service keeps: the ledger, phases, findings, baselines, the outbox, replicas, pauses, timers, notes.

Phases and findings of the runs that are there are taken from their proofs. Those runs measured no values, so they give
no baselines; and nobody is told of them again.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_AT_A_TIME = 200


def upgrade() -> None:
    """Make the tables and fill them from the proofs."""
    with op.batch_alter_table("runs") as runs:  # SQLite cannot take NOT NULL away: the table is copied there
        runs.alter_column("verdict", existing_type=sa.String(16), nullable=True)
        runs.alter_column("started", existing_type=sa.Float(), nullable=True)
        runs.alter_column("ended", existing_type=sa.Float(), nullable=True)
        runs.alter_column("report", existing_type=sa.JSON(), nullable=True)
        runs.add_column(sa.Column("state", sa.String(16), nullable=False, server_default="ended"))
        runs.add_column(sa.Column("account", sa.Text))
        runs.add_column(sa.Column("scheduled_for", sa.Float))
        runs.add_column(sa.Column("not_before", sa.Float))
        runs.add_column(sa.Column("trigger", sa.String(16)))
        runs.add_column(sa.Column("owner", sa.Text))
        runs.add_column(sa.Column("cancelled", sa.Boolean, nullable=False, server_default=sa.false()))
        runs.add_column(sa.Column("begun", sa.Float))
    op.create_index("runs_by_state", "runs", ["state", "not_before"])
    running = sa.text("state = 'running'")
    op.create_index(
        "runs_one_running", "runs", ["check_name"], unique=True, sqlite_where=running, postgresql_where=running
    )
    phases, findings = _make_parts_of_runs()
    _make_the_rest()
    for some in _proofs():
        try:
            phase_rows = [row for run_id, report in some for row in _phases(run_id, report)]
            finding_rows = [row for run_id, report in some for row in _findings(run_id, report)]
        except (AttributeError, KeyError, TypeError) as e:
            raise ValueError(f"not a proof: {type(e).__name__}") from None
        op.bulk_insert(phases, phase_rows)
        op.bulk_insert(findings, finding_rows)


def _of_run() -> sa.Column[str]:
    return sa.Column("run_id", sa.String(64), sa.ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True)


def _make_parts_of_runs() -> tuple[sa.Table, sa.Table]:
    phases = op.create_table(
        "phases",
        _of_run(),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("started", sa.Float, nullable=False),
        sa.Column("ended", sa.Float, nullable=False),
    )
    findings = op.create_table(
        "findings",
        _of_run(),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("expected", sa.Text, nullable=False),
        sa.Column("observed", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("value", sa.Text),
    )
    op.create_table(
        "baselines",
        _of_run(),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("check_name", sa.String(64), nullable=False),
        sa.Column("assertion", sa.Text, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_index("baselines_by_assertion", "baselines", ["check_name", "assertion", "at"])
    return phases, findings


def _make_the_rest() -> None:
    op.create_table(
        "considered",
        sa.Column("check_name", sa.String(64), primary_key=True),
        sa.Column("until", sa.Float, nullable=False),
    )
    op.create_table(
        "misses",
        sa.Column("check_name", sa.String(64), primary_key=True),
        sa.Column("scheduled_for", sa.Float, primary_key=True),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("caught_up_by", sa.String(64)),
    )
    op.create_table(
        "replicas",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("beat", sa.Float, nullable=False),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("topic", sa.String(64), nullable=False),
        sa.Column("key", sa.String(255), nullable=False, unique=True),
        sa.Column("payload", sa.JSON, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_try", sa.Float, nullable=False),
        sa.Column("delivered", sa.Float),
        sa.Column("why", sa.Text),
    )
    op.create_index("outbox_by_turn", "outbox", ["delivered", "next_try"])
    op.create_table(
        "pauses",
        sa.Column("check_name", sa.String(64), primary_key=True),
        sa.Column("since", sa.Float, nullable=False),
        sa.Column("until", sa.Float),
    )
    op.create_table(
        "timers",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("since", sa.Float, nullable=False),
        sa.Column("fired", sa.Float, nullable=False),
    )
    op.create_table(
        "notes",
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("value", sa.JSON, nullable=False),
    )


def _proofs() -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """Return the runs that are there, some at a time, so that a long history needs no memory."""
    runs = sa.table("runs", sa.column("run_id", sa.String), sa.column("report", sa.JSON))
    last = ""
    while True:
        query = sa.select(runs.c.run_id, runs.c.report).where(runs.c.run_id > last).order_by(runs.c.run_id)
        found = [(row.run_id, row.report) for row in op.get_bind().execute(query.limit(_AT_A_TIME))]
        if not found:
            return
        yield found
        last = found[-1][0]


def _phases(run_id: str, report: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "run_id": run_id,
            "position": n,
            "name": phase["name"],
            "started": datetime.fromisoformat(phase["started"]).timestamp(),
            "ended": datetime.fromisoformat(phase["ended"]).timestamp(),
        }
        for n, phase in enumerate(report.get("phases", ()))
    ]


def _findings(run_id: str, report: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "run_id": run_id,
            "position": n,
            "name": finding["name"],
            "outcome": finding["outcome"],
            "kind": finding.get("kind", ""),
            "expected": finding["expected"],
            "observed": finding["observed"],
            "message": finding.get("message", ""),
            "seconds": finding.get("seconds", 0.0),
            "value": finding.get("value"),
        }
        for n, finding in enumerate(report.get("findings", ()))
    ]
