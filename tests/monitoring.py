"""Receivers of notices on loopback: an HTTP server that records and can misbehave, and a real Alertmanager."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

import yaml
from ports import free_port
from requirements import need

# --- a server that records and can misbehave -------------------------------------------------------------------------


@dataclass(frozen=True)
class Reply:
    """What a Catcher does with a request. `hang`: nothing comes until it is released. `drip`: of the head or the body,
    a byte now and then. `endless`: a body without end. `break`: the connection is closed."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    manner: Literal["", "hang", "drip-head", "drip-body", "endless", "break"] = ""


@dataclass(frozen=True)
class Posted:
    """One request that came."""

    method: str
    path: str
    headers: Mapping[str, str]  # names in small letters
    body: bytes
    reply: Reply

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def key(self) -> str:
        return self.headers.get("idempotency-key", "")


class Catcher:
    """An HTTP server on loopback. `behave` says what becomes of a request; all are recorded before they are
    answered."""

    def __init__(self, *, context: ssl.SSLContext | None = None) -> None:
        self.posts: list[Posted] = []
        self.behave: Callable[[str, bytes], Reply] = lambda path, body: Reply()
        self.released = threading.Event()
        self.came = threading.Condition()
        catcher = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                reply = catcher.behave(self.path, body)
                headers = {name.lower(): value for name, value in self.headers.items()}
                with catcher.came:
                    catcher.posts.append(Posted(self.command, self.path, headers, body, reply))
                    catcher.came.notify_all()
                with suppress(OSError):
                    catcher._answer(self, reply)
                self.close_connection = True

            do_GET = do_POST  # noqa: N815 - the library's name

            def log_message(self, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads, block_on_close = True, False

            def handle_error(self, *args: Any) -> None:
                pass  # a client that does not trust us hangs up

        self._server = Server(("127.0.0.1", 0), Handler)
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def _answer(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        if reply.manner == "break":
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        if reply.manner == "hang":
            self.released.wait(60)
            return
        if reply.manner == "drip-head":
            self._drip(handler, b"HTTP/1.1 200 " + b"O" * 10_000)
            return
        handler.send_response(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        if not reply.manner:
            handler.send_header("Content-Length", str(len(reply.body)))
        handler.end_headers()
        if reply.manner == "drip-body":
            self._drip(handler, b"x" * 100_000)
        elif reply.manner == "endless":
            while not self.released.is_set():
                handler.wfile.write(b"x" * 65_536)
        else:
            handler.wfile.write(reply.body)

    def _drip(self, handler: BaseHTTPRequestHandler, data: bytes) -> None:
        for byte in data:
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
            if self.released.wait(0.02):
                return

    def wait(self, wanted: Callable[[list[Posted]], bool], seconds: float = 60) -> list[Posted]:
        """Wait until what came is what is wanted, and return it."""
        with self.came:
            assert self.came.wait_for(lambda: wanted(self.posts), seconds), [(p.path, p.body) for p in self.posts]
            return list(self.posts)

    def taken(self) -> Counter[str]:
        """Return how often a 2xx was answered for each Idempotency-Key."""
        return Counter(p.key for p in self.posts if 200 <= p.reply.status < 300 and p.reply.manner in {"", "endless"})

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def catching(*, context: ssl.SSLContext | None = None) -> Iterator[Catcher]:
    catcher = Catcher(context=context)
    try:
        yield catcher
    finally:
        catcher.close()


def nobody() -> str:
    """Return an address on loopback at which nobody listens."""
    return f"http://127.0.0.1:{free_port()}"


# --- Alertmanager ----------------------------------------------------------------------------------------------------

PROGRAM = "prometheus-alertmanager"


@dataclass
class Alertmanager:
    """One that runs."""

    url: str
    process: subprocess.Popen[bytes]

    def alerts(self, *matchers: str) -> list[dict[str, Any]]:
        """Return what it holds as firing, that all matchers fit."""
        query = urlencode([("filter", matcher) for matcher in matchers])
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts?{query}", timeout=10) as answer:
            found: list[dict[str, Any]] = json.load(answer)
        return found

    def wait(self, wanted: Callable[[list[dict[str, Any]]], bool], *matchers: str, seconds: float = 60) -> None:
        until = time.monotonic() + seconds
        while not wanted(found := self.alerts(*matchers)):
            assert time.monotonic() < until, found
            threading.Event().wait(0.1)


def to_webhook(url: str, **more: Any) -> dict[str, Any]:
    """Return a configuration that posts everything to a webhook, at once, a group for each alertname and check."""
    route = {
        "receiver": "hook",
        "group_by": ["alertname", "check"],
        "group_wait": "0s",
        "group_interval": "1s",
        "repeat_interval": "1h",
    }
    hook = {"name": "hook", "webhook_configs": [{"url": url, "send_resolved": True}]}
    return {"route": route, "receivers": [hook], **more}


@contextmanager
def start_alertmanager(directory: Path, config: Mapping[str, Any]) -> Iterator[Alertmanager]:
    """Run a real Alertmanager on loopback, without peers. `directory` must be empty; nothing of it is left running."""
    program = shutil.which(PROGRAM) or shutil.which("alertmanager")
    need(program, f"{PROGRAM} is not installed")
    assert program is not None
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "alertmanager.yml").write_text(yaml.safe_dump(dict(config)))
    url = nobody()
    command = [
        program,
        f"--config.file={directory / 'alertmanager.yml'}",
        f"--storage.path={directory / 'data'}",
        f"--web.listen-address={url.removeprefix('http://')}",
        "--cluster.listen-address=",
    ]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        until = time.monotonic() + 60
        while not _ready(url):
            assert process.poll() is None, (directory / "log").read_text()
            assert time.monotonic() < until, (directory / "log").read_text()
            threading.Event().wait(0.05)
        yield Alertmanager(url, process)
    finally:
        process.terminate()
        process.wait(60)


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
