"""Figures to a Pushgateway: one that really keeps groups, and others that refuse, break, hang or redirect."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from figures_cases import full, world
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.parser import text_string_to_metric_families

from restorecheck.errors import RestorecheckError
from restorecheck.metrics.figures import Figures
from restorecheck.metrics.pushgateway import JOB, OF_A_PROCESS, push

Answer = tuple[int, bytes]
Families = dict[str, set[tuple[str, frozenset[tuple[str, str]], float]]]


class Gateway:
    """Groups by their paths, each of families by name: PUT replaces a group, POST only families of it."""

    def __init__(self) -> None:
        self.url = ""
        self.groups: dict[str, Families] = {}
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.answer: Callable[[str], Answer | None] = lambda method: None

    def take(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        self.asked.append((method, path, headers))
        if scripted := self.answer(method):
            return scripted
        pushed: Families = {}
        for family in text_string_to_metric_families(body.decode()):
            if any(sample.timestamp is not None for sample in family.samples):
                return 400, b"pushed metrics must not have timestamps"
            pushed[family.name] = {(s.name, frozenset(s.labels.items()), s.value) for s in family.samples}
        kept = self.groups.get(path, {}) if method == "POST" else {}
        self.groups[path] = {**kept, **pushed}
        return 200, b""

    def checks(self) -> set[str]:
        (group,) = self.groups.values()
        return {
            dict(labels)["check"] for _, labels, _ in group.get("restorecheck_run_last_success_timestamp_seconds", ())
        }


@contextmanager
def serving() -> Iterator[Gateway]:
    gateway = Gateway()

    class Handler(BaseHTTPRequestHandler):
        def take(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, said = gateway.take(self.command, self.path, dict(self.headers), body)
            self.send_response(status)
            if status in {301, 307}:
                self.send_header("Location", f"{gateway.url}/elsewhere")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def __getattr__(self, name: str) -> Callable[[], None]:
            if name.startswith("do_"):  # of any method
                return self.take
            raise AttributeError(name)

        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        gateway.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield gateway
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with serving() as made:
        yield made


def test_all_figures_go_in_one_request_but_what_each_process_counts_for_itself(gateway: Gateway):
    push(gateway.url, full())
    ((method, path, headers),) = gateway.asked
    assert (method, path) == ("PUT", f"/metrics/job/{JOB}")
    assert headers["Content-Type"] == CONTENT_TYPE_PLAIN_0_0_4
    exported = {name for group in gateway.groups.values() for name in group}
    left_out = {f"restorecheck_{name}" for name in OF_A_PROCESS}
    assert exported == {f"restorecheck_{metric.name}" for metric, _ in full()} - left_out
    assert len(left_out) == 2


def test_a_check_that_is_removed_is_gone_with_the_next_push(gateway: Gateway):
    push(gateway.url, world("orders-db", "shop-db"))
    assert gateway.checks() == {"orders-db", "shop-db"}
    push(gateway.url, world("orders-db"))
    assert gateway.checks() == {"orders-db"}
    assert {method for method, _, _ in gateway.asked} == {"PUT"}  # nothing is ever asked for or deleted


def test_a_store_that_cannot_be_read_erases_nothing(gateway: Gateway):
    push(gateway.url, world("orders-db"))
    down = Figures()
    down.put("store_up", 0)
    push(gateway.url, down)
    assert gateway.asked[-1][0] == "POST"
    assert gateway.checks() == {"orders-db"}
    (group,) = gateway.groups.values()
    assert group["restorecheck_store_up"] == {("restorecheck_store_up", frozenset(), 0.0)}


def test_what_nobody_says_is_whole_erases_nothing(gateway: Gateway):
    push(gateway.url, Figures())
    assert gateway.asked[-1][0] == "POST"


def test_a_path_is_kept(gateway: Gateway):
    push(gateway.url + "/push/", world("orders-db"))
    assert gateway.asked[0][1] == f"/push/metrics/job/{JOB}"


def test_a_password_in_an_address_is_neither_sent_nor_shown(gateway: Gateway):
    with pytest.raises(RestorecheckError, match="has a user or a password in it") as raised:
        push(gateway.url.replace("//", "//me:hidden@"), world("orders-db"))
    assert "hidden" not in f"{raised.value}{raised.value.hint}"
    assert gateway.asked == []


@pytest.mark.parametrize("status", [200, 202])
def test_taken_is_taken_whether_it_was_looked_at_or_not(gateway: Gateway, status: int):
    gateway.answer = lambda method: (status, b"")
    push(gateway.url, world("orders-db"))


@pytest.mark.parametrize(
    ("status", "again", "hint"),
    [
        (400, False, "same group"),
        (401, False, "password"),
        (403, False, "password"),
        (404, False, "is it a Pushgateway"),
        (429, True, ""),
        (500, True, ""),
        (503, True, ""),
        (307, False, ""),
        (204, False, ""),  # nothing that a Pushgateway says
    ],
)
def test_what_is_refused_is_an_error_with_what_was_said(gateway: Gateway, status: int, again: bool, hint: str):
    said = b"" if status == 204 else b"pushed metrics are invalid\n\x1b[31m or \xff" + b"x" * 999
    gateway.answer = lambda method: (status, said)
    with pytest.raises(RestorecheckError) as raised:
        push(gateway.url, world("orders-db"))
    error = raised.value
    assert (error.kind, error.retryable) == ("config", again)
    assert error.message.startswith(f"the Pushgateway at {gateway.url[7:]} answered {status}")
    assert hint in error.hint
    assert error.message.isprintable()
    assert len(error.message) < 400
    assert len(gateway.asked) == 1  # neither tried again nor followed elsewhere


@contextmanager
def listening(accept: Callable[[socket.socket], None]) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=accept, args=(server,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            with socket.create_connection(server.getsockname()):  # wakes whoever still waits
                pass
            thread.join()


def test_a_gateway_that_hangs_is_given_up():
    done = threading.Event()

    def hangs(server: socket.socket) -> None:
        connection, _ = server.accept()
        done.wait(30)
        connection.close()

    with listening(hangs) as url:
        began = time.monotonic()
        with pytest.raises(RestorecheckError, match=r"did not answer: no answer in time$") as raised:
            push(url, world("orders-db"), timeout=0.2)
        done.set()
    assert time.monotonic() - began < 20
    assert raised.value.retryable


def test_a_gateway_that_breaks_off():
    def breaks(server: socket.socket) -> None:
        server.accept()[0].close()

    with listening(breaks) as url, pytest.raises(RestorecheckError, match="did not answer: ") as raised:
        push(url, world("orders-db"))
    assert raised.value.retryable


def test_nobody_there():
    with pytest.raises(RestorecheckError) as raised:
        push("http://127.0.0.1:1", world("orders-db"))
    assert raised.value.message == "the Pushgateway at 127.0.0.1:1 did not answer: Connection refused"
    assert raised.value.retryable


@pytest.mark.parametrize("url", ["gateway:9091", "ftp://gateway:9091", "http://", "http://gateway:port", "http://[::1"])
def test_an_address_that_is_none(url: str):
    with pytest.raises(RestorecheckError, match="the address of the Pushgateway is none") as raised:
        push(url, world("orders-db"))
    assert (raised.value.kind, raised.value.retryable) == ("config", False)


def test_an_address_of_ipv6():
    with pytest.raises(RestorecheckError, match=r"the Pushgateway at \[::1\]:1 did not answer"):
        push("http://[::1]:1", world("orders-db"))
