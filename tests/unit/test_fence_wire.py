"""One request on one connection: what the runtime tells, in whatever order, and what becomes of it.

The runtime calls on threads of its own; here it is called by hand, so that every order can be tried.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import awscrt.exceptions
import pytest

from restorecheck.fence import wire as wire_module
from restorecheck.fence.object_requests import Address, Reply
from restorecheck.fence.wire import Flight, Wire, Wires

HERE = Address("127.0.0.1", 9, False, "127.0.0.1:9", "/b")
THERE = Address("b.s3.eu-central-1.amazonaws.com", 443, True, "b.s3.eu-central-1.amazonaws.com", "")


class Stream:
    """A stream of the runtime."""

    def __init__(self, taker: tuple[Any, Any]) -> None:
        self.on_response, self.on_body = taker
        self.completion_future: Future[int] = Future()
        self.granted: list[int] = []
        self.active = False

    def activate(self) -> None:
        self.active = True

    def update_window(self, size: int) -> None:
        self.granted.append(size)

    def answer(self, status: int, *pieces: bytes) -> None:
        self.on_response(http_stream=self, status_code=status, headers=[("ETag", "e")], more="later")
        for piece in pieces:
            self.on_body(http_stream=self, chunk=piece, more="later")


class Connection:
    """A connection of the runtime."""

    def __init__(self, broken: Exception | None = None) -> None:
        self.broken, self.closed = broken, False
        self.stream: Stream | None = None

    def is_open(self) -> bool:
        return not self.closed

    def close(self) -> None:
        self.closed = True

    def request(self, request: Any, on_response: Any, on_body: Any) -> Stream:
        if self.broken:
            raise self.broken
        self.stream = Stream((on_response, on_body))
        return self.stream


def flight(taken: list[bytes] | None = None) -> tuple[Flight, list[Reply]]:
    ended: list[Reply] = []
    take = None if taken is None else lambda _flight, piece: taken.append(piece)
    return Flight(lambda reply: reply.status == 200, take, lambda f: ended.append(f.reply)), ended


def opened(connection: Connection) -> Future[Any]:
    made: Future[Any] = Future()
    made.set_result(connection)
    return made


def under_way(taken: list[bytes] | None = None) -> tuple[Wire, Connection, Flight, list[Reply]]:
    wire, connection = Wire(HERE, ""), Connection()
    one, ended = flight(taken)
    wire._opened(opened(connection), object(), one)
    return wire, connection, one, ended


def test_what_is_liked_is_taken_and_granted_by_whoever_takes_it():
    taken: list[bytes] = []
    wire, connection, one, ended = under_way(taken)
    assert connection.stream.active
    connection.stream.answer(200, b"ab", b"c")
    assert (taken, connection.stream.granted) == ([b"ab", b"c"], [])
    one.grant(3)
    one.grant(0)
    assert connection.stream.granted == [3]
    connection.stream.completion_future.set_result(200)
    assert (ended[0].status, ended[0].headers, ended[0].body, ended[0].broken) == (200, {"etag": "e"}, b"", "")
    assert wire._kept() is connection
    assert wire._kept() is None
    one.grant(1)  # of a piece that was taken after the end had come
    assert connection.stream.granted == [3]
    assert (one.connection, one._stream) == (None, None)  # what it held is let go at once


@pytest.mark.parametrize("taken", [None, []])
def test_what_is_not_liked_is_kept_as_an_answer(taken: list[bytes] | None):
    _, connection, _, ended = under_way(taken)
    connection.stream.answer(404, b"<Error>", b"</Error>")
    connection.stream.completion_future.set_result(404)
    assert (ended[0].status, ended[0].body) == (404, b"<Error></Error>")
    assert not taken
    assert connection.stream.granted == [7, 8]


def test_an_answer_that_breaks_off_says_so_and_its_connection_is_not_used_again():
    wire, connection, _, ended = under_way([])
    connection.stream.answer(200, b"ab")
    connection.stream.completion_future.set_exception(awscrt.exceptions.AwsCrtError(1, "AWS_ERROR", "lost"))
    assert ended[0].broken == "the answer broke off: AWS_ERROR lost"
    assert connection.closed
    assert wire._kept() is None


def test_after_it_was_cut_nothing_is_taken_and_nothing_granted():
    taken: list[bytes] = []
    wire, connection, one, ended = under_way(taken)
    connection.stream.answer(200, b"ab")
    one.cut("first")
    one.cut("second")
    connection.stream.answer(200, b"cd")
    one.grant(2)
    connection.stream.completion_future.set_result(200)
    assert (taken, connection.stream.granted, ended[0].broken) == ([b"ab"], [], "first")
    assert connection.closed
    assert wire._kept() is None


def test_what_was_cut_before_it_had_a_connection_ends_as_soon_as_it_has_one():
    wire, connection = Wire(HERE, ""), Connection()
    one, ended = flight()
    one.cut("nobody wants it any more")
    wire._opened(opened(connection), object(), one)
    assert connection.closed
    connection.stream.completion_future.set_exception(RuntimeError())
    assert ended[0].broken == "nobody wants it any more"


def test_an_answer_that_nobody_takes_has_an_end():
    _, connection, _, ended = under_way()
    connection.stream.answer(500, *[b"x" * 40_000] * 3)
    connection.stream.completion_future.set_exception(RuntimeError())
    assert ended[0].broken == "the answer is longer than any that was expected"
    assert connection.stream.granted == [40_000]


def test_no_connection_is_an_answer_that_never_came():
    failed: Future[Any] = Future()
    failed.set_exception(awscrt.exceptions.AwsCrtError(1, "AWS_IO_DNS", "no such host"))
    one, ended = flight()
    Wire(HERE, "")._opened(failed, object(), one)
    assert ended[0].broken == "no connection to 127.0.0.1: AWS_IO_DNS no such host"


@pytest.mark.parametrize("error", [RuntimeError("x"), awscrt.exceptions.AwsCrtError(1, "AWS_CLOSED", "closed")])
def test_a_connection_that_was_closed_while_nobody_used_it_is_a_lost_one(error: Exception):
    connection = Connection(error)
    one, ended = flight()
    Wire(HERE, "")._opened(opened(connection), object(), one)
    assert ended[0].broken.startswith("the connection was lost: ")
    assert connection.closed


def test_a_kept_connection_is_used_again_unless_it_is_closed():
    wire, first, second = Wire(HERE, ""), Connection(), Connection()
    wire._idle += [second, first]
    first.close()
    one, _ = flight()
    wire.send(object(), one)
    assert one.connection is second


def test_only_so_many_connections_are_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(wire_module, "_IDLE", 1)
    wire = Wire(HERE, "")
    for connection in (Connection(), Connection()):
        one, _ = flight()
        wire._opened(opened(connection), object(), one)
        connection.stream.completion_future.set_result(200)
        last = connection
    assert len(wire._idle) == 1
    assert last.closed


def test_each_address_has_one_wire_and_one_that_is_secured_believes_what_botocore_believes():
    wires = Wires()
    assert wires.to(THERE, "") is wires.to(THERE, "")
    assert wires.to(THERE, "") is not wires.to(HERE, "")
    assert wires.to(THERE, "")._tls is not None
    assert wires.to(HERE, "")._tls is None
    with pytest.raises(Exception, match=r"."):
        Wire(THERE, "/nonexistent/bundle.pem")


@pytest.mark.parametrize(
    ("address", "variable", "value", "expected"),
    [
        (THERE, "HTTPS_PROXY", "http://me:p%40ss@proxy.example:3128", ("proxy.example", 3128, "me", "p@ss")),
        (THERE, "HTTPS_PROXY", "proxy.example", ("proxy.example", 8080, None, None)),
        (HERE, "HTTP_PROXY", "http://proxy.example:1", ("proxy.example", 1, None, None)),
        (HERE, "HTTPS_PROXY", "http://proxy.example:1", None),
    ],
)
def test_the_proxy_is_the_one_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch, address: Address, variable: str, value: str, expected: tuple[Any, ...] | None
):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable.lower(), value)
    found = Wire(address, "")._proxy
    if expected is None:
        assert found is None
    else:
        assert (found.host_name, found.port, found.auth_username, found.auth_password) == expected
    monkeypatch.setenv("no_proxy", "*")
    assert Wire(address, "")._proxy is None
