"""What the service keeps of runs that are not over, and of the processes that run them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal


class RunState(StrEnum):
    """How far a run has come."""

    DUE = "due"  # waits for its turn
    RUNNING = "running"
    ENDED = "ended"  # has a verdict


class Trigger(StrEnum):
    """Why a run is run."""

    SCHEDULE = "schedule"
    CATCH_UP = "catch-up"  # its time had passed while nobody served
    HAND = "hand"


@dataclass(frozen=True, slots=True)
class Entry:
    """One run in the ledger."""

    run_id: str
    check: str
    account: str  # the scratch account that it needs a place in
    scheduled_for: datetime
    not_before: datetime  # scheduled_for and the jitter
    trigger: Trigger
    state: RunState = RunState.DUE
    owner: str | None = None  # the replica that runs it; None: nobody yet, or nobody any more
    cancelled: bool = False  # somebody asked for its end


@dataclass(frozen=True, slots=True)
class Miss:
    """One time of a schedule at which no run began."""

    check: str
    scheduled_for: datetime
    reason: Literal["down", "overlapped"]  # nobody served; or the run before had not begun yet
    caught_up_by: str | None = None  # the run id that makes up for it


@dataclass(frozen=True, slots=True)
class Pause:
    """An operator's word that a check is not to run. `until` None: until it is resumed."""

    check: str
    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Replica:
    """One process that runs checks. `seconds` is how long ago it was last heard of, by the store's clock."""

    id: str
    role: Literal["serve", "run"]
    host: str
    pid: int
    version: str
    seconds: float
