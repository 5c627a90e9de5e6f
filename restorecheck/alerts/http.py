"""One HTTP request to a receiver, within a deadline: what is sent, what came back, and what that means.

Nothing is tried again here and no redirect is followed: whoever asks decides. No proxy of the environment is used, so a
request goes where its address says or nowhere. Servers are believed by the certificates of the system (or those that
SSL_CERT_FILE names). No error holds an address, a token or a body: only scheme and host.
"""

from __future__ import annotations

import email.utils
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote

import urllib3
import urllib3.connection
import urllib3.exceptions
import urllib3.util

from restorecheck import __version__
from restorecheck.alerts.receivers.interface import DeliveryError

DEADLINE = 10.0
"""Seconds from the first byte to connect with until there must be an answer, however slowly bytes come."""

CONNECT = 3.0
"""Seconds for each address that a host's name has."""

LARGEST = 64 * 1024
"""Bytes of an answer's body that are read; the rest is not."""

LONGEST_WAIT = 3600.0
"""Seconds: what a receiver asks for in Retry-After counts up to this."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A 2xx. `body` may be shorter than what was sent: it is what came in time, up to the limit."""

    status: int
    body: bytes


class Http:
    """A client for one receiver. Safe to use from many threads: every request has a connection of its own."""

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        deadline: float = DEADLINE,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._now, self._deadline, self._trust = now, deadline, trust

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send a body. A 2xx means that it was taken, whatever becomes of the answer's body. Raises DeliveryError."""
        return self._ask("POST", url, body, headers, LARGEST)

    def get(self, url: str, headers: Mapping[str, str], *, largest: int = LARGEST) -> Answer:
        """Ask for something. Raises DeliveryError."""
        return self._ask("GET", url, None, headers, largest)

    def _ask(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], largest: int) -> Answer:
        place, target = _parsed(url)
        agent = {"Host": _host(place), "User-Agent": f"restorecheck/{__version__}", "Connection": "close"}
        sent = {**agent, **_login(place), **headers}
        if any(not (v.isascii() and v.isprintable()) for v in sent.values()):
            raise DeliveryError("configuration", f"{name_of(url)}: a header is not of plain characters")
        deadline = _Deadline(self._deadline)
        try:
            connection = self._connected(place, deadline)
            with deadline.kept():
                try:
                    connection.request(method, target, body, sent, preload_content=False, decode_content=False)
                    response = connection.getresponse()
                    if deadline.passed:  # what was cut off may look like the end of a head
                        response.close()
                        raise TimeoutError
                    with closing(response):
                        return self._answer(response, name_of(url), largest)
                finally:
                    connection.close()
        except DeliveryError:
            raise
        except Exception as e:
            raise _trouble(e, name_of(url), late=deadline.passed, seconds=self._deadline) from e

    def _connected(self, place: urllib3.util.Url, deadline: _Deadline) -> urllib3.connection.HTTPConnection:
        """Connect to the first address of a name that answers; TLS is greeted under the deadline as well."""
        secure = place.scheme == "https"
        host, port = (place.host or "").strip("[]"), place.port or (443 if secure else 80)
        connection = urllib3.connection.HTTPConnection(place.host or "", port, timeout=self._deadline)
        connection.sock = deadline.of(_reached(host, port, deadline))
        try:
            if secure:
                context = self._trust or ssl.create_default_context()
                with deadline.kept():
                    wrapped = context.wrap_socket(connection.sock, server_hostname=host, do_handshake_on_connect=False)
                    connection.sock = deadline.of(wrapped)
                    wrapped.do_handshake()
        except BaseException:
            connection.close()
            raise
        return connection

    def _answer(self, response: urllib3.BaseHTTPResponse, name: str, largest: int) -> Answer:
        status = response.status
        if 200 <= status < 300:
            return Answer(status, _read(response, largest))
        retry_after = self._retry_after(response.headers.get("Retry-After", ""))
        if status == 429:
            raise DeliveryError("rate-limited", f"{name} answered 429: too much at once", retry_after=retry_after)
        if status >= 500:
            raise DeliveryError("server-error", f"{name} answered {status}", retry_after=retry_after)
        if 300 <= status < 400:
            hint = "configure the address that it leads to: redirects are not followed"
            raise DeliveryError("rejected", f"{name} answered {status}, a redirect", hint)
        raise DeliveryError("rejected", f"{name} answered {status}")

    def _retry_after(self, said: str) -> float | None:
        """Return how many seconds a receiver wants to be left alone: it says so in seconds or as a date."""
        said = said.strip()
        if said.isascii() and said.isdecimal():
            return min(float(said), LONGEST_WAIT)
        try:
            at = email.utils.parsedate_to_datetime(said)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return max(0.0, min((at - self._now()).total_seconds(), LONGEST_WAIT))


class _Deadline:
    """Ends what is under way on a socket when its time is up: timeouts of sockets count from the last byte only."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._socks: list[socket.socket] = []
        self._cut = False

    @property
    def left(self) -> float:
        return self._until - time.monotonic()

    @property
    def passed(self) -> bool:
        return self._cut or self.left <= 0

    def of(self, sock: socket.socket) -> socket.socket:
        self._socks.append(sock)
        return sock

    @contextmanager
    def kept(self) -> Iterator[None]:
        timer = threading.Timer(max(0.0, self.left), self._end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _end(self) -> None:
        self._cut = True
        for sock in self._socks:
            with suppress(OSError):  # of the plain socket: an SSLSocket would first forget that it speaks TLS
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


def name_of(url: str) -> str:
    """Return what may be said of an address: its scheme and host. The rest of it may be a secret."""
    try:
        place = urllib3.util.parse_url(url)
    except urllib3.exceptions.LocationParseError:
        return "the address"
    return f"{place.scheme or '?'}://{place.host or '?'}" + (f":{place.port}" if place.port else "")


def _parsed(url: str) -> tuple[urllib3.util.Url, str]:
    hint = "it must be such as https://host/path"
    try:
        place = urllib3.util.parse_url(url)
    except urllib3.exceptions.LocationParseError as e:
        raise DeliveryError("configuration", "the address is no URL", hint) from e
    if place.scheme not in {"http", "https"} or not place.host:
        raise DeliveryError("configuration", "the address is not one of http or https", hint)
    return place, place.request_uri  # in which parse_url has encoded whatever is not plain


def _host(place: urllib3.util.Url) -> str:
    return f"{place.host}:{place.port}" if place.port else f"{place.host}"


def _login(place: urllib3.util.Url) -> dict[str, str]:
    if not place.auth:
        return {}
    return {k.title(): v for k, v in urllib3.util.make_headers(basic_auth=unquote(place.auth)).items()}


def _reached(host: str, port: int, deadline: _Deadline) -> socket.socket:
    """Return a connection to the first address of a host that takes one. Raises OSError: what the last one said."""
    failed: OSError = OSError("the name has no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        if deadline.passed:
            raise TimeoutError
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(min(CONNECT, deadline.left))
            sock.connect(address)
            sock.settimeout(max(0.01, deadline.left))
        except OSError as e:
            sock.close()
            failed = e
        else:
            return sock
    raise failed


def _read(response: urllib3.BaseHTTPResponse, largest: int) -> bytes:
    """Read a body as far as it comes. It was taken when the status said so: a body that breaks off changes nothing."""
    body = bytearray()
    with suppress(urllib3.exceptions.HTTPError, OSError):
        while len(body) < largest and (piece := response.read1(largest - len(body))):
            body += piece
    return bytes(body)


def _trouble(error: Exception, name: str, *, late: bool, seconds: float) -> DeliveryError:
    """Return what it means that there was no answer."""
    if isinstance(error, ssl.SSLCertVerificationError):
        hint = "the certificate must be one that this system trusts, for this very host"
        return DeliveryError("refused", f"{name}: its certificate is not trusted: {error.verify_message}", hint)
    if late or isinstance(error, TimeoutError):
        return DeliveryError("timeout", f"{name} gave no answer within {seconds:.0f} s")
    if isinstance(error, socket.gaierror):
        return DeliveryError("refused", f"{name}: the name of the host is not known")
    if isinstance(error, ssl.SSLError):
        return DeliveryError("refused", f"{name} does not speak TLS as we do: {error.reason or type(error).__name__}")
    if isinstance(error, ConnectionRefusedError):
        return DeliveryError("refused", f"{name} refused the connection")
    if isinstance(error, UnicodeError):
        return DeliveryError("configuration", f"{name}: the address has characters that no URL has")
    return DeliveryError("refused", f"{name}: the connection broke ({type(error).__name__})")
