"""One child process that reads restored files: started with nothing of ours, bounded, listened to, killed in time.

What a child says is read as the word of something that may have been taken over by a crafted file: by form, and up to
a size. Its standard error, which could hold a line of a file, goes nowhere.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROGRAM = (
    "import json,sys; sys.path[:] = json.loads(sys.argv[1]);"
    "from restorecheck.databases.duckdb_child import main; main()"
)
"""What the child runs: with our own search path for modules, and nothing of the environment or the directory."""

_MOST = 16 * 1024 * 1024
"""Bytes that a child may say: 10,000 digests are 1 MB."""

GRACE = 2.0
"""Seconds that a child has, after the deadline of a question, to say itself that it was late."""


@dataclass(slots=True)
class Told:
    """What a child said, and how it ended."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    late: bool = False  # we killed it at its deadline
    flooded: bool = False  # we killed it because it said too much, or something that is no message
    status: int = 0  # as of subprocess: the negative of a signal

    @property
    def last(self) -> dict[str, Any]:
        """Return the last message, empty if there is none."""
        return self.messages[-1] if self.messages else {}

    @property
    def stage(self) -> str:
        """Return what it was doing last: `open`, `read`, `ask`, or empty before it began."""
        return next((str(m["stage"]) for m in reversed(self.messages) if "stage" in m), "")

    @property
    def view(self) -> str:
        """Return the view that it was opening or reading last."""
        return str(next((m.get("view", "") for m in reversed(self.messages) if "stage" in m), ""))

    @property
    def ended(self) -> bool:
        """Return whether it came to an end of its own: an answer or an error."""
        return "answer" in self.last or "error" in self.last


def told_by_child(
    job: Mapping[str, Any],
    until: float,
    asking: float,
    *,
    monotonic: Callable[[], float] = time.monotonic,
    program: str = PROGRAM,
) -> Told:
    """Run one child with a job and return what it said. Never raises for what a child does.

    `until` is its deadline on the monotonic clock; from the stage `ask` on it has at most `asking` seconds, and GRACE.
    """
    paths = [str(Path(p).resolve()) for p in sys.path if p]
    told = Told()
    with _as_stdin(json.dumps(job).encode()) as stdin:
        child = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-I", "-c", program, json.dumps(paths)],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
            start_new_session=True,
        )
    try:
        _listen(child, told, until, asking, monotonic)
    finally:
        if not (told.ended or told.late or told.flooded):
            told.status = _ended(child)
        _kill(child)
        if child.stdout:
            child.stdout.close()
    return told


@contextlib.contextmanager
def _as_stdin(content: bytes) -> Any:
    """Yield a file descriptor that holds the content in memory, so that the salt never lies on a disk."""
    descriptor = os.memfd_create("restorecheck-job")
    try:
        with open(descriptor, "wb", closefd=False) as stream:
            stream.write(content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


def _listen(
    child: subprocess.Popen[bytes], told: Told, until: float, asking: float, monotonic: Callable[[], float]
) -> None:
    """Read what the child says until it ends, says too much, or is late."""
    assert child.stdout is not None  # noqa: S101 - it is a pipe
    line, size = b"", 0
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while not told.ended:
            left = until - monotonic()
            if left <= 0:
                told.late = True
                return
            if not selector.select(min(left, 1.0)):
                continue
            part = os.read(child.stdout.fileno(), 65536)
            if not part:
                return
            size += len(part)
            *whole, line = (line + part).split(b"\n")
            before = told.stage
            if size > _MOST or not all(_take(message, told) for message in whole):
                told.flooded = True
                return
            if told.stage == "ask" != before:
                until = min(until, monotonic() + asking) + GRACE


def _take(line: bytes, told: Told) -> bool:
    """Keep one message, and return whether it was one."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return False
    if not isinstance(message, dict):
        return False
    told.messages.append(message)
    return True


def _ended(child: subprocess.Popen[bytes]) -> int:
    """Return how a child ended that closed its output without a last word; one that has not is killed by the caller."""
    try:
        return child.wait(GRACE)
    except subprocess.TimeoutExpired:
        return -signal.SIGALRM  # it hangs: as good as late


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End the child and whatever it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
