"""How checks stand: their newest runs and verdicts, for many checks at once, read from columns alone.

A thousand checks are asked for every few seconds, so nothing here looks at more of a check's history than its newest
runs, and no proof is read unless it is asked for by its run id. Writes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from restorecheck.model import Report, RunState, Verdict
from restorecheck.store.database import Database
from restorecheck.store.deliveries import readable
from restorecheck.store.instants import moment
from restorecheck.store.tables import RUNS

RECENT = 10
"""So many of the newest runs of a check are known one by one."""

_AT_A_TIME = 200
_COLUMNS = ("run_id", "check_name", "verdict", "started", "ended")
_ENDED = RUNS.c.state == RunState.ENDED.value


@dataclass(frozen=True, slots=True)
class Ended:
    """One finished run, without its proof."""

    run_id: str
    check: str
    verdict: Verdict
    started: datetime
    ended: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of the runs of one check."""

    recent: tuple[Ended, ...] = ()  # the newest first, at most RECENT
    newest: Mapping[Verdict, Ended] = field(default_factory=dict)  # by verdict, however long ago
    failures: int = 0  # finished runs since the newest that passed
    refused: datetime | None = None  # when a run last ended in which the fence refused a call
    begun: datetime | None = None  # since when a run of it is under way

    @property
    def last(self) -> Ended | None:
        """The newest finished run."""
        return self.recent[0] if self.recent else None


class Standings:
    """The checks of one store. Of a check, newest is what began last."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, checks: Collection[str]) -> dict[str, Standing]:
        """Return how each of these checks stands, all as of one moment. Raises StoreError."""
        recent: dict[str, list[Ended]] = {name: [] for name in checks}
        newest: dict[str, dict[Verdict, Ended]] = {name: {} for name in checks}
        with self._snapshot() as connection:
            for run in self._newest(connection, list(recent), RECENT):
                recent[run.check].append(run)
            for verdict in Verdict:
                for run in self._newest(connection, list(recent), 1, verdict):
                    newest[run.check][verdict] = run
            failures: dict[str, int] = dict(connection.execute(_failures(self._names(list(recent)))).all())
            refused = _moments(connection, sa.func.max(RUNS.c.ended), RUNS.c.refused)
            begun = _moments(connection, sa.func.min(RUNS.c.begun), RUNS.c.state == RunState.RUNNING.value)
        return {
            name: Standing(tuple(recent[name]), newest[name], failures[name], refused.get(name), begun.get(name))
            for name in recent
        }

    def reports(self, run_ids: Sequence[str]) -> Iterator[tuple[str, Report | None]]:
        """Yield the reports of these finished runs; None: this release cannot read it. Raises StoreError."""
        for begin in range(0, len(run_ids), _AT_A_TIME):  # there is a limit of parameters, and of memory
            some = run_ids[begin : begin + _AT_A_TIME]
            query = sa.select(RUNS.c.run_id, RUNS.c.report).where(RUNS.c.run_id.in_(some), _ENDED)
            with self._database.read() as connection:
                found = connection.execute(query).all()
            for run_id, report in found:
                yield run_id, readable(report, Report)

    @contextmanager
    def _snapshot(self) -> Iterator[sa.Connection]:
        """Open a connection whose queries all see the store as it was at the first of them."""
        with self._database.read() as connection:
            if not self._database.sqlite:  # where every transaction is such
                connection.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
            yield connection

    def _names(self, checks: list[str]) -> sa.TableValuedAlias:
        """Return names as a table with the column `value`: one parameter, however many they are."""
        given = sa.literal(checks, sa.JSON)
        if self._database.sqlite:
            return sa.func.json_each(given).table_valued(sa.column("value", sa.Text), name="names")
        listed = sa.func.jsonb_array_elements_text(sa.cast(given, JSONB))
        return listed.table_valued(sa.column("value", sa.Text), name="names")

    def _newest(
        self, connection: sa.Connection, checks: list[str], count: int, verdict: Verdict | None = None
    ) -> Iterator[Ended]:
        """Yield so many of the newest finished runs of each check, newest first, by one look at an index for each."""
        names, mine = self._names(checks), RUNS.alias("mine")
        with_it = [] if verdict is None else [mine.c.verdict == verdict.value]
        ended = (mine.c.started.is_not(None), mine.c.state == RunState.ENDED.value)
        last = (
            sa.select(*(mine.c[name] for name in _COLUMNS))
            .where(mine.c.check_name == names.c.value, *ended, *with_it)
            .order_by(mine.c.started.desc(), mine.c.run_id.desc())
            .limit(count)
        )
        if self._database.sqlite:  # which knows no LATERAL
            ids = last.with_only_columns(mine.c.run_id).correlate(names)
            joined = names.join(RUNS, RUNS.c.run_id.in_(ids))
            query = sa.select(*(RUNS.c[name] for name in _COLUMNS)).select_from(joined)
        else:
            lateral = last.lateral("newest")
            query = sa.select(lateral).select_from(names.join(lateral, sa.true()))
        for r in connection.execute(query.order_by(sa.desc("started"), sa.desc("run_id"))):
            yield Ended(r.run_id, r.check_name, Verdict(r.verdict), moment(r.started), moment(r.ended))


def _failures(names: sa.TableValuedAlias) -> sa.Select[Any]:
    """Return a query of how many runs of each check ended after the newest that passed."""
    passed, later = RUNS.alias("passed"), RUNS.alias("later")
    since = (
        sa.select(sa.func.max(passed.c.started))
        .where(passed.c.check_name == names.c.value, passed.c.verdict == Verdict.PASSED.value)
        .correlate(names)
        .scalar_subquery()
    )
    count = (
        sa.select(sa.func.count())
        .where(later.c.check_name == names.c.value, later.c.started > sa.func.coalesce(since, -1.0e12))
        .correlate(names)
        .scalar_subquery()
    )
    return sa.select(names.c.value, count)


def _moments(
    connection: sa.Connection, what: sa.ColumnElement[float], which: sa.ColumnElement[bool]
) -> dict[str, datetime]:
    query = sa.select(RUNS.c.check_name, what.label("at")).where(which).group_by(RUNS.c.check_name)
    return {r.check_name: moment(r.at) for r in connection.execute(query) if r.at is not None}
