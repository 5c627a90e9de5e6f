"""What was measured in runs that passed, to compare later runs with. Written together with the proof (`proofs`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import sqlalchemy as sa

from restorecheck.store.database import Database
from restorecheck.store.instants import moment, seconds
from restorecheck.store.tables import BASELINES


@dataclass(frozen=True, slots=True)
class Baseline:
    """One number of one run that passed; `at` is when that run began."""

    run_id: str
    at: datetime
    value: Decimal


class Baselines:
    """The baselines of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, check: str, assertion: str, last: int, since: datetime | None = None) -> list[Baseline]:
        """Return at most the `last` numbers of an assertion, newest first, of runs that began at or after a time."""
        query = (
            sa.select(BASELINES)
            .where(BASELINES.c.check_name == check, BASELINES.c.assertion == assertion)
            .order_by(BASELINES.c.at.desc(), BASELINES.c.run_id.desc())
            .limit(last)
        )
        if since is not None:
            query = query.where(BASELINES.c.at >= seconds(since))
        with self._database.read() as connection:
            return [Baseline(r.run_id, moment(r.at), Decimal(r.value)) for r in connection.execute(query)]
