"""Which events of AWS explain a lost connection, and which are what a dying engine looks like."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from restorecheck.model import Answer, Examined, Flaw, Unseen
from restorecheck.sources.losses import lost
from restorecheck.sources.rds.events import Happened, cause, exonerated

AT = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def event(message: str, *categories: str, after: int = 0) -> Happened:
    return Happened(AT + timedelta(seconds=after), "scratch", frozenset(categories), message)


SHUTDOWN = event("DB instance shutdown.", "availability")
RESTARTED = event("DB instance restarted.", "availability", after=20)
RECOVERY = event(
    "Recovery of the DB instance has started. Recovery time will vary with the amount of data to be recovered.",
    "recovery",
    after=10,
)


@pytest.mark.parametrize(
    ("message", "category"),
    [
        ("Applying off-line patches to DB instance.", "maintenance"),
        ("Database instance patched.", "maintenance"),
        ("Database instance upgrade is in progress.", "maintenance"),
        ("The downtime started for the DB instance.", "maintenance"),
        ("The engine version upgrade started.", "maintenance"),
        ("Database cluster engine version has been upgraded.", "maintenance"),
        ("RDS will replace the host of DB instance x due to a pending maintenance action.", "maintenance"),
        ("Multi-AZ instance failover started.", "failover"),
        ("Multi-AZ instance activation completed.", "failover"),
        ("Recovered from partial failover.", "failover"),
        ("Started cross AZ failover to DB instance: other.", "failover"),
        ("DB instance deleted.", "deletion"),
        ("DB cluster deleted.", "deletion"),
        ("Applying modification to database instance class.", "configuration change"),
        ("Allocated storage has been exhausted. Allocate additional storage to resolve.", "low storage"),
        (
            "DB instance has reached the storage-full threshold, and the database has been shut down.",
            "availability",
        ),
        ("DB instance stopped.", "notification"),
        (
            "A database workload is causing the system to run critically low on memory. To help mitigate the issue, …",
            "notification",
        ),
        ("The underlying host of your DB instance is being replaced.", "notification"),
        ("Amazon RDS is unable to access the KMS encryption key for database instance x.", "failure"),
    ],
)
def test_what_was_done_to_the_instance_explains_a_lost_connection(message, category):
    said = event(message, category)
    assert cause([RESTARTED, said], "scratch") == said


@pytest.mark.parametrize(
    ("message", "category"),
    [
        ("DB instance restarted.", "availability"),
        ("The DB instance has a DB engine minor version upgrade available.", "maintenance"),
        ("The pre-check started for the DB engine version upgrade.", "maintenance"),
        ("Amazon RDS has scheduled a server certificate rotation for DB instance.", "maintenance"),
        ("Reset master credentials.", "configuration change"),
        ("Updated to use DBParameterGroup x.", "configuration change"),
        ("Abandoning user requested failover since a failover recently occurred.", "failover"),
        ("Promoting previous primary again: scratch.", "failover"),
        ("Completed failover to DB instance: Scratch.", "failover"),
        ("The free storage capacity for DB instance: x is low at 8% of the provisioned storage", "low storage"),
        ("DB instance put into storage-failure state. RDS recommends a point-in-time-restore.", "failure"),
        ("Recovery of the DB instance is complete.", "recovery"),
        ("Multi-AZ instance failover started.", "backup"),  # the words alone do not do
        ("Something that nobody has heard of.", "maintenance"),
        ("DB instance shutdown.", "notification"),
    ],
)
def test_what_a_dying_engine_looks_like_or_nobody_knows_does_not(message, category):
    assert cause([event(message, category)], "scratch") is None
    assert cause([], "scratch") is None


def test_a_controlled_shutdown_explains_it_and_one_that_needs_recovery_does_not():
    assert cause([SHUTDOWN, RESTARTED], "scratch") == SHUTDOWN
    assert cause([SHUTDOWN, RECOVERY, RESTARTED], "scratch") is None
    assert cause([RECOVERY, RESTARTED], "scratch") is None


def test_a_shutdown_with_recovery_for_maintenance_is_explained_by_the_maintenance():
    patches = event("Applying off-line patches to DB instance.", "maintenance", after=5)
    assert cause([SHUTDOWN, patches, RECOVERY, RESTARTED], "scratch") == patches


LOST = Answer("a", error="the server broke off while it answered, twice", kind="connection-lost", sqlstate="57P02")
FINE = Answer("b", rows=1)
BROKE = Flaw("public.orders", "the server broke off while it read public.orders, twice", "connection-lost")
DAMAGED = Flaw("public.item", "could not be read", "data-damaged")


def probed(*flaws: Flaw, flawed: int | None = None) -> Answer:
    return Answer("p", examined=Examined("table", 3, len(flaws) if flawed is None else flawed, flaws))


def test_only_what_was_lost_for_good_counts_as_lost():
    assert lost([FINE, LOST])
    assert lost([probed(DAMAGED, BROKE)])
    assert not lost([FINE, probed(DAMAGED), Answer("c", error="x", kind="interfered")])


def test_an_answer_that_was_lost_to_an_event_was_not_given_and_says_why():
    answer, fine = exonerated([LOST, FINE], SHUTDOWN)
    assert (answer.kind, answer.sqlstate, fine) == ("interfered", "", FINE)
    assert "“DB instance shutdown.” (scratch, 2026-11-21 03:00:00 UTC)" in answer.error


def test_a_probe_that_lost_nothing_but_connections_was_not_answered():
    [answer] = exonerated([probed(BROKE)], SHUTDOWN)
    assert (answer.kind, answer.examined) == ("interfered", None)


@pytest.mark.parametrize(("answer", "left"), [(probed(BROKE, DAMAGED), 1), (probed(BROKE, flawed=4), 3)])
def test_damage_that_was_found_besides_stays_damage(answer: Answer, left: int):
    [judged] = exonerated([answer], SHUTDOWN)
    assert judged.kind == ""
    assert judged.examined is not None
    assert (judged.examined.flawed, judged.examined.owed, judged.examined.unseen_count) == (left, 1, 1)
    assert [u.object for u in judged.examined.unseen] == ["public.orders"]
    assert BROKE not in judged.examined.flaws


def test_a_probe_that_lost_nothing_is_left_alone():
    kept = Answer("p", examined=Examined("table", 3, 1, (DAMAGED,), (Unseen("x", "y"),), 1, 1))
    assert exonerated([kept], SHUTDOWN) == (kept,)
