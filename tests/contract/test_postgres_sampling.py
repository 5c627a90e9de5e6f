"""Keys of rows that should not be there, as a real server answers them: the first few for evidence, all counted."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest
from postgres_server import Server

from restorecheck.databases.interface import Beside, Login
from restorecheck.databases.postgres import Postgres
from restorecheck.errors import RestorecheckError
from restorecheck.model import Answer, Assertion, Expectation, Samples

Rows = list[Mapping[str, str | None]]


def ask(
    reader: Login, sql: str, *keys: str, limit: int = 5, timeout: float = 60.0, error: str = ""
) -> tuple[Answer, Rows]:
    kept: Rows = []

    def keep(assertion: str, rows: Sequence[Mapping[str, str | None]]) -> int:
        assert assertion == "a"
        if error:
            raise RestorecheckError(error)
        kept.extend(rows)
        return len(rows)

    question = Assertion(
        "a",
        sql,
        Expectation(no_rows=True),
        timeout=timedelta(seconds=timeout),
        samples=Samples(keys or ("n",), limit),
    )
    (answer,) = Postgres().ask(reader, [question], "salt", timedelta(hours=1), Beside(evidence=keep))
    return answer, kept


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 4, 9_999, 10_000, 10_001, 20_000])
def test_all_rows_are_counted_and_the_first_are_kept(reader: Login, rows: int):
    answer, kept = ask(reader, f"select n, n * 2 as m from many where n <= {rows} order by n", limit=3)
    assert (answer.rows, answer.more) == (min(rows, 10_000), rows > 10_000)
    assert (answer.error, answer.columns, answer.cells) == ("", 2, ())
    assert kept == [{"n": str(n)} for n in range(1, min(rows, 3) + 1)]
    assert (answer.sampled, answer.unsampled) == (len(kept), "")


def test_values_of_every_type_are_kept_as_their_texts(reader: Login):
    sql = (
        "select null as a, 'Zoë'::text as b, '\\x00ff'::bytea as c, date '9999-12-31' + 1 as d, array[1,2] as e,"
        " 'x'::char(3) as f, timestamptz '2026-01-01 12:00+02' as g, repeat('é', 300) as h, 'NaN'::numeric as \"I i\""
    )
    answer, [row] = ask(reader, sql, *"abcdefgh", "I i")
    assert answer.sampled == 1
    assert list(row.values()) == [
        None, "Zoë", "\\x00ff", "10000-01-01", "{1,2}", "x  ", "2026-01-01 10:00:00+00", "é" * 200 + "…", "NaN",
    ]  # fmt: skip


@pytest.mark.parametrize("where", ["true", "false"])
@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select n as m from many where {}", "the query answers no column named n"),
        ("select n, n from many where {}", "the query answers several columns named n"),
        ("select from many where {}", "the query answers no column named n"),
    ],
)
def test_a_key_that_is_no_column_is_an_error_whether_there_are_rows_or_not(
    reader: Login, sql: str, said: str, where: str
):
    answer, kept = ask(reader, sql.format(where))
    assert (answer.error, answer.kind, answer.rows) == (said, "question", 0)
    assert kept == []


def test_evidence_that_cannot_be_kept_leaves_the_count(reader: Login):
    answer, _ = ask(reader, "select n from many where n < 8", error="the disk is full")
    assert (answer.rows, answer.error, answer.sampled, answer.unsampled) == (7, "", 0, "the disk is full")


def test_nothing_is_kept_of_what_was_not_answered(reader: Login):
    answer, kept = ask(reader, "select n, 1 / (n - 50) from many where n < 99 order by n", limit=3)
    assert (answer.kind, answer.sampled) == ("question", 0)
    assert kept == []


def test_the_statements_after_the_question_are_these_and_no_more(running: Server, reader: Login):
    seen = running.log.stat().st_size
    assert ask(reader, "select n from many", limit=3)[0].error == ""
    with running.log.open() as log:
        log.seek(seen)
        statements = re.findall(r"LOG:  (?:statement|execute [^:]*): (.*)", log.read())
    asked = statements.index('DECLARE "restorecheck" NO SCROLL CURSOR FOR select n from many')
    assert statements[asked + 1 :] == [
        "FETCH FORWARD 3 FROM restorecheck",
        "SET SESSION statement_timeout = 60000",
        "MOVE FORWARD 9998 FROM restorecheck",
        'CLOSE "restorecheck"',
        "ROLLBACK",
    ]


FREEING = """
create function public.freed(n int) returns int language plpgsql as $$ begin
  if n = 1 then
    perform pg_catalog.set_config('statement_timeout', '0', false);
  elsif pg_catalog.current_setting('statement_timeout') = '0' then
    raise 'nothing ends this statement';
  end if;
  return n;
end $$
"""


def test_a_function_that_frees_the_session_of_its_timeout_does_so_for_the_first_rows_only(
    running: Server, reader: Login
):
    with running.superuser("shop") as connection:
        connection.execute(FREEING)
    try:
        answer, kept = ask(reader, "select freed(n) as n from many", limit=1)
        assert (answer.error, answer.rows, answer.more) == ("", 10_000, True)
        assert kept == [{"n": "1"}]
    finally:
        with running.superuser("shop") as connection:
            connection.execute("drop function public.freed(int)")


def test_a_question_that_keeps_keys_is_cut_off_like_any_other(reader: Login):
    answer, kept = ask(reader, "select n, pg_sleep(case n when 3 then 30 else 0 end) from many", limit=1, timeout=0.3)
    assert (answer.kind, answer.sampled, kept) == ("timeout", 0, [])


def test_without_a_place_for_them_rows_are_counted_and_no_key_is_taken(reader: Login):
    question = Assertion("a", "select n from many where n < 8", Expectation(no_rows=True), samples=Samples(("n",)))
    (answer,) = Postgres().ask(reader, [question], "salt", timedelta(hours=1), Beside())
    assert (answer.rows, answer.error, answer.sampled) == (7, "", 0)
    assert answer.unsampled == "no directory is configured for it"
