"""The words of the house as values: check, recovery point, run, answer, finding, verdict, report.

Everything here is frozen and survives a round trip through JSON (`durable.encode`/`decode`), because it crosses
the steps of a durable run. No secret and no row value may be a field of anything here: what is asked of a database
comes back as `Cell`s, and a text that a database returned is a cell of kind `digest`, never the text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal


class Verdict(StrEnum):
    """What a run says about a backup. Only `passed` is green."""

    PASSED = "passed"
    BROKEN = "broken"  # this backup cannot be trusted
    UNPROVEN = "unproven"  # we could not tell: quota, permission, network, a bad question


class Outcome(StrEnum):
    """What one assertion came to. Only `pass` is green."""

    PASS = "pass"  # noqa: S105 - not a password
    FAIL = "fail"
    WARN = "warn"  # failed, but declared with severity = "warn"
    ERROR = "error"  # could not be evaluated
    LEARNING = "learning"  # no baseline yet


class SnapshotKind(StrEnum):
    """Where a recovery point comes from."""

    AUTOMATED = "automated"
    MANUAL = "manual"
    SHARED = "shared"  # already shared with the scratch account: nothing is done in the source account
    AWSBACKUP = "awsbackup"


OBJECTIVES = ("rpo", "rto")
"""Names of the findings that are objectives; no assertion may be called so."""

CellKind = Literal["null", "bool", "number", "time", "date", "duration", "digest", "text", "other"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One value in a form that compares exactly and leaks nothing.

    `text` is canonical by kind: a decimal number; `true`/`false`; an ISO 8601 time in UTC (`time`), or without a zone
    if the database gave none (`naive = True`); an ISO date; seconds (`duration`); a salted SHA-256 (`digest`).
    `text` as a kind exists only in expectations, where the operator wrote it; `other` is a type that we cannot compare.
    """

    kind: CellKind
    text: str = ""
    naive: bool = False


# --- what the operator declares ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Expectation:
    """What must hold of an answer. Exactly one family is set: bounds, `equals`, `members` or `no_rows`."""

    at_least: Cell | None = None
    at_most: Cell | None = None
    equals: Cell | None = None
    members: tuple[Cell, ...] | None = None  # `set = [...]` in TOML
    no_rows: bool = False
    before: Literal["backup", "now"] | None = None  # bounds are ages, measured back from this instant


@dataclass(frozen=True, slots=True)
class Assertion:
    """One read query with its expectation."""

    name: str
    sql: str
    expect: Expectation
    severity: Literal["fail", "warn"] = "fail"
    timeout: timedelta = timedelta(minutes=5)
    database: str | None = None  # None: the source's database
    description: str = ""
    runbook: str = ""


@dataclass(frozen=True, slots=True)
class RdsSource:
    """Where the recovery points of one RDS instance are, and which of them to take."""

    account: str  # the source account's id, 12 digits
    region: str
    instance: str
    database: str
    pick: Literal["latest", "oldest", "random"] = "latest"
    within: timedelta | None = None  # only recovery points younger than this
    snapshots: tuple[SnapshotKind, ...] = (SnapshotKind.AUTOMATED, SnapshotKind.MANUAL)
    share_key: str | None = None  # a customer managed key of the source account, for copies that must be shared
    type: Literal["rds"] = "rds"


@dataclass(frozen=True, slots=True)
class Placement:
    """Where scratch is put: nothing of it may be a default, and nothing of it public."""

    account: str  # the scratch account's id
    region: str
    subnet_group: str
    security_groups: tuple[str, ...]
    key: str  # KMS key of the scratch account
    instance_class: str
    parameter_group: str | None = None
    option_group: str | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """How long each phase may take before the run gives up and tears down, and how often AWS is asked."""

    copy: timedelta = timedelta(hours=6)
    restore: timedelta = timedelta(hours=3)
    open: timedelta = timedelta(minutes=30)
    examine: timedelta = timedelta(hours=1)
    teardown: timedelta = timedelta(hours=2)
    run: timedelta = timedelta(hours=12)  # everything before the teardown, together
    lease: timedelta = timedelta(hours=24)  # after this, the sweep may delete what the run left
    poll: timedelta = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Check:
    """One declared check with every reference resolved: what a run needs to know, and no secret."""

    name: str
    source: RdsSource
    placement: Placement
    limits: Limits
    assertions: tuple[Assertion, ...]
    rpo: timedelta
    rto: timedelta
    schedule: str | None = None  # cron, five fields
    timezone: str = "UTC"
    catch_up: bool = True  # a run that was missed while nobody served is made up for, once
    jitter: timedelta = timedelta(0)  # a run begins up to this much later than its schedule says
    paused_until: datetime | None = None  # nothing is due before
    restores: bool = False  # "that it restores is all I ask"
    description: str = ""
    runbook: str = ""


# --- what a run finds and makes -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entrance:
    """How one account is entered."""

    account: str
    role_arn: str
    external_id: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """Step zero of a run: everything that is read from outside, recorded once. `now` is the time of the run."""

    run_id: str
    check: Check
    now: datetime
    entrances: tuple[Entrance, ...] = ()  # of its two accounts, so that a teardown gets in after they left the file


@dataclass(frozen=True, slots=True)
class RecoveryPoint:
    """One backup that a run picked, as AWS described it then."""

    id: str
    arn: str
    kind: SnapshotKind
    created: datetime  # OriginalSnapshotCreateTime: does not change when a snapshot is copied
    newest: datetime  # creation time of the newest point of this source, whichever was picked
    engine: str
    engine_version: str
    master_username: str
    encrypted: bool
    key: str | None = None  # KMS key of the snapshot
    default_key: bool = False  # encrypted under aws/rds: cannot be shared as it is
    shared_already: bool = False  # somebody had shared it with the scratch account before this run
    data_time: datetime | None = None  # SnapshotDatabaseTime: the newest transaction in it
    size_gib: int = 0
    iops: int | None = None
    storage_type: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one assertion: at most what its expectation needs, never a row value in clear."""

    name: str
    rows: int = 0  # capped; `more` says that the cap was reached
    more: bool = False
    columns: int = 0
    cells: tuple[Cell, ...] = ()  # the first column of each row, for expectations that look at values
    error: str = ""  # one sentence without row values; empty: answered
    kind: str = ""  # the failure kind of the error, a key of failures.KINDS
    sqlstate: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Answers:
    """All answers of a run, and what was true of the server that gave them."""

    answers: tuple[Answer, ...]
    asked_at: datetime
    server_version: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One judged assertion or objective. Numbers and names only."""

    name: str
    outcome: Outcome
    expected: str
    observed: str
    message: str = ""  # what failed, in plain words; empty when it passed
    kind: str = ""  # failure kind, when not passed
    seconds: float = 0.0
    runbook: str = ""
    value: str | None = None  # the number that was measured, as a decimal; None: none, or several


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a run is not `passed`: a failure kind, where it happened, and what to do."""

    kind: str
    phase: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Phase:
    """One recorded step of a run and when it ran."""

    name: str
    started: datetime
    ended: datetime

    @property
    def seconds(self) -> float:
        """How long the step took."""
        return (self.ended - self.started).total_seconds()


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something of a run that still exists."""

    arn: str
    reason: str = ""  # why it is still there, as far as known


@dataclass(frozen=True, slots=True)
class Report:
    """The proof of one run."""

    run_id: str
    check: str
    verdict: Verdict
    started: datetime
    ended: datetime
    failure: Failure | None = None
    point: RecoveryPoint | None = None
    findings: tuple[Finding, ...] = ()
    phases: tuple[Phase, ...] = ()
    leaked: tuple[Leftover, ...] = ()
    rpo_seconds: float = 0.0  # the objectives, as they were when the run started
    rto_seconds: float = 0.0
    point_age_seconds: float | None = None  # age of the newest recovery point when the run started
    restore_seconds: float | None = None  # from the first call that makes something to the first answered query
    refused: bool = False  # the fence refused something: exit code 4
    notes: tuple[str, ...] = field(default=())


# --- what the service keeps of runs that are not over ---------------------------------------------------------


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
