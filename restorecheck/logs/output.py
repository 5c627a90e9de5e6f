"""Where lines go: one stream of this process, whole lines, one at a time.

Writing never raises: a run does not end because its log cannot be written.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TextIO

from restorecheck.logs.lines import as_text, fields_of

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
"""Name of a level → its number in the standard library's logging."""


def wall() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Settings:
    """How lines look and where they go."""

    stream: TextIO | None = None  # None: what standard error is at that moment
    text: bool = True
    level: int = logging.WARNING  # until somebody configures
    now: Callable[[], datetime] = wall


class Output:
    """Writes whole lines, one at a time."""

    def __init__(self) -> None:
        self.settings = Settings()
        self._lock = threading.Lock()

    def tell(self, level: str, event: Mapping[str, Any]) -> None:
        """Write one event, if it is of a level that is wanted. Never raises."""
        settings = self.settings
        if LEVELS[level] < settings.level:
            return
        now, frames = settings.now(), settings.level <= logging.DEBUG
        try:
            found = fields_of(level, event, now, frames=frames)
        except Exception as e:  # noqa: BLE001 - whatever somebody logged, the run goes on
            found = fields_of(level, {"event": "log.unprintable", "error_type": type(e).__name__}, now)
        line = as_text(found) if settings.text else json.dumps(found, ensure_ascii=True, allow_nan=False)
        stream = settings.stream or sys.stderr
        encoding = getattr(stream, "encoding", None) or "utf-8"
        line = line.encode(encoding, "backslashreplace").decode(encoding)
        try:
            with self._lock:
                stream.write(line + "\n")
                stream.flush()
        except (OSError, ValueError):  # a full disk, a reader that went away, a stream that was closed
            return


OUTPUT = Output()
"""The one output of this process; `configure` sets it."""


class Sink:
    """What structlog calls last: the line has been written by then."""

    def msg(self, *_: Any, **__: Any) -> None:
        """Do nothing."""

    debug = info = warning = error = critical = msg


def told(_: Any, method: str, event: MutableMapping[str, Any]) -> str:
    """The last of structlog's processors: write the event."""
    OUTPUT.tell(method if method in LEVELS else "error", event)
    return ""
