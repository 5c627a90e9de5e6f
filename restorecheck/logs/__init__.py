"""Structured logs: one line for each event, in JSON or in text, with the check and the run it belongs to.

Everything goes through `masking` on its way out, whoever logged it, also what other libraries log. A secret, the words
of a database about its rows, or a line break must never get into a line; and writing one must never raise.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime
from typing import Literal, TextIO

from restorecheck.errors import RestorecheckError
from restorecheck.logs.binding import bind, bound, carried, get
from restorecheck.logs.lines import LONGEST, said
from restorecheck.logs.listener import LogListener
from restorecheck.logs.masking import hide, masked
from restorecheck.logs.output import LEVELS, OUTPUT, Settings, wall
from restorecheck.logs.routing import take_over

__all__ = [
    "LONGEST", "Format", "LogListener", "bind", "bound", "carried", "configure", "get", "hide", "masked", "said",
]  # fmt: skip

Format = Literal["json", "text", "auto"]
"""`auto` is text on a terminal and JSON elsewhere."""


def configure(
    stream: TextIO | None = None,
    fmt: Format = "auto",
    level: str = "info",
    now: Callable[[], datetime] | None = None,
) -> Callable[[], None]:
    """Send all lines to `stream` (None: standard error), and take over what other libraries log as warnings or worse.

    `auto` is text on a terminal and JSON elsewhere. Frames of errors are shown at level `debug` only. Returns a
    function that puts everything back as it was. Raises RestorecheckError `config` for an unknown format or level.
    """
    if level not in LEVELS:
        raise RestorecheckError(f"{level!r} is not a log level", f"use one of {', '.join(LEVELS)}", kind="config")
    if fmt not in ("json", "text", "auto"):
        raise RestorecheckError(f"{fmt!r} is not a log format", "use json, text or auto", kind="config")
    stream = stream or sys.stderr
    text = fmt == "text" or (fmt == "auto" and stream.isatty())
    before, OUTPUT.settings = OUTPUT.settings, Settings(stream, text, LEVELS[level], now or wall)
    release = take_over()

    def undo() -> None:
        release()
        OUTPUT.settings = before

    return undo
