"""How checks stand, asked of both databases: the newest runs, verdicts and counts of many checks at once."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from store_places import AT, Place, entry, report

from restorecheck.errors import StoreError
from restorecheck.model import Report, Verdict
from restorecheck.store import Store
from restorecheck.store.standings import RECENT, Standing

pytest_plugins = ("store_fixtures",)

PASSED, BROKEN, UNPROVEN = Verdict.PASSED, Verdict.BROKEN, Verdict.UNPROVEN


def save(store: Store, *verdicts: Verdict, check: str = "orders-db", first: int = 0) -> list[Report]:
    made = [report(check, first + n, verdict) for n, verdict in enumerate(verdicts)]
    for one in made:
        store.proofs.save(one)
    return made


def test_a_check_that_never_ran_stands_nowhere(store: Store):
    save(store, PASSED, check="users-db")
    assert store.standings.of(["orders-db"]) == {"orders-db": Standing()}
    assert store.standings.of(["orders-db"])["orders-db"].last is None
    assert store.standings.of([]) == {}


def test_the_newest_runs_come_newest_first_and_no_more_than_ten(store: Store):
    made = save(store, *[PASSED] * 6, *[BROKEN] * 3, *[UNPROVEN] * 3)
    save(store, BROKEN, check="users-db")
    standing = store.standings.of(["orders-db", "none"])["orders-db"]
    assert [run.run_id for run in standing.recent] == [one.run_id for one in reversed(made)][:RECENT]
    last = standing.last
    assert last
    assert (last.check, last.verdict, last.started, last.ended) == (
        "orders-db",
        UNPROVEN,
        made[-1].started,
        made[-1].ended,
    )


def test_the_newest_run_of_each_verdict_is_found_however_long_ago_it_was(store: Store):
    made = save(store, BROKEN, PASSED, *[UNPROVEN] * (RECENT + 2))
    standing = store.standings.of(["orders-db"])["orders-db"]
    assert {verdict: run.run_id for verdict, run in standing.newest.items()} == {
        BROKEN: made[0].run_id,
        PASSED: made[1].run_id,
        UNPROVEN: made[-1].run_id,
    }
    assert standing.failures == RECENT + 2


def test_failures_are_counted_from_the_newest_pass_or_from_the_beginning(store: Store):
    save(store, BROKEN, UNPROVEN)
    save(store, PASSED, BROKEN, PASSED, check="users-db")
    found = store.standings.of(["orders-db", "users-db"])
    assert (found["orders-db"].failures, found["users-db"].failures) == (2, 0)


def test_a_run_that_waits_or_goes_on_is_no_finished_one(store: Store):
    save(store, PASSED)
    store.ledger.add(entry("orders-db", 600))
    assert store.standings.of(["orders-db"])["orders-db"].begun is None
    at = AT + timedelta(hours=11)
    store.ledger.admit("me", lambda waiting, running: [e.run_id for e in waiting], at)
    standing = store.standings.of(["orders-db"])["orders-db"]
    assert (standing.begun, standing.failures, len(standing.recent)) == (at, 0, 1)


def test_a_refusal_of_the_fence_is_known_by_when_its_run_ended(store: Store):
    refused = replace(report(hours=1, verdict=UNPROVEN), refused=True)
    for one in (report(), refused, report(hours=2), report("users-db")):
        store.proofs.save(one)
    found = store.standings.of(["orders-db", "users-db"])
    assert (found["orders-db"].refused, found["users-db"].refused) == (refused.ended, None)
    store.proofs.save(replace(refused, refused=False))
    assert store.standings.of(["orders-db"])["orders-db"].refused is None


def test_reports_come_by_their_ids_and_one_that_cannot_be_read_is_none(store: Store, place: Place):
    one, other = save(store, PASSED, BROKEN)
    place.sql(f"UPDATE runs SET report = '[]' WHERE run_id = '{other.run_id}'")
    assert dict(store.standings.reports([one.run_id, other.run_id, "none"])) == {one.run_id: one, other.run_id: None}
    assert list(store.standings.reports([])) == []


def test_a_name_is_never_sql(store: Store):
    name = "o'; DROP TABLE runs; --\"\\"
    assert store.standings.of([name]) == {name: Standing()}


def test_a_store_that_is_away_is_a_store_error(store: Store, place: Place):
    place.sql("ALTER TABLE runs RENAME TO gone")
    with pytest.raises(StoreError):
        store.standings.of(["orders-db"])


def test_of_thousands_of_runs_only_the_newest_are_looked_at(store: Store, place: Place):
    """Whatever the planner thinks of: no search of all runs for one check."""
    save(store, PASSED, BROKEN)
    numbers = "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 3000) SELECT n FROM s) AS s"
    place.sql(
        "INSERT INTO runs (run_id, check_name, verdict, started, ended, report) "
        f"SELECT 'users-db-' || n, 'users-db', 'passed', n, n + 1, '{{}}' FROM {numbers}",
        "ANALYZE",
    )
    assert store.standings.of(["users-db"])["users-db"].recent[-1].run_id == "users-db-2991"
    if place.sqlite:
        plan = "\n".join(plans(store, "users-db"))
        assert "runs_by_verdict (check_name=? AND verdict=?" in plan
        assert "runs_by_check (check_name=?" in plan
        assert not re.search(r"SCAN (mine|later|passed)|SCAN runs(?! USING .*runs_(refused|one_running))", plan), plan


def plans(store: Store, check: str) -> list[str]:
    """Return how SQLite answers each of the queries, in its own words."""
    asked: list[tuple[str, tuple[object, ...]]] = []
    engine = store._database.engine

    def note(connection: object, cursor: object, statement: str, parameters: tuple[object, ...], *rest: object) -> None:
        asked.append((statement, parameters))

    sa.event.listen(engine, "before_cursor_execute", note)
    store.standings.of([check])
    sa.event.remove(engine, "before_cursor_execute", note)
    with store._database.read() as connection:
        return [
            row[3]
            for statement, parameters in asked
            if statement.startswith("SELECT")
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]


def test_an_older_store_learns_from_its_proofs_which_runs_were_refused_something(store: Store, place: Place):
    refused = replace(report(), refused=True)
    store.proofs.save(refused)
    store.proofs.save(report("users-db"))
    place.sql(
        "DROP INDEX runs_refused",
        "DROP INDEX runs_by_verdict",
        "ALTER TABLE runs DROP COLUMN refused",
        "UPDATE alembic_version SET version_num = '0004'",
    )
    found = place.open().standings.of(["orders-db", "users-db"])
    assert {name: standing.refused for name, standing in found.items()} == {
        "orders-db": refused.ended,
        "users-db": None,
    }
