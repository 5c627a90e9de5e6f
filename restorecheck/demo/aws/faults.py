"""What shall go wrong: which calls fail and how, and what befalls the next instances. Pure decisions, no effects.

A fault matches calls by service, operation, account, role and resource name (globs, case is ignored), skips the
first `after` matches and then strikes `times` times, or for ever. It does exactly one of these things:

- `code`: the call is answered with this AWS error; with `carried_out` it is done first, and only its answer is lost;
- `instance_status`: the instance or cluster that the call makes ends in this status instead of `available`;
  `creating`: stuck;
- `slow_boot`: the instance or cluster that the call makes stays `creating` this many seconds longer;
- `connection`: the instance that the call makes takes no connections: "refuse" or "hang" (accepted, never answered);
- `kill_query`: connections that run a query containing this text lose their server process, on any instance whose name
  matches; `times` counts killed connections. With `crash` the process is killed as by a crash, so that the server
  throws out everybody and recovers. With `event` AWS tells of it in these words, in `category`.
"""

from __future__ import annotations

import fnmatch
import itertools
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar

from restorecheck.demo.aws.errors import ControlError

STATUSES = {
    "AccessDenied": 403,
    "AccessDeniedException": 400,
    "ExpiredToken": 403,
    "InvalidClientTokenId": 403,
    "InternalFailure": 500,
    "InternalError": 500,
    "RequestLimitExceeded": 503,
    "ServiceUnavailable": 503,
    "SlowDown": 503,
}
"""HTTP statuses of error codes that are not 400."""

MESSAGES = {
    "Throttling": "Rate exceeded",
    "ThrottlingException": "Rate exceeded",
    "RequestLimitExceeded": "Request limit exceeded.",
    "InternalFailure": "The request processing has failed because of an unknown error, exception or failure.",
    "ServiceUnavailable": "The request has failed due to a temporary failure of the server.",
    "ExpiredToken": "The security token included in the request is expired",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One call as the wire and its credentials tell it."""

    service: str
    operation: str
    account: str
    role: str
    """Name of the assumed role, or "administrator"."""
    names: tuple[str, ...] = ()
    """Names and ARNs of resources among its parameters."""


@dataclass(slots=True)
class Fault:
    """One order for trouble; see the module."""

    id: str = ""
    service: str = "*"
    operation: str = "*"
    account: str = "*"
    role: str = "*"
    name: str = "*"
    after: int = 0
    times: int | None = 1
    code: str | None = None
    message: str | None = None
    status: int | None = None
    carried_out: bool = False
    instance_status: str | None = None
    slow_boot: float | None = None
    connection: str | None = None
    kill_query: str | None = None
    crash: bool = False
    event: str | None = None
    category: str = "maintenance"
    seen: int = field(default=0)
    struck: int = field(default=0)

    EFFECTS: ClassVar[tuple[str, ...]] = ("code", "instance_status", "slow_boot", "connection", "kill_query")

    def matches(self, call: Call) -> bool:
        """Say whether the fault is about this call, whether or not it is used up."""
        wanted = (self.service, self.operation, self.account, self.role)
        got = (call.service, call.operation, call.account, call.role)
        if not all(_glob(pattern, text) for pattern, text in zip(wanted, got, strict=True)):
            return False
        return self.name == "*" or any(_glob(self.name, name) for name in call.names)

    def strike(self) -> bool:
        """Count a match and say whether the fault strikes on it."""
        self.seen += 1
        if self.seen <= self.after or self.used_up:
            return False
        self.struck += 1
        return True

    @property
    def used_up(self) -> bool:
        """Say whether it has struck as often as it was told to."""
        return self.times is not None and self.struck >= self.times

    @property
    def http_status(self) -> int:
        """Return the HTTP status of its error."""
        return self.status or STATUSES.get(self.code or "", 400)

    def text(self, call: Call) -> str:
        """Return the message of its error."""
        if self.message is not None:
            return self.message
        if self.code in {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}:
            who = f"arn:aws:sts::{call.account}:assumed-role/{call.role}/session"
            return f"User: {who} is not authorized to perform: {call.service}:{call.operation}"
        return MESSAGES.get(self.code or "", f"{self.code}, as the demo AWS was told to answer")


def _glob(pattern: str, text: str) -> bool:
    return fnmatch.fnmatchcase(text.lower(), pattern.lower())


def parse(order: Mapping[str, Any], number: str) -> Fault:
    """Make a fault of a control call's JSON. Raises ControlError with one clear line."""
    known = {f.name for f in fields(Fault)} - {"id", "seen", "struck"}
    if unknown := sorted(set(order) - known):
        raise ControlError(f"fault: unknown field {unknown[0]!r}; known are {', '.join(sorted(known))}")
    try:
        fault = Fault(**order, id=number)
    except TypeError as e:
        raise ControlError(f"fault: {e}") from e
    given = [effect for effect in Fault.EFFECTS if getattr(fault, effect) is not None]
    if len(given) != 1:
        raise ControlError(f"fault: give exactly one of {', '.join(Fault.EFFECTS)}, not {len(given)}")
    if fault.connection not in {None, "refuse", "hang"}:
        raise ControlError(f"fault: connection is {fault.connection!r}; would be right: refuse, hang")
    if fault.times is not None and (not isinstance(fault.times, int) or fault.times < 1):
        raise ControlError(f"fault: times is {fault.times!r}; would be right: 1 or more, or null for ever")
    return fault


class Faults:
    """All faults now in force. Safe to use from any thread."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def add(self, order: Mapping[str, Any]) -> Fault:
        """Put a fault in force."""
        with self._lock:
            fault = parse(order, str(next(self._numbers)))
            self._faults.append(fault)
            return fault

    def clear(self, number: str | None = None) -> None:
        """Lift one fault, or all of them."""
        with self._lock:
            self._faults = [f for f in self._faults if number is not None and f.id != number]

    def describe(self) -> list[dict[str, Any]]:
        """List all faults with how often they struck."""
        with self._lock:
            return [asdict(f) for f in self._faults]

    def strike(self, call: Call, effects: Iterable[str]) -> Fault | None:
        """Return the first fault that strikes on this call with one of these effects, and count it."""
        with self._lock:
            for fault in self._faults:
                about = any(getattr(fault, effect) is not None for effect in effects)
                if about and fault.matches(call) and fault.strike():
                    return fault
            return None

    def killers(self) -> list[Fault]:
        """Return the faults that kill queries and are not used up."""
        with self._lock:
            return [f for f in self._faults if f.kill_query is not None and not f.used_up]

    def killed(self, fault: Fault) -> bool:
        """Count a query that may be killed, and say whether it is to be."""
        with self._lock:
            return fault.strike()
