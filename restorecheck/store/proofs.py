"""Finished runs and their proofs.

A run is kept under its id, so recording it again replaces all of it. The proof is kept whole as JSON; the columns and
tables beside it are what is searched and measured by. Never holds a secret or a row value: a Report has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from restorecheck.durable import decode, encode
from restorecheck.errors import RestorecheckError
from restorecheck.model import Outcome, Report, RunState, Verdict
from restorecheck.store.counters import add
from restorecheck.store.database import Database
from restorecheck.store.instants import moment, seconds
from restorecheck.store.outbox import Draft, keep
from restorecheck.store.packing import clean, packed
from restorecheck.store.tables import FINDINGS, MEASURED, OUTBOX, PHASES, RUNS

_ENDED = RUNS.c.state == RunState.ENDED.value


class Proofs:
    """The finished runs of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, report: Report, *, events: Sequence[Draft] = ()) -> None:
        """Keep a report, count it and tell of it, all or nothing; one with the same run id is replaced, not told again.

        It is told again if people were told of another verdict. The run need not be in the ledger. `events` are put
        into the outbox beside "run-ended". Raises StoreError.
        """
        row = {
            "run_id": report.run_id,
            "check_name": report.check,
            "state": RunState.ENDED.value,
            "owner": None,
            "verdict": report.verdict.value,
            "failure_kind": report.failure.kind if report.failure else None,
            "started": seconds(report.started),
            "ended": seconds(report.ended),
            "refused": report.refused,
            "report": encode(replace(report, measured=()), Report),  # which has a table of its own
        }
        upsert = self._database.insert(RUNS).values(row)
        with self._database.write() as connection:
            mine = sa.select(RUNS.c.verdict).where(RUNS.c.run_id == report.run_id, _ENDED)
            was = connection.execute(mine).scalar_one_or_none()
            connection.execute(upsert.on_conflict_do_update(index_elements=["run_id"], set_=row))
            for table, rows in (
                (PHASES, _phases(report)),
                (FINDINGS, _findings(report)),
                (MEASURED, _measured(report)),
            ):
                connection.execute(sa.delete(table).where(table.c.run_id == report.run_id))
                if rows:
                    connection.execute(sa.insert(table), rows)
            trigger = connection.execute(sa.select(RUNS.c.trigger).where(RUNS.c.run_id == report.run_id)).scalar_one()
            # an event that nobody has seen yet must tell of the report that is kept, not of the one it replaced
            draft = _ended(report, trigger)
            new = keep(self._database, connection, draft, renew=True)
            if not new and was not in (None, report.verdict.value) and _is_told(connection, draft.key):
                # else people would go on believing the other verdict
                again = replace(draft, key=f"{draft.key}:{report.verdict}")
                keep(self._database, connection, again, renew=True)
            for event in events:
                keep(self._database, connection, event)
            if new:
                add(self._database, connection, "runs", 1, report.check, report.verdict.value)

    def run(self, run_id: str) -> Report:
        """Return one report. Raises RestorecheckError `config` for a run that has not finished, or StoreError."""
        with self._database.read() as connection:
            query = sa.select(RUNS.c.report).where(RUNS.c.run_id == run_id, _ENDED)
            found = connection.execute(query).scalar_one_or_none()
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
        query = sa.select(RUNS.c.report).where(_ENDED).order_by(RUNS.c.started.desc(), RUNS.c.run_id.desc())
        if checks:
            query = query.where(RUNS.c.check_name.in_(checks))
        if since is not None:
            query = query.where(RUNS.c.started >= seconds(since.astimezone(UTC)))
        with self._database.read() as connection:
            found = connection.execute(query.limit(limit)).scalars().all()
        return [decode(r, Report) for r in found]

    def last(self, check: str) -> Report | None:
        """Return the newest report of a check, or None if none has finished."""
        found = self.runs([check], limit=1)
        return found[0] if found else None

    def newest(self) -> dict[str, tuple[datetime, Verdict]]:
        """Return when the newest finished run of each check began, and its verdict. Reads no proof."""
        last = (
            sa.select(RUNS.c.check_name, sa.func.max(RUNS.c.started).label("started"))
            .where(RUNS.c.started.is_not(None))  # the index alone answers: only what has ended has started
            .group_by(RUNS.c.check_name)
            .subquery()
        )
        query = (
            sa.select(RUNS.c.check_name, RUNS.c.started, RUNS.c.verdict)
            .join(last, (RUNS.c.check_name == last.c.check_name) & (RUNS.c.started == last.c.started))
            .where(_ENDED)
            .order_by(RUNS.c.run_id)
        )
        with self._database.read() as connection:
            return {r.check_name: (moment(r.started), Verdict(r.verdict)) for r in connection.execute(query)}


def _is_told(connection: sa.Connection, key: str) -> bool:
    """Tell whether the event of this key is not pending any more."""
    query = sa.select(OUTBOX.c.id).where(OUTBOX.c.key == key, OUTBOX.c.delivered.is_not(None))
    return connection.execute(query).one_or_none() is not None


def _ended(report: Report, trigger: str | None) -> Draft:
    payload = {
        "run": report.run_id,
        "check": report.check,
        "verdict": report.verdict.value,
        "kind": report.failure.kind if report.failure else None,
        "trigger": trigger,
    }
    return Draft("run-ended", f"run-ended:{report.run_id}", payload)


def _phases(report: Report) -> list[dict[str, Any]]:
    return [
        {
            "run_id": report.run_id,
            "position": n,
            "name": clean(phase.name),
            "started": seconds(phase.started),
            "ended": seconds(phase.ended),
        }
        for n, phase in enumerate(report.phases)
    ]


def _findings(report: Report) -> list[dict[str, Any]]:
    """Return the findings as rows of clean text; the proof beside them keeps it as it was."""
    return [
        {
            "run_id": report.run_id,
            "position": n,
            "name": clean(finding.name),
            "outcome": finding.outcome.value,
            "kind": clean(finding.kind),
            "expected": clean(finding.expected),
            "observed": clean(finding.observed),
            "message": clean(finding.message),
            "seconds": finding.seconds,
            "value": clean(finding.value) if finding.value is not None else None,
        }
        for n, finding in enumerate(report.findings)
    ]


def _measured(report: Report) -> list[dict[str, Any]]:
    """Return what was measured, and whether later runs may be compared with it.

    They may if it held in a run in which all else held, or if it is the first of its kind in a run that failed in
    nothing: a run that only learns has no green verdict, and somebody must be first.
    """
    learns = report.verdict is Verdict.UNPROVEN and report.failure is not None and report.failure.kind == "learning"
    sound = report.verdict is Verdict.PASSED or learns
    held = {f.name for f in report.findings if f.outcome in (Outcome.PASS, Outcome.LEARNING)}
    return [
        {
            "run_id": report.run_id,
            "position": n,
            "check_name": report.check,
            "assertion": clean(measured.assertion),
            "at": seconds(report.started),
            "baseline": sound and measured.assertion in held,
            "measured": packed(measured),
        }
        for n, measured in enumerate(report.measured)
    ]
