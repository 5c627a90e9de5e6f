"""Finished runs and their proofs, in SQLite or PostgreSQL.

A run is kept under its id, so recording it again replaces it. The proof is kept whole as JSON; the columns beside it
are what is searched by. Never holds a secret or a row value: a Report has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from restorecheck.durable import decode, encode
from restorecheck.errors import RestorecheckError
from restorecheck.model import Report

_METADATA = sa.MetaData()

RUNS = sa.Table(
    "runs",
    _METADATA,
    sa.Column("run_id", sa.String(64), primary_key=True),
    sa.Column("check_name", sa.String(64), nullable=False),
    sa.Column("verdict", sa.String(16), nullable=False),
    sa.Column("failure_kind", sa.String(64)),
    sa.Column("started", sa.Float, nullable=False),  # seconds since 1970, UTC: the same in every database
    sa.Column("ended", sa.Float, nullable=False),
    sa.Column("report", sa.JSON, nullable=False),
    sa.Index("runs_by_check", "check_name", "started"),
)


class RunStore:
    """The runs in one database. Safe to use from several threads and processes."""

    def __init__(self, url: str) -> None:
        self._engine = sa.create_engine(url)
        if self._engine.dialect.name == "sqlite":
            sa.event.listen(self._engine, "connect", _tune_sqlite)
        try:
            with self._engine.begin() as connection:
                _METADATA.create_all(connection)
        except sa.exc.DatabaseError as e:
            raise RestorecheckError(
                f"the store {self._engine.url!r} cannot be opened: {e.orig}",
                "put a good copy back, or move it away: a new one is made",
                kind="config",
            ) from e

    @classmethod
    def in_directory(cls, state: Path) -> RunStore:
        """Open, or make, the store of a state directory."""
        return cls(f"sqlite:///{state / 'restorecheck.sqlite'}")

    def save(self, report: Report) -> None:
        """Keep a report; one with the same run id is replaced."""
        row = {
            "run_id": report.run_id,
            "check_name": report.check,
            "verdict": str(report.verdict),
            "failure_kind": report.failure.kind if report.failure else None,
            "started": report.started.timestamp(),
            "ended": report.ended.timestamp(),
            "report": encode(report, Report),
        }
        with self._engine.begin() as connection:
            changed = connection.execute(sa.update(RUNS).where(RUNS.c.run_id == report.run_id).values(row))
            if changed.rowcount == 0:
                connection.execute(sa.insert(RUNS).values(row))

    def run(self, run_id: str) -> Report:
        """Return one report. Raises RestorecheckError `config` for a run that the store does not know."""
        with self._engine.connect() as connection:
            found = connection.execute(sa.select(RUNS.c.report).where(RUNS.c.run_id == run_id)).scalar_one_or_none()
        if found is None:
            raise RestorecheckError(
                f"there is no finished run {run_id!r}", "`restorecheck history` lists the runs", kind="config"
            )
        report: Report = decode(found, Report)
        return report

    def runs(
        self, checks: Sequence[str] = (), *, since: datetime | None = None, limit: int | None = None
    ) -> list[Report]:
        """Return reports, newest first; of some checks only, begun at or after a time only, so many at most."""
        query = sa.select(RUNS.c.report).order_by(RUNS.c.started.desc(), RUNS.c.run_id.desc())
        if checks:
            query = query.where(RUNS.c.check_name.in_(checks))
        if since is not None:
            query = query.where(RUNS.c.started >= since.astimezone(UTC).timestamp())
        with self._engine.connect() as connection:
            return [decode(r, Report) for r in connection.execute(query.limit(limit)).scalars()]

    def close(self) -> None:
        """Give all connections back."""
        self._engine.dispose()


def _tune_sqlite(connection: sa.engine.interfaces.DBAPIConnection, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")  # readers do not wait for a writer
    cursor.execute("PRAGMA busy_timeout = 10000")
    cursor.close()
