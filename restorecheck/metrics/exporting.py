"""Sends figures to whoever does not scrape, again and again: a file, a Pushgateway, lines for CloudWatch.

Each way has a thread of its own, so a gateway that hangs holds up neither the service nor the other ways. Nothing is
raised into the service: it is told once when a way begins to fail, and once when it works again.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TextIO

from restorecheck.config.receivers import Exports
from restorecheck.durable import Clock, bug
from restorecheck.errors import RestorecheckError
from restorecheck.metrics import emf, pushgateway, textfile
from restorecheck.metrics.figures import Figures

Sends = Callable[[Figures], None]
"""One way out. Raises RestorecheckError."""


def print_emf(namespace: str, clock: Clock, stream: TextIO | None, figures: Figures) -> None:
    """Write lines for CloudWatch to a stream (None: standard output). Raises RestorecheckError `config`."""
    found = emf.lines(figures, namespace, clock.now())
    out = stream or sys.stdout
    try:
        out.write("".join(f"{line}\n" for line in found))
        out.flush()
    except (OSError, ValueError) as e:  # ValueError: it is closed
        raise RestorecheckError(
            f"metrics cannot be written to standard output: {e}", kind="config", retryable=True
        ) from e


def ways(exports: Exports, clock: Clock, stream: TextIO | None = None) -> Iterator[tuple[str, Sends]]:
    """Yield what is configured: how it is called where it is told of, and what sends."""
    if exports.textfile is not None:
        yield "textfile", partial(textfile.write, exports.textfile)
    if exports.pushgateway:
        yield "pushgateway", partial(pushgateway.push, exports.pushgateway)
    if exports.emf:
        yield "emf", partial(print_emf, exports.emf, clock, stream)


class Exporter:
    """Sends figures while a process serves. `round` is called by one thread; `close` waits for what is under way.

    `figures` is called in the threads of the ways, one at a time. `tell` gets `export.failed` (way, why, hint) and
    `export.recovered` (way), from any thread.
    """

    def __init__(
        self,
        figures: Callable[[], Figures],
        clock: Clock,
        tell: Callable[..., Any],
        *,
        stream: TextIO | None = None,
    ) -> None:
        self._figures, self._clock, self._tell, self._stream = figures, clock, tell, stream
        self._reading, self._noting = threading.Lock(), threading.Lock()
        self._begun: dict[str, float] = {}  # when each way last began, by the monotonic clock
        self._threads: dict[str, threading.Thread] = {}
        self._failing: set[str] = set()

    def round(self, exports: Exports) -> None:
        """Begin what is due, and come back at once. What is still under way is not begun again: it is failing."""
        now = self._clock.monotonic()
        for way, sends in ways(exports, self._clock, self._stream):
            begun = self._begun.get(way)
            if begun is not None and now - begun < exports.every.total_seconds():
                continue
            self._begun[way] = now
            if (thread := self._threads.get(way)) is not None and thread.is_alive():
                self._failed(way, "the one before is still under way", "does it answer at all?")
                continue
            thread = threading.Thread(target=self._send, args=(way, sends), name=f"export-{way}", daemon=True)
            try:
                thread.start()
            except RuntimeError as e:  # the machine gives us no thread now
                self._failed(way, str(e), "")
                continue
            self._threads[way] = thread

    def close(self, seconds: float = 0.0) -> None:
        """Wait for so long for what is under way. What takes longer is left alone: it ends with the process."""
        for thread in self._threads.values():
            thread.join(seconds)

    def _send(self, way: str, sends: Sends) -> None:
        try:
            with self._reading:
                figures = self._figures()
            sends(figures)
        except RestorecheckError as e:
            self._failed(way, e.message, e.hint)
        except Exception as e:  # noqa: BLE001 - a thread's bug must be heard, and must not end the service
            self._failed(way, bug(e), "this is a bug: please report it with the log")
        else:
            with self._noting:
                news = way in self._failing
                self._failing.discard(way)
            if news:
                self._tell("export.recovered", way=way)

    def _failed(self, way: str, why: str, hint: str) -> None:
        with self._noting:
            news = way not in self._failing
            self._failing.add(way)
        if news:
            self._tell("export.failed", way=way, why=why, hint=hint)
