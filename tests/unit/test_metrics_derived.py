"""Figures from facts: what every metric says, and that each is silent where nothing is known."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from metrics_world import (
    NOW,
    PRODUCTION,
    REGION,
    SCRATCH,
    WAITING,
    configured,
    facts,
    files,
    orders,
    piece,
    point,
    ran,
    swept,
)
from store_places import AT

from restorecheck.config import Config
from restorecheck.config.receivers import Alertmanager, AnyReceiver, Apprise, Heartbeat, Secret, Webhook
from restorecheck.config.resolved import Prices
from restorecheck.metrics import derived
from restorecheck.metrics.catalogue import LEFTOVERS, REASONS, VERDICTS
from restorecheck.metrics.figures import Figures
from restorecheck.metrics.proved import proved
from restorecheck.metrics.standing import Kept
from restorecheck.model import Pause, Report, Verdict
from restorecheck.store.standings import RECENT, Ended, Standing
from restorecheck.sweep import noted
from restorecheck.sweep.swept import State

PASSED, BROKEN, UNPROVEN = Verdict.PASSED, Verdict.BROKEN, Verdict.UNPROVEN


def ended(one: Report) -> Ended:
    return Ended(one.run_id, one.check, one.verdict, one.started, one.ended)


def stood(*reports: Report, **more: Any) -> Standing:
    """Return how a check stands after these runs, the oldest first."""
    runs = [ended(one) for one in reports]
    newest = {run.verdict: run for run in runs}
    verdicts = [run.verdict for run in runs]
    failures = verdicts[::-1].index(PASSED) if PASSED in verdicts else len(runs)
    return replace(Standing(tuple(runs[::-1][:RECENT]), newest, failures), **more)


def kept(*reports: Report, standing: dict[str, Any] | None = None, **more: Any) -> Kept:
    mine = stood(*[one for one in reports if one.check == "orders-db"], **(standing or {}))
    proofs = {one.run_id: proved(one) for one in reports}
    return Kept(standings={"orders-db": mine, "files": Standing()}, proofs=proofs, **more)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return configured(tmp_path)


def of(config: Config, what: Kept, now: datetime = NOW) -> Figures:
    return derived.figures(facts(config, what, now))


# --- a store that cannot be read, and a process that serves nobody ----------------------------------------------------


def test_without_the_store_only_the_process_speaks(config: Config):
    made = derived.figures(replace(facts(config, kept()), kept=None))
    assert {metric.name: dict(values) for metric, values in made} == {
        "build_info": {("1.2.3",): 1.0},
        "scheduler_last_tick_timestamp_seconds": {(): NOW.timestamp()},
        "config_last_reload_successful": {(): 1.0},
        "config_last_reload_success_timestamp_seconds": {(): AT.timestamp()},
        "store_up": {(): 0.0},
    }


def test_a_process_that_serves_nobody_has_no_tick(config: Config):
    made = derived.figures(replace(facts(config, kept()), process=None))
    assert not made.of("scheduler_last_tick_timestamp_seconds")
    assert not made.of("config_last_reload_successful")
    assert made.of("store_up") == {(): 1.0}


def test_a_process_that_has_not_looked_yet_has_no_tick_and_one_with_a_wrong_file_says_so(config: Config):
    moment = facts(config, kept())
    assert moment.process
    process = replace(moment.process, ticked=None, reload_worked=False)
    made = derived.figures(replace(moment, process=process))
    assert not made.of("scheduler_last_tick_timestamp_seconds")
    assert made.of("config_last_reload_successful") == {(): 0.0}
    assert made.of("config_last_reload_success_timestamp_seconds") == {(): AT.timestamp()}


# --- what is declared -------------------------------------------------------------------------------------------------


def test_a_check_says_what_it_is(config: Config):
    made = of(config, kept())
    assert made.of("check_info") == {
        ("orders-db", "rds", "postgresql", "team-payments", "true"): 1.0,
        ("files", "s3-objects", "", "", "false"): 1.0,
    }
    assert made.of("check_rpo_objective_seconds")["orders-db",] == 25 * 3600
    assert made.of("check_rto_objective_seconds")["orders-db",] == 2 * 3600
    assert made.of("check_retention_seconds") == {("orders-db",): 35 * 86_400}


@pytest.mark.parametrize(("number", "older"), [(0, {"pick": "random"}), (0, {"pick": "oldest"}), (1, {"at": 12})])
def test_what_is_old_on_purpose_is_not_held_to_how_new_it_may_be(config: Config, number: int, older: dict[str, Any]):
    names = ("orders-db", "files")
    checks = {check.name: check for check in config.checks}
    changed = {key: timedelta(hours=value) if key == "at" else value for key, value in older.items()}
    check = checks[names[number]]
    checks[check.name] = replace(check, source=replace(check.source, **changed), retention=timedelta(days=35))
    made = of(replace(config, checks=tuple(checks.values())), kept())
    for name in ("check_rpo_objective_seconds", "check_retention_seconds"):
        assert (check.name,) not in made.of(name)
    assert (check.name,) in made.of("check_rto_objective_seconds")
    assert made.of("assertion_info") == {
        ("orders-db", "orders", "query", "fail"): 1.0,
        ("orders-db", "users", "query", "warn"): 1.0,
        ("orders-db", "whole", "readable", "fail"): 1.0,
    }


@pytest.mark.parametrize(
    ("schedule", "zone", "hours"),
    [("0 3 * * *", "UTC", 24), ("0 3 * * mon-fri", "UTC", 72), ("0 3 * * *", "Europe/Berlin", 25)],
)
def test_the_interval_is_the_longest_gap_of_the_schedule(tmp_path: Path, schedule: str, zone: str, hours: int):
    config = configured(tmp_path, orders(schedule=schedule, timezone=zone), files())
    assert of(config, kept()).of("check_expected_interval_seconds") == {("orders-db",): hours * 3600}


def test_when_a_check_was_seen_and_comes_next_is_said_where_it_is_known(config: Config):
    made = of(config, kept())
    assert not made.of("check_first_seen_timestamp_seconds")
    assert not made.of("check_next_run_timestamp_seconds")
    made = of(config, kept(checks_seen={"orders-db": AT, "gone": AT}, next_runs={"orders-db": NOW}))
    assert made.of("check_first_seen_timestamp_seconds") == {("orders-db",): AT.timestamp()}
    assert made.of("check_next_run_timestamp_seconds") == {("orders-db",): NOW.timestamp()}


LATER, BEFORE = NOW + timedelta(days=1), NOW - timedelta(seconds=1)


@pytest.mark.parametrize(
    ("declared", "pause", "until"),
    [
        (None, None, 0.0),
        (LATER, None, LATER.timestamp()),
        (BEFORE, None, 0.0),
        (None, Pause("orders-db", AT), math.inf),
        (None, Pause("orders-db", AT, LATER), LATER.timestamp()),
        (None, Pause("orders-db", AT, BEFORE), 0.0),
        (LATER, Pause("orders-db", AT, NOW + timedelta(days=2)), (NOW + timedelta(days=2)).timestamp()),
        (LATER, Pause("orders-db", AT, BEFORE), LATER.timestamp()),
    ],
)
def test_a_pause_holds_until_its_end_whoever_said_it(
    tmp_path: Path, declared: datetime | None, pause: Pause | None, until: float
):
    config = configured(tmp_path, orders(paused_until=declared), files())
    made = of(config, kept(pauses={"orders-db": pause} if pause else {}))
    assert made.of("check_paused_until_timestamp_seconds") == {("orders-db",): until, ("files",): 0.0}
    enabled = 0.0 if until else 1.0  # `files` has no schedule
    assert made.of("checks") == {("true",): enabled, ("false",): 2.0 - enabled}


# --- runs -------------------------------------------------------------------------------------------------------------


def test_a_check_that_never_ran_has_zeros_where_the_catalogue_says_so_and_nothing_else(config: Config):
    made = of(config, kept())
    mine = {
        (metric.name, *labels): value
        for metric, values in made
        for labels, value in values.items()
        if metric.name.startswith(("run", "restored", "recovery", "newest", "estimated", "assertion_s", "assertion_v"))
        and "orders-db" in labels
    }
    zeros = ("run_failures_in_a_row", "run_in_progress_start_timestamp_seconds", "run_refused_timestamp_seconds")
    counted = ("runs_missed", "estimated_cost_usd")
    assert mine == {
        **{(name, "orders-db"): 0.0 for name in (*zeros, *counted)},
        **{("run_last_verdict_timestamp_seconds", "orders-db", verdict): 0.0 for verdict in VERDICTS},
        **{("runs", "orders-db", verdict): 0.0 for verdict in VERDICTS},
    }
    assert made.of("check_recent_flips") == {("orders-db",): 0.0, ("files",): 0.0}


def test_a_run_that_passed_is_the_newest_the_last_success_and_the_newest_of_its_verdict(config: Config):
    one = ran()
    made = of(config, kept(one))
    began, over = one.started.timestamp(), one.ended.timestamp()
    assert made.of("run_last_start_timestamp_seconds") == {("orders-db",): began}
    assert made.of("run_last_completion_timestamp_seconds") == {("orders-db",): over}
    assert made.of("run_last_success_timestamp_seconds") == {("orders-db",): over}
    assert made.of("run_success") == {("orders-db",): 1.0}
    verdicts = made.of("run_last_verdict_timestamp_seconds")
    assert {v: verdicts["orders-db", v] for v in VERDICTS} == {"passed": over, "broken": 0.0, "unproven": 0.0}
    assert made.of("run_verdict")["orders-db", "passed"] == 1.0
    assert made.of("run_duration_seconds")["orders-db", "usable"] == 300.0
    assert made.of("restored_bytes") == {("orders-db",): 20 * 2**30}
    assert made.of("recovery_point_timestamp_seconds") == {("orders-db",): (AT - timedelta(hours=5)).timestamp()}
    assert made.of("newest_backup_timestamp_seconds") == {("orders-db",): (AT - timedelta(hours=1)).timestamp()}


@pytest.mark.parametrize("verdict", [BROKEN, UNPROVEN])
def test_a_failure_after_a_pass_leaves_the_last_success_and_the_proven_point_where_they_were(
    config: Config, verdict: Verdict
):
    good, bad = ran(), replace(ran(24, verdict), point=None)
    made = of(config, kept(good, bad))
    assert made.of("run_last_success_timestamp_seconds") == {("orders-db",): good.ended.timestamp()}
    assert made.of("run_last_completion_timestamp_seconds") == {("orders-db",): bad.ended.timestamp()}
    assert made.of("run_last_verdict_timestamp_seconds")["orders-db", str(verdict)] == bad.ended.timestamp()
    assert made.of("run_success") == {("orders-db",): 0.0}
    assert {v: made.of("run_verdict")["orders-db", v] for v in VERDICTS} == {v: float(v == verdict) for v in VERDICTS}
    assert made.of("run_failures_in_a_row")["orders-db",] == 1.0
    assert made.of("check_recent_flips")["orders-db",] == 1.0
    assert made.of("recovery_point_timestamp_seconds") == {("orders-db",): (AT - timedelta(hours=5)).timestamp()}
    # the failed run found no recovery point: what the one before it found is the newest that is known
    assert made.of("newest_backup_timestamp_seconds") == {("orders-db",): (AT - timedelta(hours=1)).timestamp()}


def test_a_backup_that_a_failed_run_found_is_the_newest_and_not_proven(config: Config):
    later = point(newest=AT + timedelta(hours=20), data_time=AT + timedelta(hours=20))
    made = of(config, kept(ran(), replace(ran(24, BROKEN), point=later)))
    assert made.of("newest_backup_timestamp_seconds")["orders-db",] == (AT + timedelta(hours=20)).timestamp()
    assert made.of("recovery_point_timestamp_seconds")["orders-db",] == (AT - timedelta(hours=5)).timestamp()


def test_an_older_point_that_is_picked_at_random_does_not_take_a_newer_proof_away(tmp_path: Path):
    older = replace(ran(24), point=point(data_time=AT - timedelta(days=5)))
    latest = configured(tmp_path)
    assert (
        of(latest, kept(ran(), older)).of("recovery_point_timestamp_seconds")["orders-db",]
        == (AT - timedelta(days=5)).timestamp()
    )
    any_of_them = configured(tmp_path, orders(source=replace(orders().source, pick="random")), files())
    assert (
        of(any_of_them, kept(ran(), older)).of("recovery_point_timestamp_seconds")["orders-db",]
        == (AT - timedelta(hours=5)).timestamp()
    )


def test_verdicts_that_change_every_night_flip_every_night(config: Config):
    runs = [ran(24 * n, PASSED if n % 2 else BROKEN) for n in range(14)]
    assert of(config, kept(*runs)).of("check_recent_flips")["orders-db",] == RECENT - 1


def test_a_run_that_goes_on_says_since_when(config: Config):
    made = of(config, kept(ran(), standing={"begun": NOW}))
    assert made.of("run_in_progress_start_timestamp_seconds")["orders-db",] == NOW.timestamp()


def test_a_refusal_says_when(config: Config):
    made = of(config, kept(ran(), standing={"refused": NOW}))
    assert made.of("run_refused_timestamp_seconds")["orders-db",] == NOW.timestamp()


def test_a_proof_that_cannot_be_read_takes_its_numbers_with_it_and_nothing_else(config: Config):
    what = replace(kept(ran()), proofs={})
    made = of(config, what)
    assert made.of("run_success") == {("orders-db",): 1.0}
    for name in ("run_duration_seconds", "restored_bytes", "recovery_point_timestamp_seconds", "assertion_success"):
        assert not made.of(name)


def test_counts_begin_at_0_and_are_those_of_the_store(config: Config):
    counters = {
        "runs": {("orders-db", "broken"): 3.0, ("gone", "broken"): 9.0},
        "runs_missed": {("files",): 2.0},
        "estimated_cost_usd": {("orders-db",): 1.25},
    }
    made = of(config, kept(counters=counters))
    assert made.of("runs")["orders-db", "broken"] == 3.0
    assert made.of("runs")["files", "passed"] == 0.0
    assert made.of("runs_missed") == {("orders-db",): 0.0, ("files",): 2.0}
    assert made.of("estimated_cost_usd") == {("orders-db",): 1.25, ("files",): 0.0}


# --- assertions -------------------------------------------------------------------------------------------------------


def test_assertions_say_what_they_came_to(config: Config):
    made = of(config, kept(ran()))
    assert made.of("assertion_success") == {
        ("orders-db", "orders"): 1.0,
        ("orders-db", "users"): 0.0,
        ("orders-db", "whole"): 1.0,
    }
    assert made.of("assertion_value") == {("orders-db", "orders"): 2.0, ("orders-db", "users"): 3.0}
    assert made.of("assertion_duration_seconds")["orders-db", "whole"] == 7.0


def test_what_is_not_declared_any_more_or_was_not_asked_is_silent(tmp_path: Path):
    fewer = configured(tmp_path, orders(assertions=orders().assertions[1:]), files())
    assert set(of(fewer, kept(ran())).of("assertion_success")) == {("orders-db", "users"), ("orders-db", "whole")}
    broke_off = replace(ran(24, UNPROVEN), findings=())
    made = of(configured(tmp_path), kept(ran(), broke_off))
    assert not made.of("assertion_success")  # and not what the run before came to
    assert made.of("assertion_info")


# --- accounts ---------------------------------------------------------------------------------------------------------

LAB = (SCRATCH, REGION)
AT_NOON = (AT + timedelta(hours=9)).isoformat()


def test_nothing_is_leaked_and_nothing_was_swept_before_the_first_sweep(config: Config):
    made = of(config, kept())
    places = [(PRODUCTION, REGION), (PRODUCTION, "eu-west-1"), LAB]
    assert made.of("leaked_resources") == {(*place, kind): 0.0 for place in places for kind in LEFTOVERS}
    assert not made.of("sweep_last_success_timestamp_seconds")
    assert made.of("sweep_tripped") == {(): 0.0}


def test_what_a_sweep_left_is_counted_by_place_and_kind(config: Config):
    pieces = [piece("db"), piece("db", State.FAILED), piece("cluster", State.EXPIRED), piece("objects", State.LEASED)]
    pieces += [piece("snapshot", State.KEPT, PRODUCTION), piece("db", State.ASKED), piece("db", State.SHARED)]
    made = of(config, kept(sweep=noted(swept(*pieces, tripped="too many"), AT_NOON, None)))
    found = {labels: value for labels, value in made.of("leaked_resources").items() if value}
    assert found == {
        (*LAB, "instance"): 2.0,
        (*LAB, "cluster"): 1.0,
        (PRODUCTION, REGION, "snapshot"): 1.0,
    }
    assert made.of("sweep_tripped") == {(): 1.0}
    assert set(made.of("sweep_last_success_timestamp_seconds").values()) == {(AT + timedelta(hours=9)).timestamp()}


def test_a_kind_that_nobody_knows_is_counted_as_other(config: Config):
    made = of(config, kept(sweep=noted(swept(piece("proxy")), AT_NOON, None)))
    assert made.of("leaked_resources")[*LAB, "other"] == 1.0


def test_a_place_that_cannot_be_looked_at_keeps_its_leaks_and_its_last_time(config: Config):
    left = piece("snapshot", State.KEPT, PRODUCTION)
    first = noted(swept(left), AT.isoformat(), None)
    second = noted(swept(blind=(REGION,)), AT_NOON, first)
    made = of(config, kept(sweep=second))
    assert made.of("leaked_resources")[PRODUCTION, REGION, "snapshot"] == 1.0
    seen = made.of("sweep_last_success_timestamp_seconds")
    assert (seen[PRODUCTION, REGION], seen[LAB]) == (AT.timestamp(), (AT + timedelta(hours=9)).timestamp())
    third = noted(swept(), (AT + timedelta(hours=10)).isoformat(), second)
    assert of(config, kept(sweep=third)).of("leaked_resources")[PRODUCTION, REGION, "snapshot"] == 0.0


def test_a_place_that_no_sweep_has_ever_seen_whole_says_0_and_one_that_is_new_says_nothing(tmp_path: Path):
    note = noted(swept(blind=(REGION,)), AT_NOON, None)
    config = configured(tmp_path)
    seen = of(config, kept(sweep=note)).of("sweep_last_success_timestamp_seconds")
    assert seen[PRODUCTION, REGION] == 0.0
    [account] = config.source_accounts
    wider = replace(config, source_accounts=(replace(account, regions=(*account.regions, "eu-north-1")),))
    made = of(wider, kept(sweep=note))
    assert (PRODUCTION, "eu-north-1") not in made.of("sweep_last_success_timestamp_seconds")
    assert made.of("leaked_resources")[PRODUCTION, "eu-north-1", "instance"] == 0.0


def test_the_note_of_an_older_release_is_no_sweep_that_saw_everything(config: Config):
    made = of(config, kept(sweep={"at": AT_NOON, "tripped": "", "pieces": [], "could_not_look": []}))
    assert not made.of("sweep_last_success_timestamp_seconds")


@pytest.mark.parametrize(
    ("prices", "budget", "cost"),
    [
        (None, False, False),
        (Prices("USD"), False, True),
        (Prices("USD", budget=Decimal("49.5")), True, True),
        (Prices("EUR", budget=Decimal("49.5")), False, False),
    ],
)
def test_money_is_exported_in_dollars_or_not_at_all(tmp_path: Path, prices: Prices | None, budget: bool, cost: bool):
    made = of(configured(tmp_path, prices=prices), kept())
    assert dict(made.of("cost_budget_usd")) == ({(): 49.5} if budget else {})
    assert bool(made.of("estimated_cost_usd")) is cost


# --- the service ------------------------------------------------------------------------------------------------------


def test_receivers_that_wait_for_nothing_have_zeros(config: Config):
    made = of(config, kept(receivers_seen={"ops": AT, "deadman": AT, "gone": AT}))
    assert made.of("notifications_pending") == {("deadman",): 0.0, ("ops",): 0.0}
    assert made.of("notification_oldest_pending_timestamp_seconds") == {("deadman",): 0.0, ("ops",): 0.0}
    assert made.of("notification_last_proven_timestamp_seconds") == {("ops",): AT.timestamp()}
    assert made.of("notifications") == {("deadman",): 0.0, ("ops",): 0.0}
    assert made.of("notifications_failed")["ops", "timeout"] == 0.0
    assert len(made.of("notifications_failed")) == 2 * len(REASONS)


def test_receivers_say_what_waits_and_when_they_were_last_proven(config: Config):
    counters = {"notifications": {("ops",): 7.0}, "notifications_failed": {("ops", "rejected"): 2.0}}
    seen = {"ops": NOW, "deadman": AT}
    acknowledged = {"ops": AT, "deadman": AT}
    made = of(config, kept(pending={"ops": WAITING}, counters=counters, receivers_seen=seen, acknowledged=acknowledged))
    assert made.of("notifications_pending")["ops",] == 2.0
    oldest = made.of("notification_oldest_pending_timestamp_seconds")["ops",]
    assert oldest == (AT - timedelta(minutes=20)).timestamp()
    assert made.of("notifications")["ops",] == 7.0
    assert made.of("notifications_failed")["ops", "rejected"] == 2.0
    # what an earlier receiver of this name acknowledged does not count against one that was just configured
    assert set(made.of("notification_last_proven_timestamp_seconds").values()) == {NOW.timestamp()}


@pytest.mark.parametrize(
    ("receiver", "acknowledged", "proven"),
    [
        (Alertmanager("ops", ("http://am:9093",)), False, "seen"),  # it shows what it holds, or something is wrong
        (Alertmanager("ops", ("http://am:9093",)), True, "acknowledged"),
        (Webhook("ops", Secret("http://hook")), False, "arrived"),  # it took it: more cannot be known
        (Webhook("ops", Secret("http://hook")), True, "acknowledged"),  # who acknowledged once is held to it
        (Apprise("ops", Secret("json://chat")), False, "arrived"),
        (Heartbeat("ops", Secret("http://beat")), True, None),  # it calls by itself when nobody reaches it
    ],
)
def test_who_can_acknowledge_must_and_of_others_it_counts_that_they_took_it(
    config: Config, receiver: AnyReceiver, acknowledged: bool, proven: str | None
):
    times = {"seen": AT, "acknowledged": AT + timedelta(hours=1), "arrived": AT + timedelta(hours=2)}
    told = kept(
        receivers_seen={"ops": times["seen"]},
        acknowledged={"ops": times["acknowledged"]} if acknowledged else {},
        arrived={"ops": times["arrived"]},
    )
    made = of(replace(config, receivers=(receiver,)), told).of("notification_last_proven_timestamp_seconds")
    assert made == ({("ops",): times[proven].timestamp()} if proven else {})


def test_who_serves_and_what_waits_is_said(config: Config):
    made = of(config, kept(replicas=2, queued=5))
    assert (made.of("replicas"), made.of("run_queue_length")) == ({(): 2.0}, {(): 5.0})
    assert made.of("build_info") == {("1.2.3",): 1.0}


def test_a_check_that_left_the_configuration_is_silent(tmp_path: Path):
    counters = {"runs": {("orders-db", "broken"): 3.0}}
    made = of(configured(tmp_path, files()), kept(ran(), counters=counters, checks_seen={"orders-db": AT}))
    assert not [labels for _, values in made for labels in values if "orders-db" in labels]


def test_the_figures_depend_on_nothing_but_the_facts(config: Config):
    one, other = of(config, kept(ran())), of(config, kept(ran()))
    assert [(m, dict(v)) for m, v in one] == [(m, dict(v)) for m, v in other]
