"""What goes out and whether anything comes back: counts what is sent and what fails, and knows what is out.

Watches only. It never changes, delays, answers or fails a call: botocore takes what a handler of `before-send` returns
for the answer, and what it raises for a broken connection.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

import botocore.parsers

from restorecheck.fence.answers import kind_of, reason_of
from restorecheck.fence.table import Role

Called = tuple[Role, str, str, str]
"""Role, account, service and operation. The base identity's own account is not known: it is empty."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A service of AWS that gives no answer, as seen from one role in one account and region."""

    role: Role
    account: str
    region: str
    service: str
    since: datetime  # the first try without an answer, after the last answer
    last: datetime  # the newest one: nobody may have asked for a while
    message: str


@dataclass(frozen=True, slots=True)
class Counted:
    """What this process sent to AWS since it began, each try counted. An `api` is such as `rds:DescribeDBInstances`."""

    sent: Mapping[str, int]  # by api
    failed: Mapping[tuple[str, str], int]  # by api and failure kind; what is `refused` was not sent


class Calls:
    """How many requests were sent and how many failed, each try counted. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent: Counter[Called] = Counter()
        self._failed: Counter[tuple[Called, str]] = Counter()

    def count(self, called: Called) -> None:
        """Add one."""
        with self._lock:
            self._sent[called] += 1

    def fail(self, called: Called, kind: str) -> None:
        """Add one that failed, or that the fence refused to send. `kind` is one of `failures.KINDS`."""
        with self._lock:
            self._failed[called, kind] += 1

    def counted(self) -> Counted:
        """Return the counts since this process began, of all roles and accounts together."""
        sent: Counter[str] = Counter()
        failed: Counter[tuple[str, str]] = Counter()
        with self._lock:
            for (_, _, service, operation), count in self._sent.items():
                sent[f"{service}:{operation}"] += count
            for ((_, _, service, operation), kind), count in self._failed.items():
                failed[f"{service}:{operation}", kind] += count
        return Counted(dict(sent), dict(failed))

    def snapshot(self) -> dict[Called, int]:
        """Return the counts since this process began, by role, account, service and operation."""
        with self._lock:
            return dict(self._sent)


class Traffic:
    """Watches every session of a fence. Safe to use from many threads."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.calls = Calls()
        self._now, self._lock = now, threading.Lock()
        self._outages: dict[tuple[Role, str, str, str], Outage] = {}

    def hang(self, events: Any, role: Role, account: str, region: str) -> None:
        """Watch an event emitter of botocore: each try to send, and what came of it."""
        # Last, and so behind the limiter of adaptive retries, which lets a request wait in this event.
        events.register_last("before-send", partial(self._sending, role, account))
        events.register_last("response-received", partial(self._received, (role, account, region)))
        events.register_last("after-call-error", partial(self._garbled, (role, account, region)))

    def outages(self) -> list[Outage]:
        """Return what gives no answer now, the longest first."""
        with self._lock:
            return sorted(self._outages.values(), key=lambda outage: outage.since)

    def sending(self, place: tuple[Role, str, str], service: str, operation: str) -> None:
        """Count a try that goes out by another way than botocore."""
        self.calls.count((place[0], place[1], service, operation))

    def answered(self, place: tuple[Role, str, str], service: str) -> None:
        """Note that a service answers: whatever was out of order there is over."""
        key = (*place, service)
        if key in self._outages:  # looked at without the lock, because it is asked after every answer
            with self._lock:
                self._outages.pop(key, None)

    def failed(self, place: tuple[Role, str, str], service: str, operation: str, kind: str) -> None:
        """Count a try that went out by another way than botocore and failed."""
        self.calls.fail((place[0], place[1], service, operation), kind)

    def refused(self, role: Role, account: str, service: str, operation: str) -> None:
        """Count a call that the fence did not let through."""
        self.calls.fail((role, account, service, operation), "refused")

    def unanswered(self, place: tuple[Role, str, str], service: str, message: str) -> None:
        """Note that a service gives no answer."""
        self._none((*place, service), message)

    def _sending(self, role: Role, account: str, event_name: str, **_: object) -> None:
        service, operation = event_name.split(".")[1:]
        self.calls.count((role, account, service, operation))

    def _received(
        self,
        place: tuple[Role, str, str],
        *,
        event_name: str,
        response_dict: Mapping[str, Any] | None,
        parsed_response: Mapping[str, Any] | None,
        exception: Exception | None,
        **_: object,
    ) -> None:
        service, operation = event_name.split(".")[1:]
        with suppress(Exception):  # whatever came back, counting it breaks nothing
            self._count_failure((place[0], place[1], service, operation), response_dict, parsed_response, exception)
        error = (parsed_response or {}).get("Error") or {}
        code, status = error.get("Code") or "Unknown", (response_dict or {}).get("status_code", 0)
        if exception is None and (status < 400 or kind_of(code, status) != "aws-unavailable"):
            self.answered(place, service)
            return
        self._none((*place, service), f"{operation}: {exception or f'HTTP {status} {code}'}")

    def _garbled(self, place: tuple[Role, str, str], *, event_name: str, exception: Exception, **_: object) -> None:
        """Note an answer that is none of AWS's, such as a proxy's page: botocore tells of it in no other event."""
        if isinstance(exception, botocore.parsers.ResponseParserError):
            service, operation = event_name.split(".")[1:]
            self.failed(place, service, operation, "aws-unavailable")
            self._none((*place, service), f"{operation}: what answers does not speak as AWS does")

    def _count_failure(
        self,
        called: Called,
        response_dict: Mapping[str, Any] | None,
        parsed_response: Mapping[str, Any] | None,
        exception: Exception | None,
    ) -> None:
        """Count a try that got no answer, or one that is an error: S3 may answer with 200 and an error below it."""
        if exception is not None:
            self.calls.fail(called, "aws-unavailable")
            return
        parsed = parsed_response or {}
        status = (response_dict or {}).get("status_code", 0)
        status = max(status, parsed.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if status >= 300:
            self.calls.fail(called, reason_of(str(parsed.get("Error", {}).get("Code", "")), status, called[3]))

    def _none(self, key: tuple[Role, str, str, str], message: str) -> None:
        now = self._now()
        with self._lock:
            known = self._outages.setdefault(key, Outage(*key, now, now, message))
            self._outages[key] = replace(known, last=now, message=message)
