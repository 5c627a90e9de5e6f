"""One invocation of a Lambda function: how much of its time is left, and work that must not outlive it.

AWS kills an invocation at the end of its time without a word, and begins another. So nothing is begun here that cannot
be recorded any more. Knows no SDK, and reads no clock but the one that it is given.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")

MARGIN = 20.0
"""Seconds that are kept to write a record and to end in an orderly way."""

ROOM = 180.0
"""Seconds that a step or a look should find: five calls to AWS that time out, and the pauses between them."""

USED = 15.0
"""Seconds after which an invocation is no longer a fresh one: replaying thousands of records takes less."""


class Invocation:
    """The time of one invocation, as Lambda tells it."""

    def __init__(self, remaining: Callable[[], float]) -> None:
        self._remaining, self._whole = remaining, remaining()

    @property
    def fresh(self) -> bool:
        """Whether nearly all of it is left: for what may need all that there is."""
        return self._remaining() >= self._whole - USED

    @property
    def roomy(self) -> bool:
        """Whether enough is left to begin something. Of a function with a short timeout, half of it is enough."""
        return self._remaining() >= min(ROOM, self._whole / 2)

    @property
    def left(self) -> float:
        """The seconds in which work may still go on."""
        return self._remaining() - min(MARGIN, self._whole / 4)


def beside(work: Callable[[], T]) -> asyncio.Future[T]:
    """Begin what may block in a thread of its own, and return what will come of it.

    Nobody waits for the thread, also not the end of the process: cancelling the future leaves it behind.
    """
    done: Future[T] = Future()
    done.set_running_or_notify_cancel()  # from now on a cancel is of the one that waits, not of the work
    here = contextvars.copy_context()  # which check and run the lines of a log belong to

    def run() -> None:
        try:
            value = here.run(work)
        except BaseException as e:  # noqa: BLE001 - whatever it is, it belongs to whoever waits
            done.set_exception(e)
        else:
            done.set_result(value)

    threading.Thread(target=run, name="restorecheck-work", daemon=True).start()
    return asyncio.wrap_future(done)
