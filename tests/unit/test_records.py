"""What an error of the database under the records means, and what may be shown of it."""

import sqlite3
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from restorecheck.engines.records import connect, of_database, passes, records, told
from restorecheck.errors import StoreError


def raised(by: type[sa.exc.DBAPIError], original: Exception) -> sa.exc.DBAPIError:
    return by("select secret", {"value": "a row"}, original)


def sqlite_error(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("it failed")
    error.sqlite_errorcode = code  # type: ignore[misc]  # set by the driver
    return error


@pytest.mark.parametrize("error", [psycopg.OperationalError("connection refused"), psycopg.InterfaceError("closed")])
def test_a_server_that_is_not_reached_is_a_matter_of_waiting(error: Exception):
    by = sa.exc.OperationalError if isinstance(error, psycopg.OperationalError) else sa.exc.InterfaceError
    assert passes(raised(by, error))


@pytest.mark.parametrize("error", [psycopg.errors.InsufficientPrivilege("no"), psycopg.errors.UndefinedTable("no")])
def test_what_a_server_does_not_allow_is_not(error: Exception):
    assert not passes(raised(sa.exc.ProgrammingError, error))


@pytest.mark.parametrize(
    ("code", "waits"),
    [
        (sqlite3.SQLITE_BUSY, True),
        (sqlite3.SQLITE_FULL, True),
        (sqlite3.SQLITE_IOERR_WRITE, True),
        (sqlite3.SQLITE_CORRUPT, False),
        (sqlite3.SQLITE_NOTADB, False),
        (sqlite3.SQLITE_CANTOPEN, False),
        (sqlite3.SQLITE_READONLY, False),
    ],
)
def test_of_a_file_only_locks_and_full_disks_are_a_matter_of_waiting(code: int, waits: bool):
    assert passes(raised(sa.exc.OperationalError, sqlite_error(code))) is waits


def test_a_bug_is_no_trouble_of_a_database():
    assert not passes(ValueError("x"))
    assert not of_database(KeyError("x"))
    with pytest.raises(ValueError, match="x"), records():
        raise ValueError("x")


def test_what_a_database_says_is_a_store_error_without_statement_or_row():
    with pytest.raises(StoreError) as e, records():
        raise raised(sa.exc.OperationalError, psycopg.OperationalError("password=se-cret"))
    assert "secret" not in e.value.message
    assert "row" not in e.value.message
    assert "se-cret" not in e.value.message


def test_of_a_server_its_own_sentence_is_shown_and_else_only_the_kind():
    class SaidError(Exception):
        class diag:  # noqa: N801 - as psycopg names it
            message_primary = "permission denied for database x"

    assert told(raised(sa.exc.ProgrammingError, SaidError("postgresql://a:b@c"))) == "permission denied for database x"
    assert told(raised(sa.exc.OperationalError, psycopg.OperationalError("se-cret"))) == "OperationalError"


def test_what_the_address_says_about_connecting_is_left_to_it():
    plain: dict[str, Any] = connect("postgresql://u@h/d")
    assert plain["connect_timeout"] == 5
    assert plain["prepare_threshold"] is None
    said = connect("postgresql://u@h/d?connect_timeout=2&application_name=mine&sslmode=require")
    assert "connect_timeout" not in said
    assert "application_name" not in said
    assert said["keepalives_idle"] == 10


def test_a_frozen_process_holds_no_lock_for_long_whatever_the_address_says():
    plain = connect("postgresql://u@h/d")["options"]
    assert plain == "-c idle_in_transaction_session_timeout=10s"
    said = connect("postgresql://u@h/d?options=-c%20work_mem%3D8MB")["options"]
    assert said == f"-c work_mem=8MB {plain}"
