"""What people are told: notices, what they are about, and how a trouble that lasts is followed from run to run.

A notice holds names, numbers and times, and never a row value or a secret: it leaves the house.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from restorecheck.model.found import Verdict


class About(StrEnum):
    """What a notice is about; with the check's name it is the key by which receivers fold notices together."""

    RUN = "run"  # a check's newest run
    MISSED = "missed"  # a time of a schedule at which no run began
    PAUSED = "paused"  # a check that nobody runs, because an operator said so
    REMOVED = "removed"  # a failing check that left the configuration
    LEAKED = "leaked"  # something of ours that should not be there any more
    SWEEP = "sweep"  # the sweep deleted nothing, because too much had expired
    RECEIVER = "receiver"  # a receiver that cannot be reached
    ACCEPTED = "accepted"  # an operator said that what a run measured is right
    TEST = "test"  # that notices arrive


class Turn(StrEnum):
    """What a notice says of what it is about."""

    BEGAN = "began"  # a run began: heartbeats only
    PASSED = "passed"  # a run passed and nothing is left of it: heartbeats only
    FIRING = "firing"  # it is wrong, and was not, or was less so
    REPEATED = "repeated"  # it is still wrong
    RESOLVED = "resolved"
    TOLD = "told"  # said once; nothing to resolve


Severity = Literal["critical", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Symptom:
    """One thing that did not hold: what was expected and what was observed, in words that a Finding has."""

    name: str
    expected: str
    observed: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """One message to people, whole: whoever sends it needs nothing else.

    `key` is the same for all notices of one trouble (`restorecheck/run/orders-db`), `id` is of this notice alone.
    """

    id: str
    key: str
    about: About
    turn: Turn
    severity: Severity
    title: str  # one sentence without a full stop: `orders-db is broken: 41 rows were counted where at least …`
    at: datetime  # when what it tells of became known
    since: datetime  # when the trouble began
    count: int = 1  # of runs, misses, … that went wrong in a row
    check: str = ""  # empty: it is about the service
    run_id: str = ""
    verdict: Verdict | None = None
    kind: str = ""  # failure kind
    meaning: str = ""  # of the failure kind
    hint: str = ""  # what to do
    symptoms: tuple[Symptom, ...] = ()  # at most 10
    recovery_point: str = ""
    recovery_point_at: datetime | None = None
    last_pass: datetime | None = None
    again: str = ""  # the command that runs it again
    runbook: str = ""  # URL
    link: str = ""  # URL of the proof
    owner: str = ""  # who owns the data, as the check says
    hold: timedelta = timedelta(days=30)  # for how long it holds unless somebody says otherwise: next run + rto + grace


@dataclass(frozen=True, slots=True)
class Episode:
    """One trouble from its first failure until it is resolved, and who was told of it."""

    key: str
    about: About
    check: str  # empty: it is about the service
    since: datetime
    count: int
    told: datetime  # when somebody was last told
    receivers: tuple[str, ...]  # everybody who was told, and so must be told when it is over
    notice: Notice  # the newest
    escalated: bool = False
    removed: bool = False  # its check (or receiver) left the configuration; it is not repeated any more
    removed_at: datetime | None = None  # when it last did
