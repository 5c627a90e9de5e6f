"""A program of PostgreSQL is fed, listened to, and never left behind."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from restorecheck.dumps.running import Limits, run
from restorecheck.errors import SourceError


class Heard:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.bytes = b""

    def wrote(self, data: bytes) -> None:
        self.bytes += data

    def run(
        self,
        program: str,
        *,
        left: float = 30.0,
        stop: Callable[[], bool] = lambda: False,
        feed: Iterator[bytes] | None = None,
        enough: int = 1 << 30,
    ) -> int:
        command = [sys.executable, "-I", "-c", f"import os, sys, time\n{program}"]
        return run(
            command,
            {"LC_ALL": "C"},
            Limits(lambda: left, stop),
            said=self.lines.append,
            wrote=self.wrote,
            feed=feed,
            enough=lambda: len(self.lines) >= enough,
        )


def test_both_outputs_and_the_exit_code_come_back() -> None:
    heard = Heard()
    assert heard.run("print('out'); print('one\\ntwo', file=sys.stderr, end=''); sys.exit(3)") == 3
    assert (heard.bytes, heard.lines) == (b"out\n", ["one", "two"])


def test_what_is_fed_arrives_whole_while_it_answers() -> None:
    heard = Heard()
    heard.run("sys.stdout.write(sys.stdin.read())", feed=iter([b"x" * 100_000] * 20))
    assert len(heard.bytes) == 2_000_000


def test_it_knows_nothing_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    heard = Heard()
    heard.run("print(sorted(os.environ))")
    assert b"AWS" not in heard.bytes


def test_a_signal_is_a_negative_code() -> None:
    assert Heard().run("os.kill(os.getpid(), 9)") == -9


def test_no_time_left_ends_it() -> None:
    with pytest.raises(SourceError) as caught:
        Heard().run("time.sleep(600)", left=0.0)
    assert caught.value.kind == "deadline"


def test_a_program_that_closed_its_outputs_is_ended_too() -> None:
    with pytest.raises(SourceError) as caught:
        Heard().run("os.close(1); os.close(2); time.sleep(600)", left=0.0)
    assert caught.value.kind == "deadline"


def test_a_stop_ends_it_and_what_it_started() -> None:
    heard = Heard()
    with pytest.raises(SourceError) as caught:
        heard.run(
            "pid = os.fork()\nif pid: print(pid, flush=True)\ntime.sleep(600)", stop=lambda: bool(heard.bytes.strip())
        )
    assert caught.value.kind == "cancelled"
    until = time.monotonic() + 60
    while _lives(int(heard.bytes)):
        assert time.monotonic() < until


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"  # not yet reaped is dead


def test_enough_is_enough() -> None:
    heard = Heard()
    code = heard.run("while True: print('error', file=sys.stderr, flush=True)", enough=10)
    assert code == -9
    assert len(heard.lines) >= 10


def test_what_breaks_in_the_feed_is_raised_after_the_end() -> None:
    def broken() -> Iterator[bytes]:
        yield b"x"
        raise SourceError("cut off", kind="dump-damaged")

    with pytest.raises(SourceError, match="cut off"):
        Heard().run("sys.stdin.read()", feed=broken())


def test_a_program_that_wants_no_more_is_no_error() -> None:
    assert Heard().run("sys.stdin.read(1); os.close(0)", feed=iter([b"x" * 1_000_000] * 5)) == 0


def test_a_line_without_an_end_is_told_once_in_part() -> None:
    heard = Heard()
    heard.run("sys.stderr.write('x' * 1_000_000 + '\\nshort\\n')")
    assert len(heard.lines) == 2
    assert len(heard.lines[0]) <= 1 << 17
    assert heard.lines[1] == "short"
