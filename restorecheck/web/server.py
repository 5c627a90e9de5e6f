"""The HTTP server of the service: sockets, time limits and the size of requests; `answers` decides what is said.

Standard library only. A client that is slow, silent, enormous or many costs at most a bounded number of threads for a
bounded time, and never keeps the service from ending. It never reads a file for a client and never shows a traceback.
"""

from __future__ import annotations

import errno
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

from restorecheck import logs
from restorecheck.errors import RestorecheckError
from restorecheck.web.answers import Answer, Answers, Request, Runbooks
from restorecheck.web.readiness import Aspect, Probes

__all__ = ["Aspect", "Bounds", "Probes", "WebServer", "parsed"]

log = logs.get("web")

LARGEST = 64 * 1024
"""Bytes of a request's body that are read and ignored."""

_DRAINED = 1024 * 1024  # bytes of a refused body that are read, so that the refusal arrives before the line breaks
_UTTERED = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a client may cost, in seconds and connections."""

    silent: float = 10.0  # a client that sends or takes nothing
    request: float = 30.0  # one request, from the first wait for it to its last byte
    connections: int = 100  # more are closed at once


class WebServer:
    """Serves what `answers.INDEX` lists on one address until stopped."""

    def __init__(
        self,
        listen: str,
        probes: Probes,
        *,
        reload: Callable[[], str] | None = None,
        metrics: Callable[[], str] | None = None,
        runbooks: Runbooks | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        """Take `host:port`, IPv6 in brackets, port 0 for any. Raises RestorecheckError `config` for what is no address.

        `reload` returns one sentence on what it loaded, `metrics` the text of a scrape.
        """
        self._host, self._port = parsed(listen)
        self._listen = listen
        self._answers = Answers(probes, reload, metrics=metrics, runbooks=runbooks)
        self._bounds = bounds or Bounds()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def address(self) -> str:
        """Where it listens, as `host:port` with the real port; before `start`, what was asked for."""
        if self._server is None:
            return self._listen
        host, port = str(self._server.server_address[0]), self._server.server_port
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def start(self) -> None:
        """Listen, and serve in a thread. Raises RestorecheckError `config` if nobody can listen there."""
        try:
            family, _, _, _, place = socket.getaddrinfo(
                self._host, self._port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            self._server = _Server(family, place, self._answers, self._bounds)
        except OSError as e:
            raise _not_there(self._listen, e) from None
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.2}, name="web", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and close every connection. Nothing happens when it does not run."""
        server, thread = self._server, self._thread
        self._server = self._thread = None
        if server is None or thread is None:
            return
        server.shutdown()
        server.server_close()
        server.hang_up()
        thread.join(timeout=5)


def parsed(listen: str) -> tuple[str, int]:
    """Return host and port of `127.0.0.1:9780` or `[::1]:9780`. Raises RestorecheckError `config`."""
    host, colon, port = listen.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    right = colon and bare and (":" not in host or bare != host) and port.isascii() and port.isdecimal()
    if not right or len(port) > 5 or int(port) > 65_535:
        raise RestorecheckError(
            f"{listen!r} is not an address to listen on",
            "write host:port: 127.0.0.1:9780 for this machine alone, 0.0.0.0:9780 for everybody, [::1]:9780 for IPv6",
            kind="config",
        )
    return bare, int(port)


def _not_there(listen: str, error: OSError) -> RestorecheckError:
    if error.errno == errno.EADDRINUSE:
        return RestorecheckError(
            f"cannot listen on {listen}: somebody listens there already",
            "is the service running twice? else choose another port",
            kind="config",
        )
    hint = "ports below 1024 are for root" if error.errno == errno.EACCES else "is this an address of this machine?"
    return RestorecheckError(f"cannot listen on {listen}: {error.strerror or error}", hint, kind="config")


class _Server(ThreadingHTTPServer):
    """A thread for each connection, a bounded number of them, none for longer than a request may take."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, family: int, place: Any, answers: Answers, bounds: Bounds) -> None:
        self.address_family = family
        self.answers, self.bounds = answers, bounds
        self._until: dict[socket.socket, float] = {}  # open connection → when it is cut off
        self._lock = threading.Lock()
        super().__init__(place, _Handler)

    def server_bind(self) -> None:
        """Bind without asking the resolver for our own name, which may take half a minute."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "restorecheck", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give the connection a thread, or close it when there are too many."""
        with self._lock:
            full = len(self._until) >= self.bounds.connections
            if not full:
                self._until[request] = time.monotonic() + self.bounds.request
        if full:
            self.shutdown_request(request)
        else:
            super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection and close it."""
        with self._lock:
            self._until.pop(request, None)
        super().shutdown_request(request)

    def begin(self, request: socket.socket) -> None:
        """Count the time of the next request on a connection from now."""
        with self._lock:
            if request in self._until:
                self._until[request] = time.monotonic() + self.bounds.request

    def service_actions(self) -> None:
        """Cut off who sends a byte now and then, and so is never silent. Called several times a second."""
        self._cut(time.monotonic())

    def hang_up(self) -> None:
        """Cut off everybody."""
        self._cut(float("inf"))

    def _cut(self, now: float) -> None:
        with self._lock:
            for connection, until in self._until.items():
                if until <= now:
                    try:
                        connection.shutdown(socket.SHUT_RDWR)
                    except OSError:
                        continue  # gone already

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log instead of printing a traceback; that a client went away is no error."""
        del request, client_address
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            log.debug("http.broken", error=error)
        else:
            log.error("http.failed", exc_info=error)


class _Handler(BaseHTTPRequestHandler):
    """Reads requests of one connection and writes the answers."""

    server: _Server
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        """Limit how long the client may be silent."""
        super().setup()
        self.connection.settimeout(self.server.bounds.silent)

    def handle_one_request(self) -> None:
        """See BaseHTTPRequestHandler."""
        self.server.begin(self.connection)
        super().handle_one_request()

    def version_string(self) -> str:
        """Say what we are, and of no version."""
        return "restorecheck"

    def _serve(self) -> None:
        if refusal := self._refusal():
            self._answer(refusal, close=True)
            self._drain(_DRAINED)
            return
        if not self._drain(int(self.headers.get("Content-Length", "0"))):
            self.close_connection = True
            return
        from_page = "Origin" in self.headers or self.headers.get("Sec-Fetch-Site", "none") != "none"
        request = Request(self.command, self.path, self.headers.get("Accept", ""), from_page)
        self._answer(self.server.answers.to(request))

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _serve  # noqa: N815 - names of the library

    def _refusal(self) -> Answer | None:
        """Return why a body is not read, or None."""
        lengths = self.headers.get_all("Content-Length", [])
        if "Transfer-Encoding" in self.headers:
            return Answer(411, "say how long the body is with Content-Length\n")
        if not lengths:
            return None
        if len(lengths) > 1 or not (lengths[0].isascii() and lengths[0].isdecimal()):
            return Answer(400, "Content-Length is not one number\n")
        if len(lengths[0]) > 9 or int(lengths[0]) > LARGEST:
            return Answer(413, f"bodies of more than {LARGEST} bytes are not read\n")
        return None

    def handle_expect_100(self) -> bool:
        """Ask for a body only when it will be read."""
        if refusal := self._refusal():
            self._answer(refusal, close=True)
            return False
        return super().handle_expect_100()

    def _drain(self, left: int) -> bool:
        """Read and forget so many bytes; say whether they came."""
        while left > 0:
            try:
                got = len(self.rfile.read1(min(left, 16_384)))
            except OSError:
                return False
            if not got:
                return False
            left -= got
        return True

    def _answer(self, answer: Answer, *, close: bool = False) -> None:
        body = answer.body.encode("utf-8", "replace")
        self.send_response(answer.status)
        allow = {"Allow": answer.allow} if answer.allow else {}
        end = {"Connection": "close"} if close else {}
        headers = {"Content-Type": answer.kind, "Content-Length": str(len(body)), **_UTTERED, **allow, **end}
        for name, value in headers.items():
            self.send_header(name, value)  # `Connection: close` also ends the loop over requests
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        if close:
            self.connection.shutdown(socket.SHUT_WR)
        log.debug("http.answered", method=self.command, target=self.path[:200], status=answer.status)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what could not be read as a request, in our own words: the library's repeat the request."""
        del message, explain
        if code == HTTPStatus.NOT_IMPLEMENTED:  # a method that the library does not know: `answers` says 404 or 405
            self._serve()
            return
        self.command = self.command or ""
        self.path = getattr(self, "path", "")
        self._answer(Answer(code, f"{HTTPStatus(code).phrase.lower()}\n"), close=True)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Log nothing here: `_answer` does."""
        del format, args
