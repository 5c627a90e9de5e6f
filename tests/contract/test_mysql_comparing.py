"""Rows of a real MariaDB against what was recorded, and their keys against those of objects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from mariadb_server import Server, mariadb

from restorecheck.databases import mysql_question
from restorecheck.databases.interface import Beside, Login
from restorecheck.databases.mysql import MySQL
from restorecheck.errors import QueryError
from restorecheck.model import Against, Answer, Assertion, Expectation

SAME = Expectation(same_as=Against("previous"))
EXIST = Expectation(exist_in="exports")
COVERS = Expectation(covers="exports")
KEYS = ["2026/a b.csv", "2026/ä.csv", "2026/🎈.csv", "Z", "a"]


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with mariadb() as made:
        made.run("CREATE DATABASE keys_and_rows CHARACTER SET utf8mb4")
        made.run(
            "CREATE TABLE keys_and_rows.files (id INT PRIMARY KEY, k VARCHAR(500), l VARCHAR(99) CHARACTER SET latin1)"
        )
        for number, key in enumerate(reversed(KEYS)):
            latin = key if key.isascii() or "ä" in key else "a"
            made.run(f"INSERT INTO keys_and_rows.files VALUES ({number}, '{key}', '{latin}')")
        made.run("INSERT INTO keys_and_rows.files VALUES (90, NULL, NULL), (91, 'a', 'a')")
        yield made


@pytest.fixture(scope="module")
def reader(running: Server) -> Login:
    login = running.login(database="keys_and_rows")
    MySQL().prepare(running.master(), login)
    return login


def ask(reader: Login, sql: str, expect: Expectation, keys: Callable[[], Iterable[bytes]] | None = None) -> Answer:
    beside = Beside(keys={"exports": keys} if keys else {})
    assertion = Assertion("one", sql, expect, timeout=timedelta(seconds=30))
    [answer] = MySQL().ask(reader, [assertion], "salt", timedelta(seconds=60), beside)
    return answer


def listed(*extra: str, without: str = "") -> Callable[[], Iterable[bytes]]:
    return lambda: iter(sorted(key.encode() for key in [*KEYS, *extra] if key != without))


# --- rows -----------------------------------------------------------------------------------------------------------


def test_the_same_rows_have_the_same_fingerprint_whatever_their_order(reader: Login) -> None:
    one = ask(reader, "select id, k from files order by id", SAME)
    other = ask(replace(reader), "select id, k from files order by k desc;", SAME)
    assert (one.error, one.rows, one.columns, one.cells) == ("", 7, 2, ())
    assert one.fingerprint == other.fingerprint != ""


@pytest.mark.parametrize(
    "sql",
    [
        "select id, k from files where id <> 91",
        "select id, upper(k) from files",
        "select k, id from files",
        "select id, coalesce(k, '') from files",
        "select id, k from files union all select 91, 'a'",
    ],
)
def test_other_rows_have_another_fingerprint(reader: Login, sql: str) -> None:
    assert ask(reader, sql, SAME).fingerprint != ask(reader, "select id, k from files", SAME).fingerprint


def test_what_cannot_be_compared_as_a_value_is_part_of_a_fingerprint(reader: Login) -> None:
    seen = {
        ask(reader, f"select {value}", SAME).fingerprint
        for value in (
            "b'101'",
            "b'100'",
            "point(1, 2)",
            "point(1, 3)",
            "date '0000-00-00'",
            "null",
            "timediff('2', '1')",
        )
    }
    assert len(seen) == 7
    assert "" not in seen


def test_rows_beyond_what_can_be_compared_are_refused(reader: Login, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mysql_question, "COMPARED_ROWS", 6)
    answer = ask(reader, "select id from files", SAME)
    assert (answer.kind, answer.fingerprint) == ("question", "")
    assert "larger than what can be compared, 6 rows" in answer.error
    monkeypatch.setattr(mysql_question, "COMPARED_BYTES", 3)
    assert ask(reader, "select 'four'", SAME).kind == "question"


# --- keys -----------------------------------------------------------------------------------------------------------


def test_every_key_is_that_of_an_object(reader: Login) -> None:
    answer = ask(reader, "select k from files", EXIST, listed("more"))
    assert answer.error == ""
    assert answer.examined is not None
    assert (answer.examined.count, answer.examined.flawed, answer.examined.rows) == (5, 0, 7)
    assert answer.examined.remarks == ("1 of 7 rows have no key",)


@pytest.mark.parametrize("column", ["k", "cast(k as binary)", "convert(k using utf16)"])
def test_a_key_of_no_object_is_counted_and_not_told(reader: Login, column: str) -> None:
    answer = ask(reader, f"with f as (select * from files) select {column} from f", EXIST, listed(without="2026/ä.csv"))
    assert answer.error == ""
    assert answer.examined is not None
    [flaw] = answer.examined.flaws
    assert (answer.examined.flawed, flaw.object, flaw.message) == (1, "exports", "1 of 5 keys are of no object")


def test_a_key_in_another_character_set_is_the_same_key(reader: Login) -> None:
    answer = ask(reader, "select l from files order by l -- a remark", EXIST, listed())
    assert answer.examined is not None
    assert (answer.examined.count, answer.examined.flawed) == (4, 0)


def test_every_object_is_named_by_a_row(reader: Login) -> None:
    answer = ask(reader, "select k from files", COVERS, listed())
    assert answer.examined is not None
    assert (answer.examined.count, answer.examined.flawed) == (5, 0)
    answer = ask(reader, "select k from files", COVERS, listed("b", "c"))
    assert answer.examined is not None
    assert [flaw.message for flaw in answer.examined.flaws] == ["2 of 7 objects are named by no row"]


def test_more_keys_than_other_answers_may_have_are_compared(reader: Login) -> None:
    sql = "select concat('k', lpad(seq, 6, '0')) from seq_1_to_20000"
    answer = ask(reader, sql, EXIST, lambda: (b"k%06d" % number for number in range(1, 20001)))
    assert answer.examined is not None
    assert (answer.examined.count, answer.examined.flawed) == (20000, 0)


@pytest.mark.parametrize("sql", ["select id, k from files", "select k from files into @x", "update files set k = 'x'"])
def test_what_is_not_one_column_of_keys_is_a_question(reader: Login, sql: str) -> None:
    assert ask(reader, sql, EXIST, listed()).kind == "question"


def test_keys_that_are_not_to_be_had_say_so(reader: Login) -> None:
    assert ask(reader, "select k from files", EXIST).kind == "could-not-look"

    def refused() -> Iterable[bytes]:
        raise QueryError("the bucket could not be listed", kind="permission")

    answer = ask(reader, "select k from files", EXIST, refused)
    assert (answer.kind, answer.error) == ("permission", "the bucket could not be listed")


def test_keys_in_disorder_prove_nothing(reader: Login) -> None:
    assert ask(reader, "select k from files", EXIST, lambda: [b"b", b"a"]).kind == "could-not-look"
