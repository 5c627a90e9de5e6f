from __future__ import annotations

import logging
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from postgres_shop import CANARY

from restorecheck.assertions import judge, sealed
from restorecheck.databases.postgres import Postgres
from restorecheck.model import Assertion, Cell, Expectation, Outcome

SALT = "salt"
HOUR = timedelta(hours=1)
BACKUP = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
UUID = "abcdef00-0000-0000-0000-000000000000"

VALUE = Expectation(at_least=Cell("number", "0"))
SET = Expectation(members=(Cell("text", "CZ"),))
NO_ROWS = Expectation(no_rows=True)


def ask(reader, sql, expect=VALUE, **rest):
    (answer,) = Postgres().ask(reader, [Assertion("a", sql, expect, **rest)], SALT, HOUR)
    return answer


def judged(reader, sql, expect):
    answer = ask(reader, sql, expect)
    return judge(Assertion("a", sql, expect), answer, backup_time=BACKUP, asked_at=BACKUP, salt=SALT)


def test_the_version_is_told_once_a_query_answers(running, reader):
    with running.superuser() as connection:
        major = connection.info.server_version // 10_000
    assert Postgres().knock(reader).split(".")[0] == str(major)


@pytest.mark.parametrize(
    ("expression", "cell"),
    [
        ("count(*) from orders", Cell("number", "1000")),
        ("sum(total) from orders", Cell("number", "550550")),
        ("1.50::numeric", Cell("number", "1.5")),
        ("1e20::float8", Cell("number", "100000000000000000000")),
        ("0.1::float8 + 0.2::float8", Cell("number", "0.30000000000000004")),
        ("-0.0::float4", Cell("number", "0")),
        ("'NaN'::numeric", Cell("number", "NaN")),
        ("'-Infinity'::float8", Cell("number", "-Infinity")),
        ("10::numeric ^ 2000", Cell("other", "numeric, with a value beyond what can be compared")),
        ("max(pieces) from orders", Cell("number", "1000")),  # a domain is its base type
        ("1 = 1", Cell("bool", "true")),
        ("false", Cell("bool", "false")),
        ("null::integer", Cell("null")),
        ("max(n) from empty", Cell("null")),
        ("max(created_at) from orders", Cell("time", "2026-11-21T02:59:00+00:00")),
        ("'2026-11-21 08:30+05:30'::timestamptz", Cell("time", "2026-11-21T03:00:00+00:00")),
        ("'2026-11-21 03:00:00.25'::timestamp", Cell("time", "2026-11-21T03:00:00.250000", naive=True)),
        ("'infinity'::timestamptz", Cell("time", "infinity")),
        ("'-infinity'::timestamp", Cell("time", "-infinity", naive=True)),
        ("'infinity'::date", Cell("date", "infinity")),
        ("'2026-11-21'::date", Cell("date", "2026-11-21")),
        ("'12026-11-21'::date", Cell("other", "date, with a value beyond what can be compared")),
        ("'44-03-15 BC'::timestamptz", Cell("other", "timestamptz, with a value beyond what can be compared")),
        ("'0044-03-15 BC'::timestamp", Cell("other", "timestamp, with a value beyond what can be compared")),
        ("max(lasting) from orders", Cell("duration", "129600")),
        ("interval '1 day -2 hours 0.5 seconds'", Cell("duration", "79200.5")),
        ("interval '-1.25 seconds'", Cell("duration", "-1.25")),
        ("interval '1 month'", Cell("other", "interval with months")),
        ("interval '2 years'", Cell("other", "interval with months")),
        ("'CZ'::text", sealed(Cell("text", "CZ"), SALT)),
        ("'CZ'", sealed(Cell("text", "CZ"), SALT)),
        ("max(code) from orders", sealed(Cell("text", "SK"), SALT)),  # char(4), without its blanks
        ("'glad'::mood", sealed(Cell("text", "glad"), SALT)),
        ("max(feeling) from orders", sealed(Cell("text", "glad"), SALT)),
        (f"'{UUID.upper()}'::uuid", sealed(Cell("text", UUID), SALT)),
        ("'{}'::jsonb", Cell("other", "jsonb")),
        ("'x'::bytea", Cell("other", "bytea")),
        ("array[1]", Cell("other", "_int4")),
        ("row(1, 2)", Cell("other", "record")),
        ("o from orders o limit 1", Cell("other", "orders")),
        ("'10:00'::time", Cell("other", "time")),
        ("100 % 7", Cell("number", "2")),
        ("count(*) from orders where card like '4%' and code like '%%Z%'", Cell("number", "333")),
    ],
)  # fmt: skip
def test_values_arrive_exact_or_as_what_cannot_be_compared(reader, expression, cell):
    answer = ask(reader, f"select {expression}")
    assert answer.error == ""
    assert (answer.rows, answer.more, answer.columns, answer.cells) == (1, False, 1, (cell,))
    assert answer.seconds > 0


@pytest.mark.parametrize(
    "sql",
    [
        "values (7)",
        "select 7;",
        "select 7 -- the answer\n",
        "/* why */ (select 7)",
        "with t as (select 7 as n) select n from t",
        "select 3 union all select 4 order by 1 offset 2",
        "table empty",
    ],
)
def test_every_form_of_one_read_query_is_taken(reader, sql):
    assert ask(reader, sql).error == ""


@pytest.mark.parametrize(
    ("expect", "fetch"),
    [(VALUE, "FETCH FORWARD 2"), (SET, "FETCH FORWARD 10001"), (NO_ROWS, "MOVE FORWARD 10001")],
)
def test_the_statements_of_a_session_are_these_and_no_more(running, reader, expect, fetch):
    """What the protection consists of, as the server's own log has it."""
    seen = running.log.stat().st_size
    assert ask(reader, "select n from many", expect).error == ""
    with running.log.open() as log:
        log.seek(seen)
        statements = re.findall(r"LOG:  (?:statement|execute [^:]*): (.*)", log.read())
    assert "SET SESSION transaction_timeout = 0" in statements[:1] or "/15/" in str(running.binaries)
    assert statements[-7:] == [
        "SET SESSION statement_timeout = 300000",
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        "SELECT 1",
        'DECLARE "restorecheck" NO SCROLL CURSOR FOR select n from many',
        f"{fetch} FROM restorecheck",
        'CLOSE "restorecheck"',
        "ROLLBACK",
    ]


def test_days_begin_in_utc_whatever_the_database_says(reader):
    """The database is set to Tokyo, the server to Kolkata."""
    answer = ask(reader, "select '2026-11-21 20:00+00'::timestamptz::date")
    assert answer.cells == (Cell("date", "2026-11-21"),)


def test_two_rows_are_enough_to_know_that_there_are_several(reader):
    answer = ask(reader, "select n from many")
    assert (answer.rows, answer.more, len(answer.cells)) == (1, True, 1)
    assert judged(reader, "select n from many", VALUE).message.startswith("the query answers several rows")


def test_several_columns_are_counted_and_not_taken(reader):
    answer = ask(reader, "select id, card from orders")
    assert (answer.columns, answer.rows, answer.cells, answer.error) == (2, 0, (), "")


def test_no_column_is_a_bad_question(reader):
    answer = ask(reader, "select from orders")
    assert (answer.kind, answer.error) == ("question", "the query answers no column at all")


def test_rows_that_must_not_be_are_counted_up_to_a_cap(reader):
    assert (ask(reader, "select * from empty", NO_ROWS).rows, ask(reader, "select from orders", NO_ROWS).rows) == (
        0,
        1000,
    )
    many = ask(reader, "select n from many", NO_ROWS)
    assert (many.rows, many.more, many.cells) == (10_000, True, ())
    exactly = ask(reader, "select n from many limit 10000", NO_ROWS)
    assert (exactly.rows, exactly.more) == (10_000, False)


def test_a_set_is_compared_by_digests(reader):
    codes = tuple(Cell("text", c) for c in ("CZ", "DE", "SK"))
    assert judged(reader, "select code from orders", Expectation(members=codes)).outcome is Outcome.PASS
    assert (
        judged(
            reader,
            "select distinct n from many where n < 3",
            Expectation(members=(Cell("number", "1"), Cell("number", "2"))),
        ).outcome
        is Outcome.PASS
    )
    found = judged(reader, "select card from orders union all values ('CZ'), (null)", Expectation(members=codes))
    assert found.message == "2 of 3 expected values missing: 'DE', 'SK'; 2 unexpected values (NULL among them)"


def test_a_set_takes_no_value_in_clear(reader):
    answer = ask(reader, "select id from orders", SET)
    assert (answer.rows, {c.kind for c in answer.cells}) == (1000, {"digest"})
    assert all(c.text.startswith("number:") for c in answer.cells)
    more = ask(reader, "select n from many", SET)
    assert (more.rows, more.more, len(more.cells)) == (10_000, True, 10_000)


def test_too_much_is_not_taken(reader):
    answer = ask(reader, "select repeat('x', 1000000) from generate_series(1, 100)", SET)
    assert (answer.kind, answer.error) == ("question", "the answer is larger than 8 MiB: ask for less")
    assert answer.cells == ()


def test_freshness_is_judged_by_the_backup(reader):
    fresh = Expectation(at_most=Cell("duration", "60"), before="backup")
    assert judged(reader, "select max(created_at) from orders", fresh).observed == "1 min before the backup"
    stale = judged(reader, "select min(created_at) from orders", fresh)
    assert (stale.outcome, stale.observed) == (Outcome.FAIL, "16 h 40 min before the backup")


def test_another_database_of_the_same_copy_may_be_asked(reader):
    assert ask(reader, "select 1", database="postgres").cells == (Cell("number", "1"),)


def test_rows_hidden_by_a_policy_are_an_error_and_not_none(reader):
    answer = ask(reader, "select count(*) from hidden")
    assert (answer.kind, answer.sqlstate) == ("question", "42501")
    assert "row-level security" in answer.error


@pytest.mark.parametrize(
    ("sql", "kind", "sqlstate", "part"),
    [
        ("select count(*) from ordrs", "missing-object", "42P01", '(undefined table): relation "ordrs" does not exist'),
        ("select count(*) from shop2.orders", "missing-object", "42P01", 'relation "shop2.orders" does not exist'),
        ("select totl from orders", "missing-object", "42703", '(undefined column): column "totl" does not exist'),
        ("select o.totl from orders o", "missing-object", "42703", "column o.totl does not exist"),
        ("select total_of(1)", "missing-object", "42883", "function total_of(integer) does not exist"),
        ("select 'x'::lost_type", "missing-object", "42704", 'type "lost_type" does not exist'),
        ("select lost.f(1)", "missing-object", "3F000", 'schema "lost" does not exist'),
        ("selec 1", "question", "42601", 'syntax error at or near "selec"'),
        ("select 1 / 0", "question", "22012", "(division by zero)"),
        ("select card::integer from orders", "question", "22P02", "(invalid text representation)"),
        ("select (select id from orders)", "question", "21000", "more than one row returned"),
        ("select touch()", "question", "25006", "the query tried to write"),
        ("select tell('P0001')", "question", "P0001", "a function of the database raised an error"),
        ("select tell('XX001')", "data-damaged", "XX001", "(data corrupted)"),
        ("select tell('58030')", "data-damaged", "58030", "(io error)"),
        ("select tell('22021')", "data-damaged", "22021", "(character not in repertoire)"),
        ("select tell('53300')", "database-unreachable", "53300", "(too many connections)"),
        ("select tell('QQ123')", "question", "QQ123", "SQLSTATE QQ123 (error)"),
        ("select n from many for update", "question", "25006", "SELECT FOR UPDATE in a read-only transaction"),
        ("", "question", "42601", "syntax error"),
    ],
)  # fmt: skip
def test_what_the_server_refuses_is_told_without_a_row(reader, sql, kind, sqlstate, part):
    answer = ask(reader, sql)
    assert (answer.kind, answer.sqlstate) == (kind, sqlstate)
    assert part in answer.error
    shown = repr(replace(answer, seconds=0.0))  # any digits may stand in how long it took
    assert CANARY not in shown
    assert "4111" not in shown


def test_a_text_with_a_nul_is_not_sent_in_part(reader):
    assert ask(reader, "select 1\0, 2").error == "the query's text cannot be sent"
    assert ask(reader, "select '\ud800'").error == "the query's text cannot be sent"


def test_no_row_value_leaves_by_any_way(running, reader, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    for sql in (
        "select card from orders limit 1",
        "select shout()",
        "select card::integer from orders",
        "select card::date from orders",
        "select (card || 'x')::uuid from orders",
        "select tell('42P01')",
        "select tell('XX000')",
        "select to_timestamp(card, card) from orders",
        "select ('{' || card)::json from orders",
        "select query_to_xml('select ' || quote_ident(card), true, true, '') from orders",
    ):
        for expect in (VALUE, SET, NO_ROWS, Expectation(equals=Cell("text", "x"))):
            answer = ask(reader, sql, expect)
            finding = judge(Assertion("a", sql, expect), answer, backup_time=BACKUP, asked_at=BACKUP, salt=SALT)
            assert CANARY not in repr((answer, finding))
            assert "4111" not in answer.error + finding.message + finding.observed
    assert "4111" not in caplog.text + "".join(capfd.readouterr())


def test_a_missing_database_is_lost_in_the_backup(reader):
    answer = ask(reader, "select 1", database="billing")
    assert answer.kind == "missing-object"
    assert 'database "billing" does not exist' in answer.error


def test_a_wrong_password_is_no_fault_of_the_backup(reader):
    answer = ask(replace(reader, password="wrong"), "select 1")
    assert answer.kind == "login-failed"
    assert "wrong" not in repr(answer)


def test_each_question_has_a_session_of_its_own(reader):
    questions = [
        Assertion("a", "select count(*) from (select pg_advisory_lock(7)) x", VALUE),
        Assertion("b", "select set_config('extra_float_digits', '-15', false) is not null", VALUE),
        Assertion("c", "select 0.1::float8 + 0.2::float8", VALUE),
        Assertion("d", "select pg_try_advisory_lock(7)", VALUE),
        Assertion("e", "select pg_backend_pid()", VALUE),
        Assertion("f", "select pg_backend_pid()", VALUE),
    ]
    answers = Postgres().ask(reader, questions, SALT, HOUR)
    assert [a.name for a in answers] == list("abcdef")
    assert answers[2].cells == (Cell("number", "0.30000000000000004"),)
    assert answers[3].cells == (Cell("bool", "true"),)
    assert answers[4].cells != answers[5].cells
