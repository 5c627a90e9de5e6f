"""Runs errands: many requests under way at once, answers in any order, in the thread of whoever wants the results.

It draws an errand when a place is free and not before, holds no more in memory than what is under way, and when nobody
wants more results it breaks off what is under way and aborts the uploads that were begun.
"""

from __future__ import annotations

import heapq
import queue
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from restorecheck.errors import RestorecheckError, SourceError
from restorecheck.fence.errands import Call, Errand, Pause, Send, Together, Wish
from restorecheck.fence.wire import Flight
from restorecheck.sources.versions.interface import Seen

HELD = 64 * 1024**2
"""Bytes of objects that may be in memory at once, if it is more than one object."""

STALL = 60.0
"""Seconds without a byte after which an answer is given up, as everywhere in the fence. A copy may be silent longer."""

_STALL_OF_COPY = 5.0  # times as long
_HELPERS = 16  # threads for calls that are made as any other is: those of multipart uploads


class Sending(Protocol):
    """Who really sends, after the fence has judged."""

    def launch(
        self, send: Send, done: Callable[[Flight], None], take: Callable[[Flight, bytes], None] | None
    ) -> Flight:
        """Judge, sign and send one request. Raises RestorecheckError if it is not sent."""

    def call(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        """Make one call as any other is made. Raises RestorecheckError."""


@dataclass(eq=False, slots=True)
class _Trip:
    """One errand under way."""

    errand: Errand
    cost: int
    flight: Flight | None = None
    take: Callable[[bytes], None] | None = None
    patience: float = STALL
    failed: RestorecheckError | None = None  # what the taker of bytes raised
    waiting: int = 0  # calls that have not come back
    together: bool = False
    answers: list[Any] = field(default_factory=list)
    uploads: dict[str, Call] = field(default_factory=dict)  # begun and not ended, with the call that aborts them


class Rounds:
    """Runs the errands of one request for results."""

    def __init__(
        self,
        *,
        stall: float = STALL,
        hurry: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stall, self._hurry, self._monotonic = stall, hurry, monotonic  # `hurry`: what pauses are multiplied by
        self._inbox: queue.SimpleQueue[tuple[str, _Trip, Any]] = queue.SimpleQueue()
        self._trips: set[_Trip] = set()
        self._waking: list[tuple[float, int, _Trip]] = []
        self._woken = 0
        self._results: deque[Seen] = deque()
        self._held = 0  # bytes
        self._helpers: ThreadPoolExecutor | None = None
        self._looked = monotonic()

    def run(self, errands: Iterable[tuple[Errand, int]], at_once: int) -> Iterator[Seen]:
        """Yield the result of each errand, which comes with the bytes that it holds in memory."""
        coming = iter(errands)
        following = next(coming, None)
        try:
            while following is not None or self._trips:
                while following is not None and self._has_room(following[1], at_once):
                    trip = _Trip(*following)
                    self._trips.add(trip)
                    self._held += trip.cost
                    self._go_on(trip, None)
                    following = next(coming, None)
                if self._trips and not self._results:
                    self._turn()
                while self._results:
                    yield self._results.popleft()
        finally:
            self._close()

    def _has_room(self, cost: int, at_once: int) -> bool:
        return not self._trips or (len(self._trips) < at_once and self._held + cost <= HELD)

    # --- one event -----------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        """Wait for something to happen, and go on with whose it is."""
        now = self._monotonic()
        if self._waking and self._waking[0][0] <= now:
            self._go_on(heapq.heappop(self._waking)[2], None)
            return
        if now - self._looked > self._stall / 4:
            self._looked = now
            for trip in self._trips:
                if trip.flight is not None and now - trip.flight.moved > trip.patience:
                    trip.flight.cut(f"nothing came for {now - trip.flight.moved:.0f} s")
        until = min(self._waking[0][0] if self._waking else now + self._stall, self._looked + self._stall / 4 + 0.001)
        try:
            what, trip, found = self._inbox.get(timeout=max(0.0, until - now))
        except queue.Empty:
            return
        if what == "piece":
            self._take(trip, *found)
        elif what == "reply":
            self._landed(trip, found)
        else:
            self._answered(trip, *found)

    def _take(self, trip: _Trip, flight: Flight, piece: bytes) -> None:
        if trip.failed is not None or trip.take is None:
            return
        try:
            trip.take(piece)
        except RestorecheckError as e:
            trip.failed = e
        except Exception as e:  # noqa: BLE001 - whatever it was, it was the reader's, and it ends this job alone
            trip.failed = SourceError(f"the reader of an object stopped ({type(e).__name__})", kind="internal")
            trip.failed.__cause__ = e
        if trip.failed is None:
            flight.grant(len(piece))
        else:
            flight.cut("the reader stopped", unwanted=True)

    def _landed(self, trip: _Trip, flight: Flight) -> None:
        trip.flight = None
        failed, trip.failed = trip.failed, None
        self._go_on(trip, flight.reply, failed)

    def _answered(self, trip: _Trip, place: int, call: Call, future: Future[dict[str, Any]]) -> None:
        error = future.exception()
        self._note(trip, call, future)
        trip.answers[place] = error or future.result()
        trip.waiting -= 1
        if trip.waiting:
            return
        errors = [answer for answer in trip.answers if isinstance(answer, BaseException)]
        if errors:
            self._go_on(trip, None, errors[0])
        else:
            self._go_on(trip, trip.answers if trip.together else trip.answers[0])

    # --- going on ------------------------------------------------------------------------------------------------

    def _go_on(self, trip: _Trip, value: Any, error: BaseException | None = None) -> None:
        """Give an errand what it waited for, and see to what it wishes next."""
        while True:
            try:
                wish: Wish = trip.errand.send(value) if error is None else trip.errand.throw(error)
            except StopIteration as stop:
                self._trips.discard(trip)
                self._held -= trip.cost
                self._results.append(stop.value)
                return
            value = error = None
            try:
                self._begin(trip, wish)
                return
            except RestorecheckError as e:  # it was refused, or could not be signed
                error = e

    def _begin(self, trip: _Trip, wish: Wish) -> None:
        if isinstance(wish, Send):
            trip.take = wish.take
            trip.patience = self._stall * (_STALL_OF_COPY if wish.operation == "CopyObject" else 1.0)
            trip.flight = None
            sender: Sending = wish.by  # type: ignore[assignment]
            trip.flight = sender.launch(wish, lambda f: self._inbox.put(("reply", trip, f)), self._taker(trip, wish))
        elif isinstance(wish, Pause):
            self._woken += 1
            heapq.heappush(self._waking, (self._monotonic() + wish.seconds * self._hurry, self._woken, trip))
        else:
            calls = wish.calls if isinstance(wish, Together) else [wish]
            trip.waiting, trip.answers, trip.together = len(calls), [None] * len(calls), isinstance(wish, Together)
            for place, call in enumerate(calls):
                self._submit(trip, place, call)

    def _taker(self, trip: _Trip, wish: Send) -> Callable[[Flight, bytes], None] | None:
        take = wish.take
        if take is None:
            return None
        if wish.slow:
            return lambda flight, piece: self._inbox.put(("piece", trip, (flight, piece)))

        def at_once(flight: Flight, piece: bytes) -> None:
            take(piece)
            flight.grant(len(piece))

        return at_once

    def _submit(self, trip: _Trip, place: int, call: Call) -> None:
        if self._helpers is None:
            self._helpers = ThreadPoolExecutor(_HELPERS, thread_name_prefix="restorecheck-objects")
        sender: Sending = call.by  # type: ignore[assignment]
        future = self._helpers.submit(sender.call, call.operation, call.params)
        future.add_done_callback(lambda f: self._inbox.put(("answer", trip, (place, call, f))))

    # --- the end -------------------------------------------------------------------------------------------------

    def _close(self) -> None:
        """Break off what is under way; wait for calls that are made, and abort the uploads that they began."""
        trips, self._trips = self._trips, set()
        for trip in trips:
            if trip.flight is not None:
                trip.flight.cut("nobody wants it any more", unwanted=True)
        if self._helpers is not None:
            self._helpers.shutdown(wait=True, cancel_futures=True)
        while not self._inbox.empty():
            what, trip, found = self._inbox.get()
            if what == "answer":
                self._note(trip, *found[1:])
        for trip in trips:
            trip.errand.close()
            for abort in trip.uploads.values():
                sender: Sending = abort.by  # type: ignore[assignment]
                with suppress(RestorecheckError):  # the teardown lists what is left, and aborts it
                    sender.call(abort.operation, abort.params)

    @staticmethod
    def _note(trip: _Trip, call: Call, future: Future[dict[str, Any]]) -> None:
        """Keep in mind which uploads were begun and not ended."""
        if future.cancelled() or future.exception() is not None:
            return
        if call.operation == "CreateMultipartUpload":
            where = {name: call.params[name] for name in ("Bucket", "Key", "ExpectedBucketOwner")}
            upload = str(future.result()["UploadId"])
            trip.uploads[upload] = Call(call.by, "AbortMultipartUpload", {**where, "UploadId": upload})
        elif call.operation in {"CompleteMultipartUpload", "AbortMultipartUpload"}:
            trip.uploads.pop(call.params["UploadId"], None)
