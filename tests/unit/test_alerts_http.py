"""One request to a receiver that misbehaves in every way: what it means, within its deadline, and nothing leaks."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from monitoring import Catcher, Reply, catching, nobody

from restorecheck.alerts import http
from restorecheck.alerts.http import LARGEST, Http, name_of
from restorecheck.alerts.receivers.interface import DeliveryError

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
SECRET = "s3cr3t-token"
QUICK = 1.5
"""Seconds for those who do not answer; on a busy machine, to connect and to be heard alone takes some of them."""
HEADERS = {"Authorization": f"Bearer {SECRET}"}


@pytest.fixture(scope="module")
def server() -> Iterator[Catcher]:
    with catching() as catcher:
        yield catcher


@pytest.fixture
def catcher(server: Catcher) -> Catcher:
    server.posts.clear()
    server.behave = lambda path, body: Reply()
    return server


def client(deadline: float = 30.0) -> Http:
    return Http(now=lambda: NOW, deadline=deadline)


def failing(url: str, *, deadline: float = 30.0, http: Http | None = None) -> DeliveryError:
    """Post a secret to a secret address, and return what is raised; it must hold neither."""
    with pytest.raises(DeliveryError) as raised:
        (http or client(deadline)).post(url, SECRET.encode(), HEADERS)
    error = raised.value
    assert SECRET not in repr(error) + error.message + error.hint
    return error


def answered(catcher: Catcher, reply: Reply, deadline: float = 30.0) -> DeliveryError:
    catcher.behave = lambda path, body: reply
    return failing(f"{catcher.url}/{SECRET}?key={SECRET}", deadline=deadline)


def test_what_is_sent_is_what_was_said_and_nothing_is_kept_open(catcher: Catcher):
    catcher.behave = lambda path, body: Reply(201, b"made")
    answer = client().post(f"{catcher.url}/a%20b?x=1&y", b"{}", {"Content-Type": "application/json"})
    assert (answer.status, answer.body) == (201, b"made")
    [sent] = catcher.posts
    assert (sent.method, sent.path, sent.body) == ("POST", "/a%20b?x=1&y", b"{}")
    assert sent.headers["host"] == catcher.url.removeprefix("http://")
    assert sent.headers["content-length"] == "2"
    assert sent.headers["connection"] == "close"
    assert sent.headers["user-agent"].startswith("restorecheck/")
    assert "authorization" not in sent.headers


def test_a_name_in_the_address_is_a_login_and_not_part_of_what_is_said(catcher: Catcher):
    url = catcher.url.replace("http://", f"http://me:{SECRET}@") + "/x"
    client().post(url, b"", {})
    assert catcher.posts[0].headers["authorization"].startswith("Basic ")
    assert name_of(url) == catcher.url
    catcher.behave = lambda path, body: Reply(500)
    assert failing(url).message == f"{catcher.url} answered 500"


def test_a_2xx_is_delivered_and_a_get_gets(catcher: Catcher):
    catcher.behave = lambda path, body: Reply(204)
    assert client().get(f"{catcher.url}/list", {}).body == b""
    assert catcher.posts[0].method == "GET"


@pytest.mark.parametrize(
    ("status", "reason"),
    [(500, "server-error"), (503, "server-error"), (429, "rate-limited"), (400, "rejected"), (404, "rejected")],
)
def test_what_an_answer_means(catcher: Catcher, status: int, reason: str):
    error = answered(catcher, Reply(status, b"body with " + SECRET.encode()))
    assert (error.reason, error.retry_after) == (reason, None)
    assert f"{catcher.url} answered {status}" in error.message


DATE = format_datetime(NOW + timedelta(seconds=90), usegmt=True)
PAST = format_datetime(NOW - timedelta(seconds=90), usegmt=True)
FAR = format_datetime(NOW + timedelta(days=9), usegmt=True)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("120", 120.0), (" 7 ", 7.0), ("0", 0.0), ("999999", 3600.0), (DATE, 90.0), (PAST, 0.0), (FAR, 3600.0),
        ("-5", None), ("soon", None), ("", None), ("1e9", None), ("٣", None), (DATE.replace(" GMT", " -0000"), 90.0),
        ("Sat, 99 Nov 2026 99:99:99 GMT", None),
    ],
)  # fmt: skip
def test_how_long_a_receiver_wants_to_be_left_alone(said: str, seconds: float | None):
    assert client()._retry_after(said) == seconds


@pytest.mark.parametrize("status", [429, 503])
def test_it_says_so_with_429_and_with_5xx(catcher: Catcher, status: int):
    assert answered(catcher, Reply(status, headers={"Retry-After": "120"})).retry_after == 120.0
    assert answered(catcher, Reply(status, headers={"Retry-After": DATE})).retry_after == 90.0


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(catcher: Catcher, status: int):
    with catching() as elsewhere:
        error = answered(catcher, Reply(status, headers={"Location": f"{elsewhere.url}/{SECRET}"}))
        assert (error.reason, elsewhere.posts) == ("rejected", [])
    assert "redirects are not followed" in error.hint
    assert len(catcher.posts) == 1


@pytest.mark.parametrize("manner", ["hang", "drip-head"])
def test_what_does_not_answer_in_time_is_a_timeout_however_busy_it_is(catcher: Catcher, manner: str):
    began = time.monotonic()
    error = answered(catcher, Reply(manner=manner), QUICK)
    assert error.reason == "timeout"
    assert time.monotonic() - began < QUICK + 20  # of the sixty and more that it would take
    catcher.wait(lambda posts: len(posts) == 1)


@pytest.mark.parametrize("manner", ["drip-body", "endless"])
def test_what_was_taken_is_delivered_whatever_becomes_of_the_body(catcher: Catcher, manner: str):
    catcher.behave = lambda path, body: Reply(200, manner=manner)
    began = time.monotonic()
    answer = client(QUICK).post(f"{catcher.url}/x", b"", {})
    assert time.monotonic() - began < QUICK + 20
    assert answer.status == 200
    assert set(answer.body) == {ord("x")}
    assert len(answer.body) <= LARGEST
    assert (len(answer.body) == LARGEST) is (manner == "endless")


def test_an_error_with_a_body_without_end_is_the_error(catcher: Catcher):
    assert answered(catcher, Reply(500, manner="endless")).reason == "server-error"


def test_a_connection_that_breaks_or_is_refused(catcher: Catcher):
    assert answered(catcher, Reply(manner="break")).reason == "refused"
    error = failing(f"{nobody()}/{SECRET}")
    assert error.reason == "refused"
    assert "refused the connection" in error.message


def test_a_name_that_nobody_knows():
    error = failing(f"http://no-such-host.invalid/{SECRET}")
    assert (error.reason, error.message) == (
        "refused",
        "http://no-such-host.invalid: the name of the host is not known",
    )


def test_a_host_that_takes_no_connection_is_a_timeout(monkeypatch: pytest.MonkeyPatch):
    def never(*args: object, **more: object) -> object:
        raise TimeoutError

    monkeypatch.setattr(http, "_reached", never)
    assert failing("http://192.0.2.1/").reason == "timeout"


def test_a_name_without_addresses_and_one_whose_addresses_take_too_long(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(http.socket, "getaddrinfo", lambda *args, **more: [])
    assert failing("http://host.example.org/").reason == "refused"
    slow = (http.socket.AF_INET, http.socket.SOCK_STREAM, 0, "", ("127.0.0.1", 1))
    monkeypatch.setattr(http.socket, "getaddrinfo", lambda *args, **more: [slow])
    assert failing("http://host.example.org/", deadline=-1.0).reason == "timeout"


@pytest.mark.parametrize(
    "url",
    [
        "", "nothing", "ftp://host/x", "file:///etc/passwd", "http://", "http:///x", "http://[::1", "http://h:99999/",
        f"//host/{SECRET}", f"http://{'a' * 70}.example.org/", "javascript:alert(1)", "http://h\r\nX: y/",
    ],
)  # fmt: skip
def test_what_is_no_address_is_a_matter_of_the_configuration(url: str):
    assert failing(url).reason == "configuration"
    assert SECRET not in name_of(url)


@pytest.mark.parametrize("value", ["a\r\nX-Other: b", "ünï", "a\x00b"])
def test_what_cannot_be_a_header_is_not_sent(catcher: Catcher, value: str):
    with pytest.raises(DeliveryError) as raised:
        client().post(catcher.url, b"", {"Authorization": value})
    assert (raised.value.reason, catcher.posts) == ("configuration", [])
    assert value not in raised.value.message


def test_no_proxy_of_the_environment_is_asked(catcher: Catcher, monkeypatch: pytest.MonkeyPatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
        monkeypatch.setenv(name, nobody())
    client().post(f"{catcher.url}/x", b"", {})
    assert len(catcher.posts) == 1


# --- TLS -------------------------------------------------------------------------------------------------------------


def certified(directory: Path, host: str) -> tuple[ssl.SSLContext, Path]:
    """Return a server's side of TLS with a certificate for a host that it signed itself, and the certificate's file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    names = [x509.IPAddress(ip_address(host))] if host[0].isdigit() else [x509.DNSName(host)]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = directory / f"{host}.pem"
    file.write_bytes(pem + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    public = directory / f"{host}-public.pem"
    public.write_bytes(pem)
    return context, public


def test_a_certificate_that_is_not_trusted_gets_nothing(tmp_path: Path):
    context, _ = certified(tmp_path, "127.0.0.1")
    with catching(context=context) as catcher:
        error = failing(f"{catcher.url}/{SECRET}")
        assert (error.reason, catcher.posts) == ("refused", [])
        assert "not trusted" in error.message


def test_a_certificate_of_another_host_gets_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    context, public = certified(tmp_path, "elsewhere.example.org")
    monkeypatch.setenv("SSL_CERT_FILE", str(public))
    with catching(context=context) as catcher:
        assert failing(f"{catcher.url}/{SECRET}").reason == "refused"
        assert catcher.posts == []


def test_a_certificate_that_the_system_trusts_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    context, public = certified(tmp_path, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(public))
    with catching(context=context) as catcher:
        catcher.behave = lambda path, body: Reply(200, b"OK")
        assert client(5).post(f"{catcher.url}/x", b"hello", {}).body == b"OK"
        assert catcher.posts[0].body == b"hello"


def test_who_speaks_no_tls_is_found_out_in_time(catcher: Catcher):
    error = failing(catcher.url.replace("http://", "https://") + f"/{SECRET}", deadline=2)
    assert error.reason in {"refused", "timeout"}
