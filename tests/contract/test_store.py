"""What the store promises, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from store_places import AT, Place, check, compared, entry, measuring, report, routed

from restorecheck.errors import RestorecheckError, StoreError
from restorecheck.model import (
    Against,
    Entry,
    Failure,
    Finding,
    Measure,
    Measured,
    Miss,
    Outcome,
    Pause,
    Replica,
    RunState,
    Trigger,
    Verdict,
)
from restorecheck.store import Acceptance, Draft, Store

pytest_plugins = ("store_fixtures",)

LATER = AT + timedelta(days=1)


def all_of_them(waiting: list[Entry], running: list[Entry]) -> list[str]:
    return [e.run_id for e in waiting]


# --- proofs -----------------------------------------------------------------------------------------------------------


def test_a_report_comes_back_whole(store: Store) -> None:
    kept = report(verdict=Verdict.UNPROVEN)
    store.proofs.save(kept)
    assert store.proofs.run(kept.run_id) == kept


def test_saving_a_run_again_replaces_all_of_it_and_tells_once(place: Place, store: Store) -> None:
    store.proofs.save(report())
    again = replace(report(verdict=Verdict.BROKEN), findings=report().findings[:1], phases=())
    store.proofs.save(again)
    assert store.proofs.runs() == [again]
    assert place.sql("SELECT name FROM findings") == [("orders",)]
    assert place.sql("SELECT name FROM phases") == []
    assert place.sql("SELECT assertion FROM measured") == []
    (event,) = store.outbox.pending()
    assert event.payload["verdict"] == "broken"  # nobody saw the first one: it must not say passed


def test_what_was_told_is_not_told_again(store: Store) -> None:
    store.proofs.save(report())
    (event,) = store.outbox.pending()
    routed(store, event)
    store.proofs.save(replace(report(), ended=LATER))
    assert store.outbox.pending() == []


def test_phases_and_findings_can_be_asked_for_in_sql(place: Place, store: Store) -> None:
    store.proofs.save(report())
    assert place.sql("SELECT position, name, ended - started FROM phases ORDER BY position") == [
        (0, "plan", 0.0),
        (1, "find", 1.5),
    ]
    assert place.sql("SELECT position, outcome, kind, expected, observed, seconds, value FROM findings ORDER BY 1") == [
        (0, "pass", "", "at least 1", "2", 0.5, "2"),
        (1, "warn", "assertion-failed", "at least 9", "3", 0.0, "3"),
    ]


def test_an_end_is_told_with_what_the_ledger_knows(store: Store) -> None:
    store.ledger.add(entry(trigger=Trigger.CATCH_UP))
    extra = Draft("leaked", "leaked:1", {"n": 1})
    store.proofs.save(report(verdict=Verdict.UNPROVEN), events=[extra])
    told, other = store.outbox.pending()
    run = "orders-db-20261121t0300z"
    assert (told.topic, told.key) == ("run-ended", f"run-ended:{run}")
    assert told.payload == {
        "run": run,
        "check": "orders-db",
        "verdict": "unproven",
        "kind": "quota",
        "trigger": "catch-up",
    }
    assert (other.topic, other.key, other.payload) == ("leaked", "leaked:1", {"n": 1})


def test_text_that_one_database_cannot_hold_costs_no_proof(place: Place, store: Store) -> None:
    odd = replace(report(), findings=(Finding("odd", Outcome.FAIL, "a\0b", "\ud800", value="NaN"),))
    store.proofs.save(replace(odd, findings=(replace(odd.findings[0], observed="x"),)))
    assert place.sql("SELECT expected FROM findings") == [("a\ufffdb",)]


def test_an_unknown_run_is_an_error_with_a_hint(store: Store) -> None:
    store.ledger.add(entry())
    for unfinished in ("x", "orders-db-20261121t0300z"):
        with pytest.raises(RestorecheckError, match=f"no finished run '{unfinished}'") as e:
            store.proofs.run(unfinished)
        assert e.value.kind == "config"
        assert "history" in e.value.hint


def test_runs_are_newest_first_and_can_be_narrowed(store: Store) -> None:
    kept = [report(hours=n) for n in range(4)] + [report("users-db", hours=9)]
    for one in kept:
        store.proofs.save(one)
    store.ledger.add(entry(minutes=600))
    assert store.proofs.runs() == kept[::-1]
    assert store.proofs.runs(limit=2) == [kept[4], kept[3]]
    assert store.proofs.runs(["orders-db"], limit=1) == [kept[3]]
    assert store.proofs.runs(since=AT + timedelta(hours=3)) == [kept[4], kept[3]]
    assert store.proofs.runs(since=kept[3].started) == [kept[4], kept[3]]
    assert store.proofs.runs(["nobody"]) == []


def test_the_newest_of_each_check_is_known(store: Store) -> None:
    assert store.proofs.newest() == {}
    assert store.proofs.last("orders-db") is None
    old, new, other = report(), report(hours=2, verdict=Verdict.BROKEN), report("users-db")
    for one in (new, old, other):
        store.proofs.save(one)
    store.ledger.add(entry("new-db"))
    assert store.proofs.last("orders-db") == new
    assert store.proofs.newest() == {
        "orders-db": (new.started, Verdict.BROKEN),
        "users-db": (other.started, Verdict.PASSED),
    }


def test_what_one_keeps_another_reads(place: Place, store: Store) -> None:
    store.proofs.save(report())
    assert place.open().proofs.runs() == [report()]


# --- baselines --------------------------------------------------------------------------------------------------------


PREVIOUS = Against("previous")


def test_only_what_held_in_a_passed_run_is_a_baseline(store: Store) -> None:
    def previous(name: str = "orders") -> str | None:
        known = store.baselines.known(check(compared(name, PREVIOUS)), LATER)
        assert len(known) <= 1
        return known[0].measured.value if known and known[0].measured else None

    store.proofs.save(measuring("1000000000000000000000000.10"))
    assert previous() == "1000000000000000000000000.10"
    store.proofs.save(measuring("3", 1))
    store.proofs.save(measuring(None, 2))
    store.proofs.save(measuring("4", 3, Verdict.BROKEN))
    store.proofs.save(measuring("5", 4, Verdict.UNPROVEN))
    store.proofs.save(measuring("9", 5, check="users-db"))
    assert previous() == "3"
    assert previous("users") is None  # it only warned


def test_a_run_that_only_learned_is_the_first_baseline(store: Store) -> None:
    learned = measuring("7", 0, Verdict.UNPROVEN)
    finding = replace(learned.findings[0], outcome=Outcome.LEARNING)
    failure = Failure("learning", "judge", "nothing to compare with", "wait")
    store.proofs.save(replace(learned, findings=(finding,), failure=failure))
    [known] = store.baselines.known(check(compared("orders", PREVIOUS)), LATER)
    assert known.measured == Measured("orders", "7")


def test_a_median_and_a_maximum_are_of_the_runs_that_they_name(store: Store) -> None:
    for hours, value in enumerate(("1000", "10", "20", "30")):
        store.proofs.save(measuring(value, hours))
    median, most = Against("median", runs=3), Against("max", span=timedelta(hours=22))
    for against, runs, value in ((median, 3, "20"), (most, 2, "30")):
        [known] = store.baselines.known(check(compared("orders", against)), LATER)
        assert (known.runs, known.measured and known.measured.value) == (runs, value)


def test_an_acceptance_moves_the_baseline_is_told_and_is_never_changed(store: Store) -> None:
    store.proofs.save(measuring("1000"))
    broken = measuring("10", 1, Verdict.BROKEN)
    store.proofs.save(broken)
    assert store.baselines.newest("orders-db", "orders") == broken.run_id
    measured = store.baselines.measured(broken.run_id)["orders"]
    at = AT + timedelta(hours=2)
    one = Acceptance("orders-db", "orders", at, "ann@desk", "the archive was moved", broken.run_id, measured)
    store.baselines.accept([one])
    [known] = store.baselines.known(check(compared("orders", PREVIOUS)), LATER)
    assert (known.at, known.measured) == (at, Measured("orders", "10"))
    store.proofs.save(measuring("11", 3))
    [known] = store.baselines.known(check(compared("orders", PREVIOUS)), LATER)
    assert known.measured == Measured("orders", "11")
    accepted = check(compared("orders", Against("accepted")))
    assert store.baselines.known(accepted, LATER)[0].measured == Measured("orders", "10")
    assert store.baselines.acceptances("orders-db") == [one]
    assert store.baselines.acceptances("orders-db", "users") == []
    told = [e.payload for e in store.outbox.pending() if e.topic == "baseline-accepted"]
    assert [(p["actor"], p["reason"], p["run"]) for p in told] == [("ann@desk", one.reason, broken.run_id)]


def test_what_was_measured_goes_with_its_run_and_an_acceptance_stays(store: Store, place: Place) -> None:
    old = measuring("10")
    store.proofs.save(old)
    measured = store.baselines.measured(old.run_id)["orders"]
    store.baselines.accept([Acceptance("orders-db", "orders", AT, "ann", "first", old.run_id, measured)])
    store.proofs.save(measuring("11", 1))
    store.prune(LATER)
    assert store.baselines.measured(old.run_id) == {}
    assert [a.run_id for a in store.baselines.acceptances("orders-db")] == [old.run_id]


def test_a_schema_of_many_lines_comes_back_whole_also_with_half_characters(store: Store) -> None:
    lines = tuple(f"table public.t{n} \udcff" for n in range(5000))
    wide = replace(report(), measured=(Measured("orders", lines=lines, measures=(Measure("public.t", 5, "ab"),)),))
    store.proofs.save(wide)
    assert store.baselines.measured(wide.run_id)["orders"] == wide.measured[0]
    assert store.proofs.run(wide.run_id) == replace(wide, measured=())  # the proof itself stays small


def test_a_damaged_baseline_has_a_name(store: Store, place: Place) -> None:
    store.proofs.save(measuring("1"))
    place.sql("UPDATE measured SET measured = " + ("x'00'" if place.sqlite else "'\\x00'::bytea"))
    with pytest.raises(StoreError, match="damaged"):
        store.baselines.known(check(compared("orders", PREVIOUS)), LATER)


# --- ledger -----------------------------------------------------------------------------------------------------------


def test_an_entry_comes_back_whole(store: Store) -> None:
    late = entry(not_before=AT + timedelta(seconds=7), trigger=Trigger.HAND)
    assert store.ledger.add(late)
    assert store.ledger.entry(late.run_id) == late
    assert store.ledger.waiting() == [late]
    assert store.ledger.running() == []
    assert store.ledger.entry("x") is None


def test_a_run_is_added_once(store: Store) -> None:
    assert store.ledger.add(entry())
    assert not store.ledger.add(entry(account="333333333333"))
    assert store.ledger.waiting() == [entry()]


def test_what_is_due_and_missed_is_noted_once(store: Store) -> None:
    assert store.ledger.considered() == {}
    due = entry(minutes=60, trigger=Trigger.CATCH_UP)
    missed = [Miss("orders-db", AT, "down", due.run_id), Miss("orders-db", due.scheduled_for, "down", due.run_id)]
    assert store.ledger.schedule("orders-db", LATER, [due], missed) == [due.run_id]
    assert store.ledger.schedule("orders-db", LATER, [due], missed) == []
    assert store.ledger.waiting() == [due]
    assert store.ledger.considered() == {"orders-db": LATER}
    assert store.ledger.missed() == missed[::-1]
    assert store.ledger.missed(["users-db"]) == []
    assert store.ledger.missed(since=AT + timedelta(minutes=1)) == missed[1:]
    told = store.outbox.pending()
    assert [e.key for e in told] == [
        "run-missed:orders-db:2026-11-21T03:00:00+00:00",
        "run-missed:orders-db:2026-11-21T04:00:00+00:00",
    ]
    assert told[0].payload == {
        "check": "orders-db",
        "scheduled_for": "2026-11-21T03:00:00+00:00",
        "reason": "down",
        "caught_up_by": due.run_id,
    }


def test_a_time_that_has_a_run_is_not_missed_and_a_missed_one_gets_none(store: Store) -> None:
    store.ledger.schedule("orders-db", LATER, [entry()], [])
    store.ledger.schedule("orders-db", LATER, [], [Miss("orders-db", AT, "overlapped")])
    assert store.ledger.missed() == []
    later = entry(minutes=60)
    store.ledger.schedule("orders-db", LATER, [], [Miss("orders-db", later.scheduled_for, "overlapped")])
    assert store.ledger.schedule("orders-db", LATER, [later], []) == []
    assert store.ledger.waiting() == [entry()]


def test_who_decides_sees_what_waits_and_runs_and_begins_what_it_names(store: Store) -> None:
    first, second, third = entry("a"), entry("b", 1), entry("c", 90)
    for one in (third, second, first):
        store.ledger.add(one)
    seen: list[tuple[list[Entry], list[Entry]]] = []

    def decide(waiting: list[Entry], running: list[Entry]) -> list[str]:
        seen.append((waiting, running))
        return [second.run_id, "unknown", third.run_id]

    now = AT + timedelta(hours=1)
    mine = replace(second, state=RunState.RUNNING, owner="me")
    assert store.ledger.admit("me", decide, now) == [mine]
    assert store.ledger.admit("me", decide, now) == []
    assert seen == [([first, second], []), ([first], [mine])]  # the third's time has not come
    assert store.ledger.running() == store.ledger.owned("me") == [mine]
    assert store.ledger.waiting() == [first, third]
    assert store.ledger.owned("you") == []
    assert store.ledger.begun() == {second.run_id: now}


def test_of_a_check_one_run_runs(place: Place, store: Store) -> None:
    store.ledger.add(entry())
    store.ledger.add(entry(minutes=1))
    assert [e.run_id for e in store.ledger.admit("me", all_of_them, LATER)] == [entry().run_id]
    assert store.ledger.admit("me", all_of_them, LATER) == []
    with pytest.raises(Exception, match=r"(?i)unique"):  # nor can it be forced
        place.sql("UPDATE runs SET state = 'running'")
    store.proofs.save(report())
    assert [e.run_id for e in store.ledger.admit("me", all_of_them, LATER)] == [entry(minutes=1).run_id]


def test_a_decision_that_fails_begins_nothing(store: Store) -> None:
    store.ledger.add(entry())

    def decide(waiting: list[Entry], running: list[Entry]) -> list[str]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.ledger.admit("me", decide, LATER)
    assert store.ledger.waiting() == [entry()]


def test_what_has_ended_is_never_run_again(store: Store) -> None:
    store.proofs.save(report())
    ended = store.ledger.entry(report().run_id)
    assert ended
    assert (ended.state, ended.account, ended.scheduled_for) == (RunState.ENDED, "", report().started)
    again = entry()
    assert again.run_id == report().run_id
    assert not store.ledger.add(again)
    assert store.ledger.schedule("orders-db", LATER, [again], []) == []
    assert store.ledger.admit("me", lambda *_: [again.run_id], LATER) == []
    assert not store.ledger.claim(again.run_id, "me", None)
    assert not store.ledger.withdraw(again.run_id)
    assert store.ledger.cancel(again.run_id) == ended
    store.ledger.release("me")
    assert store.ledger.entry(again.run_id) == ended


def test_a_run_that_ends_is_nobodys(store: Store) -> None:
    store.ledger.add(entry())
    store.ledger.admit("me", all_of_them, LATER)
    store.proofs.save(report())
    assert store.ledger.owned("me") == store.ledger.running() == []
    assert store.ledger.entry(report().run_id) == replace(entry(), state=RunState.ENDED)


def test_a_run_is_claimed_from_whom_it_belongs_to(store: Store) -> None:
    run = entry().run_id
    store.ledger.add(entry())
    assert not store.ledger.claim(run, "you", None)  # nobody began it
    store.ledger.admit("me", all_of_them, LATER)
    assert not store.ledger.claim(run, "you", None)
    assert not store.ledger.claim(run, "you", "her")
    assert store.ledger.claim(run, "you", "me")
    assert not store.ledger.claim(run, "her", "me")
    store.ledger.release("me")
    assert [e.owner for e in store.ledger.running()] == ["you"]
    store.ledger.release("you")
    assert [e.owner for e in store.ledger.running()] == [None]
    assert store.ledger.claim(run, "her", None)
    assert [e.run_id for e in store.ledger.owned("her")] == [run]


def test_a_cancel_is_heard_by_who_runs_it(store: Store) -> None:
    assert store.ledger.cancel("x") is None
    store.ledger.add(entry("a"))
    store.ledger.add(entry("b"))
    store.ledger.admit("me", lambda *_: [entry("a").run_id], LATER)
    assert store.ledger.cancelled("me") == set()
    for name, state in (("a", RunState.RUNNING), ("b", RunState.DUE)):
        asked = store.ledger.cancel(entry(name).run_id)
        assert asked
        assert (asked.cancelled, asked.state) == (True, state)
    assert store.ledger.cancelled("me") == {entry("a").run_id}
    assert store.ledger.cancelled("you") == set()


def test_only_what_nobody_began_can_be_withdrawn(store: Store) -> None:
    store.ledger.add(entry("a"))
    store.ledger.add(entry("b"))
    store.ledger.admit("me", lambda *_: [entry("a").run_id], LATER)
    assert not store.ledger.withdraw(entry("a").run_id)
    assert store.ledger.withdraw(entry("b").run_id)
    assert not store.ledger.withdraw(entry("b").run_id)
    assert store.ledger.entry(entry("b").run_id) is None


# --- replicas, pauses, notes, outbox ----------------------------------------------------------------------------------


def test_a_silent_replica_is_buried_and_learns_of_it(place: Place, store: Store) -> None:
    store.replicas.join("a", "serve", "host-1", 7, "0.2.0")
    store.replicas.join("b", "run", "host-2", 8, "0.2.0")
    assert store.replicas.beat("a")
    assert [replace(r, seconds=0.0) for r in store.replicas.all()] == [
        Replica("a", "serve", "host-1", 7, "0.2.0", 0.0),
        Replica("b", "run", "host-2", 8, "0.2.0", 0.0),
    ]
    place.sql("UPDATE replicas SET beat = beat - 100 WHERE id = 'b'")
    quick, slow = store.replicas.all()
    assert 0 <= quick.seconds < 60
    assert 100 <= slow.seconds < 160
    assert not store.replicas.bury("a", 90)
    assert not store.replicas.bury("b", 1000)
    assert store.replicas.bury("b", 90)
    assert not store.replicas.bury("b", 90)
    assert not store.replicas.beat("b")
    store.replicas.leave("a")
    assert not store.replicas.beat("a")
    assert store.replicas.all() == []


def test_a_replica_that_comes_back_takes_its_place(store: Store) -> None:
    store.replicas.join("a", "serve", "host-1", 7, "0.2.0")
    store.replicas.join("a", "serve", "host-1", 9, "0.3.0")
    assert [(r.pid, r.version) for r in store.replicas.all()] == [(9, "0.3.0")]


def test_a_clock_that_was_set_back_hides_no_dead_replica(place: Place, store: Store) -> None:
    store.replicas.join("dead", "serve", "host-1", 7, "0.2.0")
    store.replicas.join("live", "serve", "host-1", 8, "0.2.0")
    place.sql("UPDATE replicas SET beat = beat + 3600")
    assert [r.seconds for r in store.replicas.all()] == [0.0, 0.0]
    assert store.replicas.beat("live")
    place.sql("UPDATE replicas SET beat = beat - 100")
    assert store.replicas.bury("dead", 90)  # it counts from the step, not from an hour later


def test_a_pause_holds_until_it_is_resumed(store: Store) -> None:
    store.pauses.pause("a", AT, LATER)
    store.pauses.pause("b", AT)
    store.pauses.pause("b", LATER)
    assert store.pauses.all() == {"a": Pause("a", AT, LATER), "b": Pause("b", LATER, None)}
    assert store.pauses.resume("a")
    assert not store.pauses.resume("a")
    assert set(store.pauses.all()) == {"b"}


def test_the_first_word_settles_it(store: Store) -> None:
    assert store.notes.get("key") is None
    assert store.notes.settle("key", {"fingerprint": "ab"}) == {"fingerprint": "ab"}
    assert store.notes.settle("key", {"fingerprint": "cd"}) == {"fingerprint": "ab"}
    store.notes.set("key", [1, None])
    assert store.notes.get("key") == [1, None]


def test_an_event_is_pending_until_it_is_routed(store: Store) -> None:
    assert store.outbox.put("t", "one", {"n": 1})
    assert store.outbox.put("t", "two", {"n": 2})
    assert not store.outbox.put("t", "one", {"n": 3})
    one, two = store.outbox.pending()
    assert (one.topic, one.key, one.payload) == ("t", "one", {"n": 1})
    assert [e.key for e in store.outbox.pending(limit=1)] == ["one"]
    routed(store, one)
    assert store.outbox.pending() == [two]
    assert not store.outbox.put("t", "one", {"n": 1})


# --- upkeep -----------------------------------------------------------------------------------------------------------


def test_old_runs_are_forgotten_but_never_the_newest_or_the_newest_that_passed(place: Place, store: Store) -> None:
    verdicts = [Verdict.PASSED, Verdict.PASSED, Verdict.BROKEN, Verdict.UNPROVEN]
    for hours, verdict in enumerate(verdicts):
        store.proofs.save(measuring("2", hours, verdict))
    store.proofs.save(measuring("2", 1, check="users-db"))
    store.proofs.save(measuring("2", 30, check="users-db"))
    store.ledger.add(entry("waits-db"))
    store.ledger.schedule("a", LATER, [], [Miss("a", AT, "down"), Miss("a", LATER, "down")])
    first = store.outbox.pending()[0]
    routed(store, first)
    place.sql("UPDATE outbox SET created = 0")

    assert store.prune(LATER) == 3
    left = {r.run_id for r in store.proofs.runs()}
    kept = {report(hours=1).run_id, report(hours=3).run_id, report("users-db", hours=30).run_id}
    assert left == kept
    for table in ("phases", "findings", "measured"):
        assert {r[0] for r in place.sql(f"SELECT run_id FROM {table}")} == kept
    assert store.ledger.missed() == [Miss("a", LATER, "down")]
    assert store.ledger.waiting() == [entry("waits-db")]
    assert first.id not in {e.id for e in store.outbox.pending()}
    assert len(store.outbox.pending()) == 7  # nobody was told of these yet
    assert place.sql("SELECT count(*) FROM outbox WHERE delivered IS NOT NULL") == [(0,)]
    assert store.prune(LATER) == 0


def test_a_store_that_works_answers_a_ping(store: Store) -> None:
    store.ping()
    store.ping()


def test_a_cancelled_run_need_not_wait_until_its_jitter_is_over(store: Store) -> None:
    later = replace(entry(), not_before=AT + timedelta(hours=1))
    assert store.ledger.add(later)
    every = lambda waiting, running: [one.run_id for one in waiting]  # noqa: E731
    assert store.ledger.admit("me", every, AT) == []
    store.ledger.cancel(later.run_id)
    assert [one.run_id for one in store.ledger.admit("me", every, AT)] == [later.run_id]


@pytest.mark.parametrize("handled", [True, False])
def test_a_run_that_got_another_verdict_is_told_again_if_people_believe_the_first(store: Store, handled: bool) -> None:
    first = report()
    store.proofs.save(first)
    if handled:
        routed(store, store.outbox.pending()[0])
    for _ in range(2):  # the second time nothing is new
        store.proofs.save(replace(first, verdict=Verdict.BROKEN, failure=Failure("quota", "restore", "no", "")))
    [event] = store.outbox.pending()
    assert (event.topic, event.payload["verdict"]) == ("run-ended", "broken")
    routed(store, event)
    store.proofs.save(replace(first, verdict=Verdict.BROKEN, failure=Failure("quota", "restore", "no", "")))
    assert store.outbox.pending() == []
