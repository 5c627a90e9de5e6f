"""HTTP to S3 by the AWS common runtime: one request on one connection, and what comes back, piece by piece.

Sends what it is given: it judges nothing, follows no redirect, retries nothing and makes no request of its own. Pieces
of an answer come on a thread of the runtime, and no more of them than the window that was granted.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit

import awscrt.exceptions  # type: ignore[import-untyped]
import awscrt.http  # type: ignore[import-untyped]
import awscrt.io  # type: ignore[import-untyped]
import botocore.httpsession
import botocore.utils

from restorecheck.fence.object_requests import Address, Reply

WINDOW = 1 << 20
"""Bytes that may arrive of an answer before somebody has taken them."""

_MOST = 1 << 16  # bytes of an answer that nobody takes as it comes: an error, or the result of a copy
_IDLE = 64  # connections that are kept for use again, for each address
_CONNECT_MS = 10_000

_runtime_lock = threading.Lock()
_runtime: list[awscrt.io.ClientBootstrap] = []


def _bootstrap() -> awscrt.io.ClientBootstrap:
    """Return the threads of this process that all connections share."""
    with _runtime_lock:
        if not _runtime:
            loops = awscrt.io.EventLoopGroup(2)
            _runtime.append(awscrt.io.ClientBootstrap(loops, awscrt.io.DefaultHostResolver(loops)))
        return _runtime[0]


class Flight:
    """One request under way. `take` gets the pieces of an answer that `accept` likes, on a thread of the runtime."""

    __slots__ = (
        "_accept",
        "_body",
        "_done",
        "_stream",
        "_take",
        "connection",
        "cut_off",
        "moved",
        "reply",
        "taking",
        "unwanted",
    )

    def __init__(
        self,
        accept: Callable[[Reply], bool],
        take: Callable[[Flight, bytes], None] | None,
        done: Callable[[Flight], None],
    ) -> None:
        self.reply = Reply()
        self.moved = time.monotonic()  # when something last came
        self.cut_off = ""
        self.unwanted = False
        self.taking = False
        self.connection: Any = None
        self._accept, self._take, self._done = accept, take, done
        self._body = bytearray()
        self._stream: Any = None

    def begin(self, connection: Any, request: awscrt.http.HttpRequest, ended: Callable[[Any], None]) -> None:
        """Send a request on a connection. `ended` gets the runtime's future."""
        self.connection, self.moved = connection, time.monotonic()
        self._stream = connection.request(request, self._on_response, self._on_body)
        stream = self._stream
        stream.completion_future.add_done_callback(ended)
        stream.activate()
        if self.cut_off:  # while the connection was being made
            connection.close()

    def grant(self, size: int) -> None:
        """Say that so many bytes were taken, and as many more may come."""
        stream = self._stream
        if size and stream is not None and not self.cut_off:
            stream.update_window(size)

    def cut(self, why: str, *, unwanted: bool = False) -> None:
        """Break it off: nothing more is taken, and `done` is told so. What is `unwanted` has not failed."""
        self.unwanted = self.unwanted or (unwanted and not self.cut_off)
        self.cut_off = self.cut_off or why
        connection = self.connection
        if connection is not None:
            connection.close()

    def finish(self, broken: str) -> None:
        """Tell that nothing more comes."""
        self.reply.broken = self.cut_off or broken
        self.reply.body = bytes(self._body)
        self._stream = self.connection = None  # they hold this flight: memory would wait for the garbage collector
        self._done(self)

    def _on_response(self, *, status_code: int, headers: list[tuple[str, str]], **_: object) -> None:
        self.moved = time.monotonic()
        self.reply.status = status_code
        self.reply.headers = {name.lower(): value for name, value in headers}
        self.taking = self._take is not None and self._accept(self.reply)

    def _on_body(self, http_stream: Any, chunk: bytes, **_: object) -> None:
        self.moved = time.monotonic()
        if self.cut_off:
            return
        if self.taking and self._take is not None:
            self._take(self, chunk)
            return
        self._body += chunk
        if len(self._body) > _MOST:
            self.cut("the answer is longer than any that was expected")
        else:
            http_stream.update_window(len(chunk))


class Wire:
    """The connections to one address. Safe to use from many threads."""

    def __init__(self, address: Address, trust: str) -> None:
        self.address = address  # `trust` is a file of certificates, or empty: those that botocore comes with
        self._lock = threading.Lock()
        self._idle: list[Any] = []
        self._tls = _tls(address, trust) if address.secure else None
        self._proxy = _proxy(address)

    def send(self, request: awscrt.http.HttpRequest, flight: Flight) -> None:
        """Send a request on a connection that is open, or on a new one."""
        connection = self._kept()
        if connection is not None:
            self._begin(connection, request, flight)
            return
        socket = awscrt.io.SocketOptions()
        socket.connect_timeout_ms = _CONNECT_MS
        opening = awscrt.http.HttpClientConnection.new(
            self.address.host,
            self.address.port,
            _bootstrap(),
            socket,
            self._tls,
            self._proxy,
            manual_window_management=True,
            initial_window_size=WINDOW,
        )
        opening.add_done_callback(lambda future: self._opened(future, request, flight))

    def _kept(self) -> Any:
        with self._lock:
            while self._idle:
                connection = self._idle.pop()
                if connection.is_open():
                    return connection
        return None

    def _opened(self, future: Any, request: awscrt.http.HttpRequest, flight: Flight) -> None:
        error = future.exception()
        if error is None:
            self._begin(future.result(), request, flight)
        else:
            flight.finish(f"no connection to {self.address.host}: {_why(error)}")

    def _begin(self, connection: Any, request: awscrt.http.HttpRequest, flight: Flight) -> None:
        try:
            flight.begin(connection, request, lambda future: self._ended(future, connection, flight))
        except (awscrt.exceptions.AwsCrtError, RuntimeError) as e:  # it was closed while nobody used it
            connection.close()
            flight.finish(f"the connection was lost: {_why(e)}")

    def _ended(self, future: Any, connection: Any, flight: Flight) -> None:
        error = future.exception()
        if error is None and not flight.cut_off and connection.is_open():
            with self._lock:
                if len(self._idle) < _IDLE:
                    self._idle.append(connection)
                    connection = None
        if connection is not None:
            connection.close()
        flight.finish("" if error is None else f"the answer broke off: {_why(error)}")


class Wires:
    """The wires of everybody in one account and region. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wires: dict[tuple[Address, str], Wire] = {}

    def to(self, address: Address, trust: str) -> Wire:
        """Return the wire to an address."""
        with self._lock:
            if (address, trust) not in self._wires:
                self._wires[address, trust] = Wire(address, trust)
            return self._wires[address, trust]


def _why(error: BaseException) -> str:
    """Return what the runtime says of an error: its name and a sentence, none of what was sent or received."""
    name = getattr(error, "name", "") or type(error).__name__
    return f"{name} {getattr(error, 'message', '')}".strip()


def _tls(address: Address, trust: str) -> Any:
    """Return how a server must prove itself: with the certificates that botocore would believe."""
    options = awscrt.io.TlsContextOptions()
    options.override_default_trust_store_from_path(None, trust or botocore.httpsession.get_cert_path(True))
    made = awscrt.io.ClientTlsContext(options).new_connection_options()
    made.set_server_name(address.host)
    return made


def _proxy(address: Address) -> Any:
    """Return the proxy that the environment names for this address, as botocore reads it, or None."""
    scheme = "https" if address.secure else "http"
    found = botocore.utils.get_environ_proxies(f"{scheme}://{address.host}").get(scheme)
    if not found:
        return None
    url = urlsplit(found if "://" in found else f"http://{found}")
    named = (
        {}
        if url.username is None
        else {
            "auth_type": awscrt.http.HttpProxyAuthenticationType.Basic,
            "auth_username": unquote(url.username),
            "auth_password": unquote(url.password or ""),
        }
    )
    return awscrt.http.HttpProxyOptions(url.hostname or "", url.port or 8080, **named)
