"""Keys of rows that should not be there, as a real MariaDB answers them: the first few for evidence, all counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

import pytest
from mariadb_server import Server, mariadb

from restorecheck.databases.interface import Beside, Login
from restorecheck.databases.mysql import MySQL
from restorecheck.errors import RestorecheckError
from restorecheck.model import Answer, Assertion, Expectation, Samples

Rows = list[Mapping[str, str | None]]


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with mariadb() as made:
        made.run("CREATE DATABASE sampling CHARACTER SET utf8mb4")
        made.run("CREATE TABLE sampling.many (Id INT PRIMARY KEY, u BINARY(4), t VARCHAR(300))")
        made.run(
            "INSERT INTO sampling.many SELECT seq, UNHEX('00ff01fe'), REPEAT('é', 300) FROM sampling.seq_1_to_10001"
        )
        yield made


@pytest.fixture(scope="module")
def reader(running: Server) -> Login:
    login = running.login(database="sampling")
    MySQL().prepare(running.master(), login)
    return login


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
        samples=Samples(keys or ("id",), limit),
    )
    [answer] = MySQL().ask(reader, [question], "salt", timedelta(seconds=90), Beside(evidence=keep))
    return answer, kept


@pytest.mark.parametrize("rows", [0, 2, 3, 4, 10_000, 10_001])
def test_all_rows_are_counted_and_the_first_are_kept(reader: Login, rows: int) -> None:
    answer, kept = ask(reader, f"select Id, t from many where id <= {rows} order by id", limit=3)
    assert (answer.rows, answer.more) == (min(rows, 10_000), rows > 10_000)
    assert (answer.error, answer.columns, answer.cells) == ("", 2, ())
    assert kept == [{"id": str(n)} for n in range(1, min(rows, 3) + 1)]
    assert (answer.sampled, answer.unsampled) == (len(kept), "")


def test_values_are_kept_as_their_texts_or_in_hexadecimal(reader: Login) -> None:
    _, kept = ask(reader, "select u, t, null as n, b'1' as b from many where id = 1", "u", "t", "n", "b")
    assert kept == [{"u": "0x00ff01fe", "t": "é" * 200 + "…", "n": None, "b": "0x01"}]


@pytest.mark.parametrize("where", ["id < 3", "false"])
def test_a_key_that_is_no_column_is_an_error_whether_there_are_rows_or_not(reader: Login, where: str) -> None:
    answer, kept = ask(reader, f"select id as i from many where {where}")
    assert (answer.error, answer.kind) == ("the query answers no column named id", "question")
    answer, kept = ask(reader, f"select id, id from many where {where}")
    assert (answer.error, kept) == ("the query answers several columns named id", [])


def test_evidence_that_cannot_be_kept_leaves_the_count(reader: Login) -> None:
    answer, _ = ask(reader, "select id from many where id < 8", error="the disk is full")
    assert (answer.rows, answer.error, answer.sampled, answer.unsampled) == (7, "", 0, "the disk is full")


def test_nothing_is_kept_of_what_was_cut_off(reader: Login) -> None:
    answer, kept = ask(reader, "select id, sleep(if(id = 3, 30, 0)) from many where id < 9", limit=1, timeout=0.3)
    assert (answer.kind, answer.sampled, kept) == ("timeout", 0, [])


def test_without_a_place_for_them_rows_are_counted_and_no_key_is_taken(reader: Login) -> None:
    question = Assertion("a", "select id from many where id < 8", Expectation(no_rows=True), samples=Samples(("id",)))
    [answer] = MySQL().ask(reader, [question], "salt", timedelta(seconds=90), Beside())
    assert (answer.rows, answer.error, answer.sampled) == (7, "", 0)
    assert answer.unsampled == "no directory is configured for it"
