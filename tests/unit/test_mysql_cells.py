"""Values and errors of MySQL and MariaDB, without a server."""

from __future__ import annotations

import sys
from datetime import timedelta

import pytest

from restorecheck.assertions.digest import digest
from restorecheck.databases.interface import Login
from restorecheck.databases.mysql import MySQL
from restorecheck.databases.mysql_cells import cell
from restorecheck.databases.mysql_connection import connect, refused
from restorecheck.databases.mysql_errors import connecting, kind_of, sentence
from restorecheck.errors import QueryError
from restorecheck.model import Assertion, Cell, Expectation

LOGIN = Login("127.0.0.1", 1, "reader", "pw", "shop")


@pytest.mark.parametrize(
    ("raw", "code", "expected"),
    [
        (b"42", 8, Cell("number", "42")),
        (b"1.50", 246, Cell("number", "1.5")),
        (b"1e20", 5, Cell("number", "100000000000000000000")),
        (b"1.5e-7", 5, Cell("number", "0.00000015")),
        (b"1", 1, Cell("number", "1")),
        (b"2026", 13, Cell("number", "2026")),
        (b"2026-11-20 01:02:03", 7, Cell("time", "2026-11-20T01:02:03+00:00")),
        (b"2026-11-20 01:02:03.500", 12, Cell("time", "2026-11-20T01:02:03.500000", naive=True)),
        (b"2026-11-20", 10, Cell("date", "2026-11-20")),
        (b"-01:30:00.250", 11, Cell("duration", "-5400.25")),
        (b"838:59:59", 11, Cell("duration", "3020399")),
        (None, 11, Cell("null")),
    ],
)
def test_a_value_is_exact_and_canonical(raw: bytes | None, code: int, expected: Cell) -> None:
    assert cell(raw, code, "salt") == expected


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"0000-00-00", 10),
        (b"0000-00-00 00:00:00", 7),
        (b"\x05", 16),
        (b"{}", 245),
        (b"x", 255),
        (b"x", 99),
        (b"x", 11),
    ],
)
def test_what_has_no_comparable_form_is_other(raw: bytes, code: int) -> None:
    assert cell(raw, code, "salt").kind == "other"


def test_texts_and_values_of_a_set_leave_as_digests() -> None:
    assert cell(b"Grace", 253, "salt") == Cell("digest", digest("text", "Grace", "salt"))
    assert cell(b"\xff", 252, "salt").kind == "digest"
    assert cell(b"1.50", 246, "salt", seal=True) == Cell("digest", digest("number", "1.5", "salt"))
    assert cell(b"00:01:00", 11, "salt", seal=True) == Cell("digest", digest("duration", "60", "salt"))


@pytest.mark.parametrize(
    ("number", "message", "kind"),
    [
        (1146, "", "missing-object"),
        (1054, "", "missing-object"),
        (1194, "", "data-damaged"),
        (1932, "", "data-damaged"),
        (1030, 'Got error 126 "Index file is crashed"', "data-damaged"),
        (1030, 'Got error 28 "No space left on device"', "question"),
        (1030, 'Got error 24 "Too many open files" from storage engine InnoDB', "question"),
        (1016, "Can't open file: 'secret.ibd' (errno: 24 \"Too many open files\")", "question"),
        (1016, "Can't open file: 'secret.ibd' (errno: 2 \"No such file or directory\")", "data-damaged"),
        (1969, "", "timeout"),
        (3024, "", "timeout"),
        (2013, "", "connection-lost"),
        (1927, "", "interfered"),
        (1045, "", "question"),
        (1449, "", "question"),
        (1064, "", "question"),
        (9999, "", "question"),
    ],
)
def test_an_error_has_its_kind(number: int, message: str, kind: str) -> None:
    assert kind_of(number, message) == kind


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1045, ("login-failed", True)),
        (1049, ("missing-object", False)),
        (2026, ("tls", False)),
        (2013, ("database-unreachable", True)),
        (1064, ("database-unreachable", True)),
        (0, ("database-unreachable", True)),
    ],
)
def test_a_connection_that_does_not_come_about_accuses_nobody(number: int, expected: tuple[str, bool]) -> None:
    assert connecting(number) == expected


def test_a_sentence_names_what_the_query_names_and_no_value() -> None:
    told = sentence(1146, "Table 'shop.refunds' doesn't exist", "select 1 from refunds", "shop")
    assert told == "the server refused with error 1146: Table 'shop.refunds' does not exist"
    value = sentence(1292, "Truncated incorrect DOUBLE value: '4111-1111'", "select note + 1 from orders")
    assert "4111" not in value
    assert "tried to write" in sentence(1792, "Cannot execute statement in a READ ONLY transaction", "select 1")


def test_a_host_is_a_host() -> None:
    for host in ("", "/run/mysqld/mysqld.sock", "a,b"):
        with pytest.raises(QueryError) as e:
            connect(Login(host, 1, "u", "p", "d"))
        assert e.value.kind == "config"


def test_nobody_there_is_unreachable_and_may_be_tried_again() -> None:
    waited: list[float] = []
    server = MySQL(wait=waited.append, patience=timedelta(seconds=0))
    with pytest.raises(QueryError) as e:
        server.knock(LOGIN)
    assert (e.value.kind, e.value.retryable) == ("database-unreachable", True)
    assert "pw" not in e.value.message.split()


def test_a_server_that_is_gone_is_waited_for_once() -> None:
    clock = [0.0]

    def wait(seconds: float) -> None:
        clock[0] += seconds

    server = MySQL(wait=wait, monotonic=lambda: clock[0])
    expect = Expectation(equals=Cell("number", "1"))
    answers = server.ask(LOGIN, [Assertion(n, "select 1", expect) for n in "ab"], "salt", timedelta(hours=1))
    assert [a.kind for a in answers] == ["database-unreachable"] * 2
    assert clock[0] == 60
    late = server.ask(LOGIN, [Assertion("a", "select 1", expect)], "salt", timedelta(0))
    assert late[0].kind == "timeout"


def test_without_the_client_library_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "restorecheck.databases.mysql_server", None)
    expect = Expectation(equals=Cell("number", "1"))
    [answer] = MySQL().ask(LOGIN, [Assertion("a", "select 1", expect)], "salt", timedelta(seconds=1))
    assert answer.kind == "environment"
    with pytest.raises(QueryError) as e:
        MySQL().knock(LOGIN)
    assert "pip install" in e.value.hint


def test_a_refusal_names_the_place_and_not_the_password() -> None:
    error = refused(LOGIN, 1045, "Access denied for user 'reader'@'127.0.0.1' (using password: YES)")
    assert "127.0.0.1:1, database 'shop', as 'reader'" in error.message
    assert error.kind == "login-failed"


def test_an_error_of_which_nothing_may_be_repeated_has_its_number() -> None:
    assert sentence(1105, "Zürich Genève Basel", "select 1") == "the server refused with error 1105"
