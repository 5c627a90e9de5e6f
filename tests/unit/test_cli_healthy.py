"""`restorecheck healthy` against real servers on loopback: what it takes for well, and what it does not."""

import socket
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from restorecheck.cli import asking
from restorecheck.web.server import Aspect, WebServer


class Probes:
    def __init__(self, *, ok: bool) -> None:
        self._ok = ok

    def aspects(self):
        return [Aspect("store", ok=self._ok, text="here" if self._ok else "the disk is full")]


@contextmanager
def serving(*, ok: bool = True, host: str = "127.0.0.1"):
    server = WebServer(f"{host}:0", Probes(ok=ok))
    server.start()
    try:
        yield server.address
    finally:
        server.stop()


@contextmanager
def answering(said: bytes | None):
    """A server that says something once, or nothing for as long as it is asked."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                if said is None:
                    connection.recv(4096)
                    connection.recv(4096)  # until the other side gives up
                else:
                    connection.recv(4096)
                    connection.sendall(said)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.close()
        thread.join(timeout=5)


def code(listen: str, *, ready: bool = False, timeout: float = 5.0) -> int:
    try:
        asking.healthy(listen, ready=ready, timeout=timeout)
    except SystemExit as e:
        return int(e.code or 0)
    return 0


def test_a_service_that_lives_is_well(capsys):
    with serving() as address:
        assert code(address) == 0
    assert capsys.readouterr().out == "ok\n"


def test_a_service_that_cannot_work_lives_and_is_not_ready(capsys):
    with serving(ok=False) as address:
        assert code(address) == 0
        assert code(address, ready=True) == 1
    assert "/-/ready answers 503" in (said := capsys.readouterr().err)
    assert "the disk is full" in said


def test_ready_shows_every_part(capsys):
    with serving() as address:
        assert code(address, ready=True) == 0
    assert "store: here" in capsys.readouterr().out


def test_an_address_for_everybody_is_asked_on_loopback():
    with serving(host="0.0.0.0") as address:
        assert address.startswith("0.0.0.0:")
        assert code(address) == 0


@pytest.mark.parametrize(
    ("listen", "asked"), [("[::]", "::1"), ("0.0.0.0", "127.0.0.1"), ("::1", "::1"), ("localhost", "localhost")]
)
def test_where_a_service_is_asked(listen, asked):
    assert asking._near(listen.strip("[]")) == asked


def test_nobody_there_is_unwell(capsys):
    with socket.socket() as held:  # so that nobody else comes to listen there
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        assert code(f"127.0.0.1:{port}") == 1
    assert f"http://127.0.0.1:{port}/-/healthy does not answer: Connection refused\n  hint: " in capsys.readouterr().err


@pytest.mark.parametrize(
    "said", [b"", b"220 smtp.example.org ready\r\n", b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"]
)
def test_something_else_there_is_unwell(said):
    with answering(said) as address:
        assert code(address) == 1


def test_silence_is_unwell():
    with answering(None) as address:
        assert code(address, timeout=0.1) == 1


def test_no_proxy_is_asked(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with serving() as address:
        assert code(address) == 0


def test_the_command_reads_no_configuration(tmp_path):
    (tmp_path / "config.toml").write_text("this is no TOML")
    with serving() as address:
        done = subprocess.run(
            [sys.executable, "-m", "restorecheck", "healthy", "--listen", address],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr


def test_what_is_no_address_is_a_wrong_call(capsys):
    assert code("here") == 2
    assert "is not an address" in capsys.readouterr().err
