"""Calls that may hang are made in a thread of their own, one at a time, and waited for only so long."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class Patient(Generic[T]):
    """Calls one thing for many who ask at once: who comes while a call is under way waits for that one.

    A call that hangs so costs one thread, however often it is asked for.
    """

    def __init__(self, call: Callable[[], T], seconds: float) -> None:
        self._call, self._seconds, self._lock = call, seconds, threading.Lock()
        self._going: Future[T] | None = None

    def __call__(self) -> T:
        """Return what the call returns, or raise what it raises; TimeoutError after so many seconds."""
        with self._lock:
            if self._going is None:
                self._going = Future()
                threading.Thread(target=self._run, args=(self._going,), name="metrics", daemon=True).start()
            going = self._going
        return going.result(self._seconds)

    def _run(self, going: Future[T]) -> None:
        try:
            result = self._call()
        except BaseException as e:  # noqa: BLE001 - it belongs to who asked
            self._over()
            going.set_exception(e)
        else:
            self._over()
            going.set_result(result)

    def _over(self) -> None:
        with self._lock:
            self._going = None
