"""Answers that are compared as a whole: the fingerprint of all rows, and keys held against those of objects."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import pytest

from restorecheck.databases import postgres_question
from restorecheck.databases.interface import Beside
from restorecheck.databases.postgres import Postgres
from restorecheck.errors import SourceError
from restorecheck.model import Against, Assertion, Examined, Expectation, Flaw

SAME = Expectation(same_as=Against("accepted"))
EXIST = Expectation(exist_in="invoices")
COVERS = Expectation(covers="invoices")


def ask(reader, sql, expect=SAME, beside=None, timeout=60.0):
    question = Assertion("a", sql, expect, timeout=timedelta(seconds=timeout))
    (answer,) = Postgres().ask(reader, [question], "salt", timedelta(hours=1), beside or Beside())
    return answer


def held(reader, sql, *keys: str, expect=EXIST):
    return ask(reader, sql, expect, Beside({"invoices": lambda: sorted(key.encode() for key in keys)}))


# --- all rows -------------------------------------------------------------------------------------------------------


def test_all_rows_and_columns_have_one_fingerprint_whatever_their_order(reader):
    up, down = (ask(reader, f"select n, n::text as t, null from many order by n {way}") for way in ("asc", "desc"))
    assert (up.rows, up.columns, up.error, up.more) == (20000, 3, "", False)
    assert up.fingerprint
    assert up.fingerprint == down.fingerprint
    assert up.cells == down.cells == ()
    assert ask(reader, "select n, n::text as t, null from many where n > 1").fingerprint != up.fingerprint


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("1", "2"),
        ("'a'::text", "'b'::text"),
        ("array[1,2]", "array[2,1]"),
        ("'{\"a\": 1}'::json", "'{\"a\": 2}'::json"),
        ("'\\x00'::bytea", "'\\x01'::bytea"),
        ("interval '1 month'", "interval '30 days'"),
        ("timestamp '2026-01-01'", "timestamptz '2026-01-01'"),
        ("null", "''"),
        ("point(1,2)", "point(2,1)"),
        ("date '9999-12-31' + 1", "date '9999-12-31' + 2"),
    ],
)
def test_values_of_every_type_count(reader, a, b):
    first, second = ask(reader, f"select {a}"), ask(reader, f"select {b}")
    assert first.fingerprint == ask(reader, f"select {a}").fingerprint
    assert "" not in (first.fingerprint, second.fingerprint)
    assert first.fingerprint != second.fingerprint


def test_no_row_at_all_has_a_fingerprint_too(reader):
    answer = ask(reader, "select 1 where false")
    assert (answer.rows, answer.columns) == (0, 1)
    assert answer.fingerprint.startswith("rows1:0:")


def test_a_query_without_columns_has_nothing_to_compare(reader):
    assert ask(reader, "select from many").kind == "question"


@pytest.mark.parametrize(("rows", "size"), [(100, 10**9), (10**6, 1000)])
def test_an_answer_that_is_too_large_is_refused_and_not_cut(reader, monkeypatch, rows, size):
    monkeypatch.setattr(postgres_question, "COMPARED_ROWS", rows)
    monkeypatch.setattr(postgres_question, "COMPARED_BYTES", size)
    answer = ask(reader, "select n from many")
    assert (answer.kind, answer.fingerprint) == ("question", "")
    assert "larger than what can be compared" in answer.error
    assert ask(reader, "select n from many limit 100").fingerprint


# --- keys -----------------------------------------------------------------------------------------------------------


def test_every_key_of_a_row_has_its_object(reader):
    answer = held(reader, "select 'inv/' || n from generate_series(1, 20) n", *(f"inv/{n}" for n in range(30)))
    assert (answer.error, answer.rows) == ("", 20)
    assert answer.examined == Examined("key", 20, rows=20)


def test_keys_that_are_of_no_object_are_counted_and_not_told(reader):
    answer = held(reader, "values ('gone/secret-4711'), ('here'), (null), ('here');  ", "here", "other")
    assert answer.examined == Examined(
        "key",
        2,
        1,
        (Flaw("invoices", "1 of 2 keys are of no object"),),
        rows=4,
        remarks=("1 of 4 rows have no key",),
    )


def test_objects_that_no_row_names_are_counted(reader):
    answer = held(reader, "select 'here' -- a comment at the end", "here", "other", "third", expect=COVERS)
    assert answer.examined == Examined(
        "key", 3, 2, (Flaw("invoices", "2 of 3 objects are named by no row"),), rows=1
    )  # fmt: skip


def test_keys_are_in_the_order_of_their_bytes_whatever_the_collation(reader):
    keys = ["a", "B", "é", "z", "Z/", "/z", "~", "\uffff", "\U0001f600", "aa", "A-", "a b"]
    values = ", ".join(f"('{key}')" for key in keys)
    for expect in (EXIST, COVERS):
        answer = held(reader, f"select * from (values {values}) v order by 1 desc", *keys, expect=expect)
        assert answer.examined == Examined("key", len(keys), rows=len(keys)), answer


def test_keys_of_other_types_go_by_their_text(reader):
    assert held(reader, "select n from many where n <= 3", "1", "2", "3").examined == Examined("key", 3, rows=3)


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("select 1, 2", "question"),
        ("select from many", "question"),
        ("select 'a') as r(k) union select k from (select 'b'", "question"),
        ("select 'a'; select 'b'", "question"),
        ("select k from no_such_table", "missing-object"),
    ],
)
def test_only_one_query_with_one_column_has_keys(reader, sql, kind):
    answer = held(reader, sql, "a")
    assert (answer.kind, answer.examined) == (kind, None)
    assert answer.error


def test_keys_that_were_not_brought_along_cannot_be_looked_at(reader):
    assert ask(reader, "select 'a'", EXIST).kind == "could-not-look"


def test_a_listing_that_fails_on_its_way_is_an_answer(reader):
    def keys() -> Iterable[bytes]:
        yield b"1"
        raise SourceError("the bucket is not versioned", kind="unknown-answer")

    answer = ask(reader, "select n from many", EXIST, Beside({"invoices": keys}))
    assert (answer.error, answer.kind) == ("the bucket is not versioned", "unknown-answer")


def test_a_listing_in_disorder_proves_nothing(reader):
    answer = ask(reader, "select 'c'", COVERS, Beside({"invoices": lambda: [b"b", b"a"]}))
    assert (answer.kind, answer.examined) == ("could-not-look", None)


def test_keys_have_a_timeout_too(reader):
    answer = ask(reader, "select pg_sleep(3600)", EXIST, Beside({"invoices": lambda: [b"a"]}), timeout=0.3)
    assert answer.kind == "timeout"


def test_many_keys_are_merged_as_they_come(reader):
    keys = sorted(str(n).encode() for n in range(1, 20001))
    answer = ask(reader, "select n from many order by n desc", COVERS, Beside({"invoices": lambda: iter(keys)}))
    assert answer.examined == Examined("key", 20000, rows=20000)
