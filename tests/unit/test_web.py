"""The HTTP surface: what each path answers, and what a hostile, slow or enormous client can not do."""

from __future__ import annotations

import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPResponse

import pytest

from restorecheck import logs
from restorecheck.errors import ConfigError, Problem, RestorecheckError
from restorecheck.web.answers import INDEX, Answers, Request
from restorecheck.web.readiness import Aspect, ready, ready_json
from restorecheck.web.server import Bounds, WebServer, parsed

FINE = (Aspect("configuration", ok=True, text="12 checks"), Aspect("store", ok=True, text="ok"))


class Parts:
    """Probes that say what a test wants."""

    def __init__(self, *aspects: Aspect) -> None:
        self.now: Sequence[Aspect] = aspects or FINE

    def aspects(self) -> Sequence[Aspect]:
        return self.now


class Broken:
    def aspects(self) -> Sequence[Aspect]:
        raise ValueError("canary of a probe")


@contextmanager
def serving(
    probes: Parts | Broken | None = None, reload: Callable[[], str] | None = None, bounds: Bounds | None = None
) -> Iterator[WebServer]:
    server = WebServer("127.0.0.1:0", probes or Parts(), reload=reload, bounds=bounds)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def web() -> Iterator[WebServer]:
    with serving() as server:
        yield server


def place(server: WebServer) -> tuple[str, int]:
    host, _, port = server.address.rpartition(":")
    return host.strip("[]"), int(port)


def ask(
    server: WebServer, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[HTTPResponse, str]:
    with closing(HTTPConnection(*place(server), timeout=10)) as connection:
        connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        response = connection.getresponse()
        return response, response.read().decode()


def raw(server: WebServer, request: bytes) -> bytes:
    """Send bytes as they are and return everything that comes back until the server closes."""
    with socket.create_connection(place(server), timeout=10) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        threading.Event().wait(0.01)
    return True


# --- what each path answers -------------------------------------------------------------------------------------------


def test_it_is_healthy_while_it_serves(web):
    response, body = ask(web, "GET", "/-/healthy")
    assert (response.status, body) == (200, "ok\n")


def test_the_index_lists_the_paths(web):
    assert ask(web, "GET", "/")[1] == INDEX


@pytest.mark.parametrize("path", ["/", "/-/healthy", "/-/ready"])
def test_head_answers_as_get_without_the_body(web, path):
    got, body = ask(web, "GET", path)
    head, nothing = ask(web, "HEAD", path)
    assert nothing == ""
    assert (head.status, head.headers["Content-Length"]) == (got.status, str(len(body.encode())))


def test_it_is_ready_when_every_part_is(web):
    response, body = ask(web, "GET", "/-/ready")
    assert (response.status, body) == (200, "configuration: 12 checks\nstore: ok\n")
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"


def test_it_is_not_ready_when_a_part_that_blocks_is_not_and_says_which():
    with serving(Parts(FINE[0], Aspect("store", ok=False, text="cannot be written since 03:00: disk full"))) as web:
        response, body = ask(web, "GET", "/-/ready")
        assert (response.status, body.splitlines()[1]) == (503, "store: cannot be written since 03:00: disk full")
        assert ask(web, "GET", "/-/healthy")[0].status == 200


def test_readiness_follows_its_parts():
    parts = Parts()
    with serving(parts) as web:
        seen = []
        for aspects in (FINE, (*FINE, Aspect("draining", ok=False, text="stopping")), FINE):
            parts.now = aspects
            seen.append(ask(web, "GET", "/-/ready")[0].status)
    assert seen == [200, 503, 200]


@pytest.mark.parametrize(
    ("path", "headers", "as_json"),
    [
        ("/-/ready?format=json", {}, True),
        ("/-/ready?x=1&format=json", {}, True),
        ("/-/ready", {"Accept": "application/json"}, True),
        ("/-/ready", {"Accept": "text/html, application/json;q=0.9, */*;q=0.8"}, True),
        ("/-/ready", {"Accept": "text/plain, application/json"}, False),
        ("/-/ready", {"Accept": "*/*"}, False),
        ("/-/ready?format=jsonx", {}, False),
    ],
)
def test_readiness_comes_as_json_to_who_asks_for_it(web, path, headers, as_json):
    response, body = ask(web, "GET", path, **headers)
    assert response.headers["Content-Type"].startswith("application/json" if as_json else "text/plain")
    if as_json:
        assert json.loads(body) == {
            "ready": True,
            "aspects": [
                {"name": "configuration", "ok": True, "blocks": True, "text": "12 checks"},
                {"name": "store", "ok": True, "blocks": True, "text": "ok"},
            ],
        }


def test_a_password_in_what_a_part_says_is_masked():
    with serving(Parts(Aspect("store", ok=False, text="postgresql://a:canary@db/x does not answer"))) as web:
        for path in ("/-/ready", "/-/ready?format=json"):
            body = ask(web, "GET", path)[1]
            assert "canary" not in body
            assert "@db/x does not answer" in body


def test_a_part_that_fails_to_answer_is_one_line_for_the_client_and_one_for_the_operator():
    stream = io.StringIO()
    undo = logs.configure(stream, "json")
    try:
        with serving(Broken()) as web:
            response, body = ask(web, "GET", "/-/ready")
    finally:
        undo()
    assert response.status == 500
    assert body.count("\n") == 1
    assert "canary" not in body
    (line,) = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert (line["event"], line["error_type"], line["error"]) == ("ready.failed", "ValueError", "canary of a probe")


def test_parts_that_hang_keep_one_thread_and_the_others_are_told():
    asked, go_on = threading.Event(), threading.Event()

    class Hanging:
        def aspects(self) -> Sequence[Aspect]:
            asked.set()
            go_on.wait(10)
            return FINE

    answers = Answers(Hanging(), None, patience=0.01)
    first = threading.Thread(target=answers.to, args=(Request("GET", "/-/ready"),))
    first.start()
    assert asked.wait(10)
    answer = answers.to(Request("GET", "/-/ready"))
    assert (answer.status, answer.body) == (503, "service: its parts do not answer\n")
    assert answers.to(Request("GET", "/-/healthy")).status == 200
    go_on.set()
    first.join()
    assert answers.to(Request("GET", "/-/ready")).status == 200


@pytest.mark.parametrize("method", ["DELETE", "PUT", "POST", "PATCH", "OPTIONS", "TRACE", "FROB"])
@pytest.mark.parametrize("path", ["/", "/-/healthy", "/-/ready"])
def test_a_wrong_method_is_told_the_right_ones(web, method, path):
    response, _ = ask(web, method, path)
    assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/x", "/-/", "/-/healthy/", "/-/Ready", "/-/ready%00", "/metrics", "*", "/-/quit"])
@pytest.mark.parametrize("method", ["GET", "POST", "FROB"])
def test_everything_else_is_not_found(web, method, path):
    assert ask(web, method, path)[0].status == 404


# --- figures and runbooks ---------------------------------------------------------------------------------------------


class Pages:
    """Runbooks that a test made up."""

    def names(self) -> Sequence[str]:
        return ("RestoreCheckDown", "RestoreCheckFailed")

    def runbook(self, name: str) -> str | None:
        return f"# {name}\n"


class NoPages(Pages):
    def runbook(self, name: str) -> str | None:
        raise OSError("canary of a path")


def answering(metrics: Callable[[], str] | None = None, runbooks: Pages | None = None) -> Answers:
    return Answers(Parts(), None, 0.05, metrics=metrics, runbooks=runbooks)


def test_a_scrape_is_served_as_prometheus_wants_it():
    server = WebServer("127.0.0.1:0", Parts(), metrics=lambda: "restorecheck_store_up 1.0\n", runbooks=Pages())
    server.start()
    try:
        response, body = ask(server, "GET", "/metrics")
        assert (response.status, body) == (200, "restorecheck_store_up 1.0\n")
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        head, nothing = ask(server, "HEAD", "/metrics")
        assert (head.status, head.headers["Content-Length"], nothing) == (200, str(len(body)), "")
        assert ask(server, "GET", "/runbooks/RestoreCheckDown")[1] == "# RestoreCheckDown\n"
    finally:
        server.stop()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/metrics", "/runbooks/", "/runbooks/RestoreCheckDown"])
def test_figures_and_runbooks_are_only_looked_at(method: str, path: str):
    answer = answering(lambda: "", Pages()).to(Request(method, path))
    assert (answer.status, answer.allow) == (405, "GET, HEAD")


def test_the_index_names_every_path_that_there_is():
    web = answering(lambda: "", Pages())
    named = [line.split()[0] for line in INDEX.splitlines()[2:]]
    assert named == ["/metrics", "/runbooks/", "/-/healthy", "/-/ready", "/-/reload"]
    assert [web.to(Request("GET", path)).status for path in named] == [200, 200, 200, 200, 405]


def test_a_scrape_that_fails_is_one_line_and_no_traceback():
    def fails() -> str:
        raise ValueError("canary of a figure")

    answer = answering(fails).to(Request("GET", "/metrics"))
    assert answer.status == 500
    assert "canary" not in answer.body


def test_a_second_scrape_does_not_wait_for_ever_behind_one_that_hangs():
    begun, release = threading.Event(), threading.Event()

    def hangs() -> str:
        begun.set()
        release.wait(30)
        return ""

    web = answering(hangs)
    first = threading.Thread(target=web.to, args=(Request("GET", "/metrics"),))
    first.start()
    assert begun.wait(30)
    assert web.to(Request("GET", "/metrics")).status == 503
    release.set()
    first.join(30)
    assert web.to(Request("GET", "/metrics")).status == 200


def test_the_runbooks_are_listed_and_shown():
    web = answering(runbooks=Pages())
    listed = web.to(Request("GET", "/runbooks/"))
    assert (listed.status, listed.body) == (200, "/runbooks/RestoreCheckDown\n/runbooks/RestoreCheckFailed\n")
    shown = web.to(Request("GET", "/runbooks/RestoreCheckFailed?from=pager"))
    assert (shown.status, shown.body, shown.kind) == (200, "# RestoreCheckFailed\n", "text/plain; charset=utf-8")


@pytest.mark.parametrize(
    "name",
    ["None", "../failures", "..%2Ffailures", "RestoreCheckDown.md", "RestoreCheckDown/", "restorecheckdown"],
)
def test_only_a_runbook_that_there_is_can_be_named(name: str):
    answer = answering(runbooks=Pages()).to(Request("GET", f"/runbooks/{name}"))
    assert (answer.status, answer.body) == (404, "there is no such runbook; see /runbooks/\n")


def test_runbooks_that_cannot_be_read_are_one_line():
    answer = answering(runbooks=NoPages()).to(Request("GET", "/runbooks/RestoreCheckDown"))
    assert answer.status == 500
    assert "canary" not in answer.body


@pytest.mark.parametrize("path", ["/metrics", "/runbooks/", "/runbooks/RestoreCheckDown"])
def test_without_figures_and_runbooks_nothing_is_there(path: str):
    assert answering().to(Request("GET", path)).status == 404


# --- reload -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_reloading_is_refused_unless_it_was_enabled(web, method):
    response, body = ask(web, method, "/-/reload")
    assert response.status == 403
    assert "not enabled" in body


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_reloading_answers_what_was_loaded(method):
    calls = []
    with serving(reload=lambda: calls.append(1) or "loaded 12 checks") as web:
        response, body = ask(web, method, "/-/reload")
    assert (response.status, body, len(calls)) == (200, "loaded 12 checks\n", 1)


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_looking_at_reload_reloads_nothing(method):
    calls = []
    with serving(reload=lambda: calls.append(1) or "") as web:
        response, _ = ask(web, method, "/-/reload")
    assert (response.status, response.headers["Allow"], calls) == (405, "POST, PUT", [])


def test_a_wrong_configuration_is_answered_with_every_problem_and_masked():
    problems = [Problem("c.toml", n, "checks.a", f"is wrong, password=canary{n} {'x ' * 100}") for n in range(1, 40)]

    def reload() -> str:
        raise ConfigError(problems, "correct the file")

    with serving(reload=reload) as web:
        response, body = ask(web, "POST", "/-/reload")
    lines = body.splitlines()
    assert response.status == 500
    assert [line.split(":")[1] for line in lines[:39]] == [str(n) for n in range(1, 40)]
    assert lines[39:] == ["correct the file", "the configuration in use stays as it is"]
    assert "canary" not in body


def test_a_reload_that_fails_for_no_reason_of_ours_shows_no_traceback():
    def reload() -> str:
        raise ValueError("canary")

    stream = io.StringIO()
    undo = logs.configure(stream, "json")
    try:
        with serving(reload=reload) as web:
            response, body = ask(web, "POST", "/-/reload")
    finally:
        undo()
    assert response.status == 500
    assert "canary" not in body
    assert body.count("\n") == 1
    assert json.loads(stream.getvalue())["event"] == "reload.failed"


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec_Fetch_Site": "cross-site"}])
def test_a_web_page_cannot_reload(headers):
    calls = []
    with serving(reload=lambda: calls.append(1) or "") as web:
        assert ask(web, "POST", "/-/reload", **headers)[0].status == 403
    assert calls == []


def test_one_reload_at_a_time():
    inside, go_on = threading.Event(), threading.Event()

    def reload() -> str:
        inside.set()
        go_on.wait(10)
        return "loaded"

    answers = Answers(Parts(), reload, patience=0.01)
    first = threading.Thread(target=answers.to, args=(Request("POST", "/-/reload"),))
    first.start()
    assert inside.wait(10)
    assert answers.to(Request("POST", "/-/reload")).status == 503
    go_on.set()
    first.join()
    assert answers.to(Request("POST", "/-/reload")).status == 200


# --- hostile clients --------------------------------------------------------------------------------------------------


def test_an_answer_tells_no_version_is_not_kept_and_not_guessed_at(web):
    headers = ask(web, "GET", "/-/ready")[0].headers
    assert headers["Server"] == "restorecheck"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET /<script>canary</script> HTTP/1.1",
        b"GET /%3Cscript%3Ecanary HTTP/1.1",
        b"GET /../../etc/canary HTTP/1.1",
        b"GET /-/ready/../../../canary HTTP/1.1",
        b"<canary> / HTTP/1.1",
        b"GET / HTTP/canary",
        b"GET / HTTP/2.0",
        b"GET / canary HTTP/1.1",
        b"canary",
        b"POST /canary",
        b"GET http://canary/-/healthy HTTP/1.1",
        b"GET /" + b"canary" * 20_000 + b" HTTP/1.1",
        b"GET / HTTP/1.1\r\nX: " + b"canary" * 20_000,
        b"GET / HTTP/1.1\r\n" + b"\r\n".join(b"X%d: canary" % n for n in range(200)),
        b"GET /-/x HTTP/1.1\r\nHost: canary",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03canary",
    ],
)
def test_nothing_of_a_request_comes_back_and_no_file_does(web, request_line):
    answer = raw(web, request_line + b"\r\nConnection: close\r\n\r\n")
    status = int(answer.split(None, 2)[1]) if answer.startswith(b"HTTP/") else 400
    assert 400 <= status < 600
    assert b"canary" not in answer
    assert b"root:" not in answer
    assert b"<" not in answer
    assert b"Traceback" not in answer


def test_a_body_is_ignored_and_the_connection_stays_usable(web):
    with closing(HTTPConnection(*place(web), timeout=10)) as connection:
        for size in (0, 1, 64 * 1024):
            connection.request("GET", "/-/healthy", b"x" * size)
            response = connection.getresponse()
            assert (response.status, response.read()) == (200, b"ok\n")
            mine = connection.sock.getsockname()
        assert mine == connection.sock.getsockname()


def test_a_body_that_is_too_large_is_refused_before_anything_happens():
    calls = []
    with serving(reload=lambda: calls.append(1) or "") as web:
        response, body = ask(web, "POST", "/-/reload", b"x" * (64 * 1024 + 1))
        assert response.status == 413
        assert response.headers["Connection"] == "close"
        assert "65536" in body
        assert raw(web, b"POST /-/reload HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n").startswith(
            b"HTTP/1.1 413"
        )
    assert calls == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (b"Content-Length: -1", b"400"),
        (b"Content-Length: 1_0", b"400"),
        (b"Content-Length: +1", b"400"),
        ("Content-Length: \u0661".encode(), b"400"),
        (b"Content-Length: 0\r\nContent-Length: 5", b"400"),
        (b"Transfer-Encoding: chunked", b"411"),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 3", b"411"),
    ],
)
def test_a_body_whose_length_is_not_plain_is_refused_and_never_read_as_a_request(web, headers, status):
    with socket.create_connection(place(web), timeout=10) as connection:
        smuggled = b"GET /-/healthy HTTP/1.1\r\n\r\n"
        connection.sendall(b"POST /-/reload HTTP/1.1\r\n" + headers + b"\r\n\r\n" + smuggled)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answer.split()[1] == status
    assert answer.count(b"HTTP/1.1") == 1


def test_a_client_is_not_asked_for_a_body_that_will_not_be_read(web):
    def expecting(length: int) -> bytes:
        with socket.create_connection(place(web), timeout=10) as connection:
            head = f"POST /-/reload HTTP/1.1\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
            connection.sendall(head.encode())
            return connection.recv(65_536)

    assert expecting(5).startswith(b"HTTP/1.1 100")
    assert expecting(70_000).startswith(b"HTTP/1.1 413")


def test_old_clients_are_answered_and_let_go(web):
    assert raw(web, b"GET /-/healthy HTTP/1.0\r\n\r\n").endswith(b"\r\n\r\nok\n")


def test_a_silent_client_is_let_go():
    with serving(bounds=Bounds(silent=0.1)) as web:
        for said in (b"", b"GET /-/healthy HT", b"POST /-/reload HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc"):
            with suppress(ConnectionError):  # of one that was let go before it had said even that
                assert raw(web, said) == b""


def test_a_client_that_is_never_quite_silent_is_cut_off():
    with serving(bounds=Bounds(silent=5, request=0.3)) as web, socket.create_connection(place(web), timeout=5) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nX: ")

        def cut() -> bool:
            try:
                slow.sendall(b"y")
            except OSError:
                return True
            return False

        assert eventually(cut)


def test_a_client_that_keeps_asking_is_not_cut_off():
    with serving(bounds=Bounds(silent=5, request=1.5)) as web:
        connection = HTTPConnection(*place(web), timeout=10)
        connection.connect()
        mine, end = connection.sock.getsockname(), time.monotonic() + 1.7
        with closing(connection):
            while time.monotonic() < end:
                connection.request("GET", "/-/healthy")
                assert connection.getresponse().read() == b"ok\n"
            assert connection.sock.getsockname() == mine


def test_more_connections_than_allowed_are_closed_and_room_comes_back():
    with serving(bounds=Bounds(connections=2)) as web:
        idle = [socket.create_connection(place(web), timeout=10) for _ in range(2)]
        with closing(idle[0]), closing(idle[1]):
            third = socket.create_connection(place(web), timeout=10)
            with closing(third):
                assert third.recv(1) == b""

        def answered() -> bool:
            try:
                return ask(web, "GET", "/-/healthy")[0].status == 200
            except OSError:
                return False

        assert eventually(answered)


def test_many_clients_are_answered_side_by_side(web):
    seen: list[int] = []
    threads = [threading.Thread(target=lambda: seen.append(ask(web, "GET", "/-/ready")[0].status)) for _ in range(30)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert seen == [200] * 30


def test_a_client_that_goes_away_leaves_no_traceback(web, capsys):
    for _ in range(20):
        with socket.create_connection(place(web), timeout=10) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # closes with a reset
            connection.sendall(b"GET /-/ready HTTP/1.1\r\n\r\n")
    assert ask(web, "GET", "/-/healthy")[0].status == 200
    assert capsys.readouterr().err == ""


# --- beginning and end ------------------------------------------------------------------------------------------------


def test_a_port_in_use_is_said_in_one_line_with_a_hint(web):
    with pytest.raises(RestorecheckError) as e:
        WebServer(web.address, Parts()).start()
    assert e.value.kind == "config"
    assert e.value.message == f"cannot listen on {web.address}: somebody listens there already"
    assert e.value.hint


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(RestorecheckError) as e:
        WebServer("203.0.113.7:0", Parts()).start()
    assert (e.value.kind, "\n" in e.value.message) == ("config", False)


@pytest.mark.parametrize(
    "listen", ["", "9780", ":9780", "localhost", "localhost:", "a:b", "a:-1", "a:65536", "a:99999999", "::1:80", "[]:1",
               "a:\u0661"],
)  # fmt: skip
def test_what_is_no_address_is_refused_with_an_example(listen):
    with pytest.raises(RestorecheckError, match="not an address") as e:
        WebServer(listen, Parts())
    assert "127.0.0.1:9780" in e.value.hint


def test_addresses_are_read():
    assert parsed("127.0.0.1:0") == ("127.0.0.1", 0)
    assert parsed("[::1]:9780") == ("::1", 9780)
    assert parsed("localhost:65535") == ("localhost", 65_535)


def test_it_listens_on_ipv6():
    server = WebServer("[::1]:0", Parts())
    try:
        server.start()
    except RestorecheckError:
        pytest.skip("this machine has no IPv6")
    try:
        assert server.address.startswith("[::1]:")
        assert ask(server, "GET", "/-/healthy")[0].status == 200
    finally:
        server.stop()


def test_stopping_closes_the_port_and_every_connection():
    before = set(threading.enumerate())
    server = WebServer("127.0.0.1:0", Parts())
    server.stop()  # before it began: nothing happens
    server.start()
    there = place(server)
    with socket.create_connection(there, timeout=10) as idle:
        assert ask(server, "GET", "/-/healthy")[0].status == 200
        server.stop()
        server.stop()
        assert idle.recv(1) == b""
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(there, timeout=10)
    assert eventually(lambda: set(threading.enumerate()) <= before)


def test_it_can_be_started_again_on_the_same_port():
    with serving() as first:
        address = first.address
        ask(first, "GET", "/-/healthy")
    again = WebServer(address, Parts())
    again.start()
    again.stop()


# --- readiness, pure --------------------------------------------------------------------------------------------------

AWS = Aspect("aws", ok=False, text="222222222222 eu-central-1 does not answer since 03:00", blocks=False)


def test_what_does_not_block_is_told_and_leaves_it_ready():
    status, body = ready((*FINE, AWS))
    assert status == 200
    assert "aws: 222222222222 eu-central-1 does not answer since 03:00\n" in body
    plain = json.loads(ready_json((*FINE, AWS))[1])
    assert (plain["ready"], plain["aspects"][2]["ok"], plain["aspects"][2]["blocks"]) == (True, False, False)


def test_that_nothing_is_known_is_not_ready():
    assert ready(()) == (503, "nothing is known yet\n")
    assert ready_json(())[0] == 503


def test_an_aspect_is_one_line_whatever_its_text():
    _, body = ready((Aspect("store", ok=False, text="no\nscheduler: ok\r\x1b[2J"), *FINE))
    assert body.splitlines() == ["store: no scheduler: ok  [2J", "configuration: 12 checks", "store: ok"]
