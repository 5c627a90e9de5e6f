"""Which databases a server holds against those that a check asks: an empty one is never what passed by accident."""

from __future__ import annotations

from dataclasses import replace

import pytest

from restorecheck.databases.interface import DatabaseSeen
from restorecheck.errors import QueryError
from restorecheck.failures import kind
from restorecheck.model import OBSERVATIONS, Observation, Verdict
from restorecheck.sources import census

PROD, EMPTY, OTHER = DatabaseSeen("prod", 12), DatabaseSeen("postgres", 0), DatabaseSeen("billing", 1)
SHUT = DatabaseSeen("old", None, error="it allows no connection", kind="database-unreachable")
DAMAGED = DatabaseSeen("torn", None, error="invalid page", kind="data-damaged")


def test_databases_that_are_there_and_hold_tables_are_as_they_should_be():
    seen = census.judged((OTHER, EMPTY, PROD), ("prod",), "prod")
    assert (seen.name, seen.kind, seen.message, seen.warning) == ("databases", "", "", False)
    assert seen.observed == "prod (12 tables); not asked: billing (1 table), postgres (no table)"
    assert seen.name in OBSERVATIONS


def test_an_empty_database_that_is_asked_is_unproven_and_those_that_hold_some_are_named():
    seen = census.judged((EMPTY, PROD), ("postgres",), "postgres")
    assert (seen.kind, seen.message) == ("empty-database", "postgres holds no table; prod holds 12")
    assert kind(seen.kind).verdict is Verdict.UNPROVEN


def test_every_database_that_is_asked_counts_and_not_only_the_main_one():
    assert census.judged((EMPTY, PROD), ("prod", "postgres"), "prod").kind == "empty-database"
    assert census.judged((EMPTY, PROD), ("prod",), "postgres").kind == ""  # nobody asks the main one


def test_a_database_that_is_asked_and_not_there_is_missing_in_the_backup():
    seen = census.judged((EMPTY, OTHER), ("prod", "postgres"), "prod")
    assert seen.kind == "missing-object"
    assert seen.message == "there is no database prod; postgres holds no table; billing holds 1"
    assert kind(seen.kind).verdict is Verdict.BROKEN


def test_what_breaks_is_said_before_what_is_only_not_known():
    seen = census.judged((SHUT, PROD), ("old", "gone"), "prod")
    assert seen.kind == "missing-object"
    assert seen.message == (
        "there is no database gone; old could not be looked into: it allows no connection; prod holds 12"
    )


@pytest.mark.parametrize(("one", "expected"), [(SHUT, "database-unreachable"), (DAMAGED, "data-damaged")])
def test_a_database_that_is_asked_and_cannot_be_looked_into_has_the_kind_of_its_error(one: DatabaseSeen, expected: str):
    assert census.judged((one, PROD), (one.name,), "prod").kind == expected


def test_a_database_that_nobody_asks_may_be_as_it_likes_and_is_named():
    seen = census.judged((SHUT, DAMAGED, PROD), ("prod",), "prod")
    assert seen.kind == ""
    assert seen.observed == "prod (12 tables); not asked: old (it allows no connection), torn (invalid page)"


def test_databases_of_the_server_itself_are_not_expected():
    assert census.judged((PROD,), ("prod", "template1", "rdsadmin"), "prod").kind == ""


# --- nothing is asked ---------------------------------------------------------------------------------------------


def test_without_questions_an_empty_main_database_beside_a_full_one_is_unproven():
    seen = census.judged((EMPTY, PROD), (), "postgres")
    assert (seen.kind, seen.message) == ("empty-database", "postgres holds no table; prod holds 12")


def test_without_questions_a_server_that_holds_nothing_at_all_proves_nothing():
    """It is what a server looks like that was made anew, under the same name, after the old one was destroyed."""
    seen = census.judged((EMPTY,), (), "postgres")
    assert (seen.kind, seen.observed) == ("empty-database", "postgres (no table)")
    assert seen.message == "postgres holds no table; no other database is known to hold a table"
    seen = census.judged((EMPTY, DatabaseSeen("rdsadmin", 0)), (), "")
    assert (seen.kind, seen.message) == ("empty-database", "no database holds a table")


def test_without_questions_an_empty_main_database_beside_an_unknown_one_is_not_fine():
    seen = census.judged((EMPTY, SHUT), (), "postgres")
    assert seen.kind == "database-unreachable"
    assert "postgres holds no table, and old (it allows no connection)" in seen.message


@pytest.mark.parametrize(
    ("seen", "expected"), [((PROD,), "missing-object"), ((DAMAGED, PROD), ""), ((), "missing-object")]
)
def test_without_questions_the_main_database_must_be_there(seen: tuple[DatabaseSeen, ...], expected: str):
    main = "prod" if expected == "" else "shop"
    assert census.judged(seen, (), main).kind == expected
    assert census.judged(seen, (), main).observed


def test_without_questions_a_main_database_that_cannot_be_looked_into_has_the_kind_of_its_error():
    assert census.judged((DAMAGED, PROD), (), "torn").kind == "data-damaged"


def test_a_database_that_could_not_be_restored_here_is_not_missing_in_the_backup():
    missing, empty = census.judged((), ("prod",), "prod"), census.judged((EMPTY,), ("postgres",), "postgres")
    full = Observation("dump-restored", "no error", "3 errors", "scratch-full", "no room", partial=True)
    assert census.of_part(missing, (replace(full, partial=False),)) == missing
    assert census.of_part(empty, (full,)) == empty  # nothing is blamed
    seen = census.of_part(missing, (full,))
    assert (seen.kind, seen.message) == (
        "scratch-full",
        f"where only a part could be restored: {missing.message}",
    )


# --- what is left open --------------------------------------------------------------------------------------------


def test_a_census_that_failed_is_never_silently_fine():
    seen = census.failed(QueryError("it broke off", kind="connection-lost"))
    assert (seen.kind, seen.observed) == ("connection-lost", "not known")
    assert seen.message == "the databases could not be looked at: it broke off"


def test_no_database_at_all_is_said():
    assert census.judged((), ("prod",), "prod").observed == "no database"


def test_which_databases_hold_tables_is_known_of_all_or_not_at_all():
    assert census.holding((EMPTY, OTHER, PROD, DatabaseSeen("rdsadmin", None))) == ("billing", "prod")
    assert census.holding((PROD, SHUT)) is None
    assert census.holding(()) == ()


def test_what_the_questions_leave_open_is_said():
    assert census.unread((EMPTY, OTHER, PROD, SHUT), ("prod",)) == (
        "only what the questions read is proven, out of prod (12 tables); whatever else was restored was not read",
        "restored and never asked: billing (1 table)",
    )
    assert census.unread((EMPTY,), ()) == ()
    assert census.unread((DatabaseSeen("new", None),), ("new",)) == ()
    assert census.judged((DatabaseSeen("new", None), PROD), ("prod",), "prod").observed.endswith(
        "new (not looked into)"
    )


def test_a_server_of_which_nobody_named_a_database_holds_a_table_somewhere_or_nobody_knows():
    assert census.judged([DatabaseSeen("a", 0), DatabaseSeen("b", 2)], [], "").kind == ""
    assert census.judged([DatabaseSeen("a", 0)], [], "").kind == "empty-database"
    unknown = DatabaseSeen("b", None, error="no rights", kind="permission")
    observed = census.judged([DatabaseSeen("a", 0), unknown], [], "")
    assert observed.kind == "permission"
    assert "no database is known to hold a table" in observed.message
