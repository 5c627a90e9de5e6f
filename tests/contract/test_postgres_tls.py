"""Where and how we connect: verified TLS to everything but this machine, and nothing by the environment."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from postgres_server import Server, debian, make_master, server

from restorecheck.assertions import sealed
from restorecheck.databases.postgres import Postgres
from restorecheck.databases.postgres_connection import BUNDLE, connect, is_this_machine, parameters
from restorecheck.databases.postgres_question import SETTINGS
from restorecheck.errors import QueryError
from restorecheck.model import Assertion, Cell, Expectation

ELSEWHERE = "127.1"
"""To our rule a name like any other, so TLS is verified; to libpq and the resolver the address 127.0.0.1."""

NOW = datetime.now(UTC)


@dataclass
class Authority:
    """A certificate authority of our own."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(subject: str, issuer: str, key: ec.EllipticCurvePrivateKey, *, ca: bool) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )


def authority() -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    return Authority(key, _builder("an authority", "an authority", key, ca=True).sign(key, hashes.SHA256()))


def certificate(of: Authority, address: str) -> tuple[bytes, bytes]:
    """Return the certificate of a server at an address, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
    made = _builder("a server", "an authority", key, ca=False).add_extension(names, critical=False)
    return made.sign(of.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM), key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.fixture(scope="module")
def ours() -> Authority:
    return authority()


@pytest.fixture(scope="module")
def roots(ours, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("roots") / "root certificates.pem"
    path.write_bytes(ours.pem())
    return path


@pytest.fixture(scope="module")
def secure(ours):
    """Debian's server with a certificate of ours for 127.0.0.1."""
    pem, key = certificate(ours, "127.0.0.1")
    files = {"server.crt": pem, "server.key": key}
    with server(debian(), {"ssl": "on"}, files) as made:
        make_master(made)
        yield made


def _login(running: Server, host: str = ELSEWHERE):
    return replace(running.master(), host=host)


def _refused(running: Server, roots: Path, host: str = ELSEWHERE) -> QueryError:
    with pytest.raises(QueryError) as refused:
        connect(_login(running, host), roots, {})
    return refused.value


def test_a_server_with_the_right_certificate_is_trusted_and_encrypted(secure, roots):
    with connect(_login(secure), roots, SETTINGS) as connection:
        assert connection.pgconn.ssl_in_use
        assert connection.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone() == (True,)
    assert Postgres(roots=roots).knock(_login(secure)).startswith("15.")


def test_a_query_over_tls_is_cancelled_over_tls(secure, roots):
    sql = "select set_config('statement_timeout', '0', false), pg_sleep(3600)"
    question = Assertion("a", sql, Expectation(no_rows=True), timeout=timedelta(seconds=0.5))
    (answer,) = Postgres(roots=roots).ask(_login(secure), [question], "salt", timedelta(seconds=60))
    assert answer.kind == "timeout"


def test_a_certificate_of_another_authority_is_refused_also_of_the_same_name(secure, tmp_path):
    stranger = tmp_path / "stranger.pem"
    stranger.write_bytes(authority().pem())
    error = _refused(secure, stranger)
    assert (error.kind, error.retryable) == ("tls", False)


def test_amazon_s_bundle_does_not_trust_it(secure):
    assert _refused(secure, BUNDLE).kind == "tls"


def test_a_certificate_of_another_name_is_refused(ours, roots):
    pem, key = certificate(ours, "127.0.0.2")
    with server(debian(), {"ssl": "on"}, {"server.crt": pem, "server.key": key}) as other:
        make_master(other)
        error = _refused(other, roots)
    assert (error.kind, error.retryable) == ("tls", False)


def test_a_server_without_tls_is_refused_and_hears_no_password(running, roots):
    error = _refused(running, roots)
    assert (error.kind, error.retryable) == ("tls", False)
    assert "server does not support SSL" in error.message


def test_a_bundle_that_is_not_there_is_refused(secure, tmp_path):
    assert _refused(secure, tmp_path / "none.pem").kind == "tls"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.200.1.1", "::1", "localhost"])
def test_this_machine_needs_no_tls(host):
    assert is_this_machine(host)


@pytest.mark.parametrize(
    "host", ["127.1", "10.0.0.1", "localhost.example.org", "127.0.0.1.example.org", "0.0.0.0", "::", "", "LOCALHOST2"]
)
def test_everything_else_does(host):
    assert not is_this_machine(host)


# --- the environment ------------------------------------------------------------------------------------------------

TRAPS = {
    "PGHOST": "nowhere.invalid",
    "PGHOSTADDR": "127.0.0.9",
    "PGPORT": "1",
    "PGDATABASE": "postgres",
    "PGUSER": "postgres",
    "PGPASSWORD": "wrong",
    "PGPASSFILE": "/nonexistent",
    "PGREQUIREAUTH": "gss",
    "PGCHANNELBINDING": "require",
    "PGOPTIONS": "-c search_path=nowhere -c statement_timeout=1 -c default_transaction_read_only=off",
    "PGAPPNAME": "somebody",
    "PGSSLMODE": "disable",
    "PGREQUIRESSL": "1",
    "PGSSLNEGOTIATION": "direct",
    "PGSSLCERT": "/nonexistent",
    "PGSSLKEY": "/nonexistent",
    "PGSSLCERTMODE": "require",
    "PGSSLROOTCERT": "/nonexistent",
    "PGSSLCRL": "/nonexistent",
    "PGSSLCRLDIR": "/nonexistent",
    "PGSSLSNI": "0",
    "PGREQUIREPEER": "somebody",
    "PGSSLMINPROTOCOLVERSION": "TLSv1.3",
    "PGSSLMAXPROTOCOLVERSION": "TLSv1.1",
    "PGGSSENCMODE": "require",
    "PGKRBSRVNAME": "somebody",
    "PGCONNECT_TIMEOUT": "x",
    "PGCLIENTENCODING": "SQL_ASCII",
    "PGTARGETSESSIONATTRS": "standby",
    "PGLOADBALANCEHOSTS": "random",
    "PGMINPROTOCOLVERSION": "latest",
    "PGMAXPROTOCOLVERSION": "nonsense",
    "PGTZ": "Asia/Tokyo",
    "PGDATESTYLE": "German",
    "PGGEQO": "off",
}


@pytest.fixture
def trapped(monkeypatch):
    for name, value in TRAPS.items():
        monkeypatch.setenv(name, value)


def test_every_variable_that_this_libpq_knows_is_in_the_traps():
    known = {o.envvar.decode() for o in psycopg.pq.Conninfo.get_defaults() if o.envvar}
    assert known - set(TRAPS) <= {"PGSERVICE", "PGSSLCOMPRESSION", "PGGSSLIB", "PGGSSDELEGATION"}


def test_no_variable_changes_where_or_how_we_connect(running, reader, trapped):
    times = "select max(created_at) from orders"
    questions = [
        Assertion("a", times, Expectation(at_least=Cell("date", "2026-11-21"))),
        Assertion("b", "select current_setting('row_security')", Expectation(equals=Cell("text", "off"))),
    ]  # fmt: skip
    first, second = Postgres().ask(reader, questions, "salt", timedelta(seconds=60))
    assert first.cells == (Cell("time", "2026-11-21T02:59:00+00:00"),)
    assert second.cells == (sealed(Cell("text", "off"), "salt"),)
    with connect(reader, BUNDLE, SETTINGS) as connection:
        info = connection.info
        assert (info.hostaddr, info.port, info.dbname, info.user) == ("127.0.0.1", running.port, "shop", reader.user)
        assert connection.execute("SHOW application_name").fetchone() == ("restorecheck",)
        assert connection.execute("SHOW statement_timeout").fetchone() == ("1min",)


def test_no_variable_switches_the_verification_off(secure, roots, running, trapped):
    with connect(_login(secure), roots, SETTINGS) as connection:
        assert connection.pgconn.ssl_in_use
    assert _refused(secure, BUNDLE).kind == "tls"
    assert _refused(running, roots).kind == "tls"


def test_a_service_is_refused_with_a_clear_line(reader, monkeypatch):
    monkeypatch.setenv("PGSERVICE", "elsewhere")
    with pytest.raises(QueryError, match="PGSERVICE is set in the environment") as refused:
        Postgres().knock(reader)
    assert (refused.value.kind, refused.value.retryable) == ("config", False)
    (answer,) = Postgres().ask(
        reader, [Assertion("a", "select 1", Expectation(no_rows=True))], "s", timedelta(seconds=9)
    )
    assert answer.kind == "config"


def test_settings_reach_the_server_as_one_word_each(reader):
    given = parameters(reader, BUNDLE, SETTINGS)["options"]
    assert given.startswith("-c default_transaction_read_only=on -c row_security=off -c ")
    assert "'" not in given
    assert os.environ.get("PGOPTIONS") is None
