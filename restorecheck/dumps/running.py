"""One program of PostgreSQL, run to its end: fed, listened to, and never left behind.

It has an environment of its own and nothing of ours, dies with the thread that started it, and is stopped when there is
no time left or nobody wants it any more. What it writes is taken line by line, in bounded memory.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, cast

from restorecheck.errors import SourceError

_LONGEST = 1 << 16  # bytes of one line; a statement may be longer, and its end says nothing


@dataclass(frozen=True, slots=True)
class Limits:
    """When to stop. `left` returns the seconds that are left; `stop` says that nobody wants it any more."""

    left: Callable[[], float]
    stop: Callable[[], bool] = lambda: False

    def heed(self, what: str) -> None:
        """Raise SourceError `deadline` or `cancelled` if it is time."""
        if self.stop():
            raise SourceError(f"stopped while {what}", kind="cancelled")
        if self.left() <= 0:
            raise SourceError(f"the time allowed ran out while {what}", kind="deadline")


def run(
    command: Sequence[str],
    environment: Mapping[str, str],
    limits: Limits,
    *,
    said: Callable[[str], None],
    wrote: Callable[[bytes], None] = lambda _: None,
    feed: Iterator[bytes] | None = None,
    enough: Callable[[], bool] = lambda: False,
) -> int:
    """Run a command and return its exit code, negative for a signal.

    `said` gets each line of its standard error, `wrote` blocks of its standard output; `feed` goes to its standard
    input, and what that raises is raised here. `enough` says after a line that it need not go on: then it is killed.
    """
    child = subprocess.Popen(  # noqa: S603 - PostgreSQL's own program, and no shell
        list(command),
        stdin=subprocess.DEVNULL if feed is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(environment),
        cwd="/",
        start_new_session=True,
    )
    feeding = _Feeder(child, feed) if feed is not None else None
    lines = _Lines(said)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(cast("IO[bytes]", child.stdout), selectors.EVENT_READ, wrote)
            selector.register(cast("IO[bytes]", child.stderr), selectors.EVENT_READ, lines.take)
            while selector.get_map() and not enough():
                for key, _ in selector.select(0.2):
                    if data := os.read(key.fd, 1 << 16):
                        key.data(data)
                    else:
                        selector.unregister(key.fileobj)
                limits.heed("the dump was restored")
        lines.end()
        while not enough() and not _ended(child, 0.2):
            limits.heed("the dump was restored")
    finally:
        _end(child)
        if feeding:
            feeding.thread.join()
        for pipe in (child.stdout, child.stderr):
            if pipe:
                pipe.close()
    if feeding and feeding.error is not None and not enough():
        raise feeding.error
    return child.returncode


def _ended(child: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError):  # a group of its own, and it is not waited for yet
            os.killpg(child.pid, signal.SIGKILL)
    child.wait()


class _Feeder:
    """Writes a stream into a child's standard input, in a thread."""

    def __init__(self, child: subprocess.Popen[bytes], blocks: Iterator[bytes]) -> None:
        self.error: Exception | None = None
        self._child, self._blocks = child, blocks
        self.thread = threading.Thread(target=self._feed, name="restorecheck-feed", daemon=True)
        self.thread.start()

    def _feed(self) -> None:
        stdin = cast("IO[bytes]", self._child.stdin)
        try:
            for block in self._blocks:
                stdin.write(block)
        except BrokenPipeError:  # it ended before us; its exit code and its words say why
            pass
        except Exception as e:  # noqa: BLE001 - raised again in the thread that waits
            self.error = e
        with contextlib.suppress(OSError):
            stdin.close()


class _Lines:
    """Cuts a stream of bytes into lines."""

    def __init__(self, said: Callable[[str], None]) -> None:
        self._said, self._rest, self._long = said, b"", False

    def take(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if not self._long:
                self._said(line[:_LONGEST].decode(errors="replace"))
            self._long = False
        if len(self._rest) > _LONGEST:  # told now, and the rest of it dropped
            if not self._long:
                self._said(self._rest[:_LONGEST].decode(errors="replace"))
            self._rest, self._long = b"", True

    def end(self) -> None:
        if self._rest and not self._long:
            self._said(self._rest.decode(errors="replace"))
