"""What runs measured, to compare later runs with, and what an operator accepted in their place.

What runs measured is written together with the proof (`proofs`). An acceptance is an audited act: it is kept with who,
why and what, told through the outbox, and never changed or deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from restorecheck.assertions.baselines import Accepted, Past, known
from restorecheck.model import Against, Assertion, Check, Known, Measured
from restorecheck.store.database import Database
from restorecheck.store.instants import moment, seconds
from restorecheck.store.outbox import Draft, keep
from restorecheck.store.packing import packed, unpacked
from restorecheck.store.tables import ACCEPTED, MEASURED

_EVER = 1_000
"""At most so many runs are looked at for one baseline: more than a year of nightly ones."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """One act of accepting: what a run measured, whatever was there before."""

    check: str
    assertion: str
    at: datetime
    actor: str
    reason: str
    run_id: str
    measured: Measured


class Baselines:
    """The baselines of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def known(self, check: Check, now: datetime) -> tuple[Known, ...]:
        """Return what every assertion of a check that asks for it is to be compared with. Raises StoreError."""
        asked = [(a, against) for a in check.assertions if (against := _history(a)) is not None]
        if not asked:
            return ()
        past: dict[str, Sequence[Past]] = {}
        accepted: dict[str, Accepted] = {}
        with self._database.read() as connection:
            for assertion, against in asked:
                past[assertion.name] = _past(connection, check.name, assertion.name, against, now)
                if newest := _acceptances(connection, check.name, assertion.name, 1):
                    accepted[assertion.name] = Accepted(newest[0].at, newest[0].actor, newest[0].measured)
        return known(check, past, accepted, now)

    def measured(self, run_id: str) -> dict[str, Measured]:
        """Return what a run measured, by assertion; empty if that is nothing. Raises StoreError."""
        query = sa.select(MEASURED).where(MEASURED.c.run_id == run_id).order_by(MEASURED.c.position)
        with self._database.read() as connection:
            return {r.assertion: unpacked(r.measured) for r in connection.execute(query)}

    def newest(self, check: str, assertion: str) -> str | None:
        """Return the id of the newest run that measured anything of an assertion, whatever its verdict."""
        query = (
            sa.select(MEASURED.c.run_id)
            .where(MEASURED.c.check_name == check, MEASURED.c.assertion == assertion)
            .order_by(MEASURED.c.at.desc(), MEASURED.c.run_id.desc())
            .limit(1)
        )
        with self._database.read() as connection:
            return connection.execute(query).scalar_one_or_none()

    def accept(self, acceptances: Sequence[Acceptance]) -> None:
        """Keep acceptances, and tell of each, all or nothing. Raises StoreError."""
        with self._database.write() as connection:
            for one in acceptances:
                row = {
                    "check_name": one.check,
                    "assertion": one.assertion,
                    "at": seconds(one.at),
                    "actor": one.actor,
                    "reason": one.reason,
                    "run_id": one.run_id,
                    "measured": packed(one.measured),
                }
                connection.execute(sa.insert(ACCEPTED).values(row))
                key = f"baseline-accepted:{one.check}:{one.assertion}:{one.at.astimezone(UTC).isoformat()}"
                payload = {
                    "check": one.check,
                    "assertion": one.assertion,
                    "run": one.run_id,
                    "actor": one.actor,
                    "reason": one.reason,
                }
                keep(self._database, connection, Draft("baseline-accepted", key, payload))

    def acceptances(self, check: str, assertion: str | None = None, limit: int = _EVER) -> list[Acceptance]:
        """Return what was accepted of a check, newest first. Raises StoreError."""
        with self._database.read() as connection:
            return _acceptances(connection, check, assertion, limit)


def _history(assertion: Assertion) -> Against | None:
    """Return what of the store an assertion is compared with, if anything."""
    against = assertion.expect.of or assertion.expect.same_as
    return None if against is None or against.kind == "reference" else against


def _past(connection: sa.Connection, check: str, assertion: str, against: Against, now: datetime) -> list[Past]:
    """Return the runs that may count for a baseline, the newest first."""
    if against.kind == "accepted":
        return []
    query = (
        sa.select(MEASURED.c.run_id, MEASURED.c.at, MEASURED.c.measured)
        .where(MEASURED.c.check_name == check, MEASURED.c.assertion == assertion, MEASURED.c.baseline)
        .order_by(MEASURED.c.at.desc(), MEASURED.c.run_id.desc())
        .limit({"previous": 1, "median": against.runs or 1}.get(against.kind, _EVER))
    )
    if against.kind == "max":
        query = query.where(MEASURED.c.at >= seconds(now - (against.span or timedelta(0))))
    return [Past(r.run_id, moment(r.at), unpacked(r.measured)) for r in connection.execute(query)]


def _acceptances(connection: sa.Connection, check: str, assertion: str | None, limit: int) -> list[Acceptance]:
    query = sa.select(ACCEPTED).where(ACCEPTED.c.check_name == check)
    if assertion is not None:
        query = query.where(ACCEPTED.c.assertion == assertion)
    query = query.order_by(ACCEPTED.c.at.desc(), ACCEPTED.c.id.desc()).limit(limit)
    return [
        Acceptance(r.check_name, r.assertion, moment(r.at), r.actor, r.reason, r.run_id, unpacked(r.measured))
        for r in connection.execute(query)
    ]
