"""What a run finds and makes: recovery point, answer, finding, report. Numbers and names, never a row value."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from restorecheck.model.declared import Against, Cell, Check, SnapshotKind


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


class Level(StrEnum):
    """How far a proof goes; each includes those before it. Never more than what was done."""

    NOTHING = "nothing"
    RESTORED = "restored"
    ANSWERED = "answered"  # questions were answered from the data
    READ = "read in full"  # every value of every row, or every byte of every object
    EQUAL = "equal to its reference"  # all of it equals what was recorded when the backup was made


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
    known: tuple[Known, ...] = ()  # what the store knew then: baselines and acceptances


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
    objects: int = 0  # S3: how many were current; of a dump: of how many it consists
    bytes: int = 0
    fingerprint: str = ""  # S3: SHA-256 over key, version, size and ETag of all of them, in order of their keys
    sample: str = ""  # S3: hex; the objects whose hash is at most this are restored; empty: all
    picked: int = 0  # S3: how many objects are restored
    picked_bytes: int = 0
    remarks: tuple[str, ...] = ()  # what the reader of a proof must know of how this point was found
    parts: tuple[ObjectVersion, ...] = ()  # dumps: the objects that it consists of
    history: tuple[int, ...] = ()  # dumps: sizes in bytes of those before it, the newest first


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """One version of one object, as a listing shows it."""

    key: str
    version: str  # "null" if it was written while versioning was off or suspended
    size: int
    etag: str
    modified: datetime
    storage_class: str = "STANDARD"


@dataclass(frozen=True, slots=True)
class Measure:
    """What was measured of one thing that a probe examined, such as a table."""

    object: str  # its name: `public.orders`
    rows: int | None = None
    fingerprint: str = ""  # of its content, whatever the order of its rows


@dataclass(frozen=True, slots=True)
class Measured:
    """What one assertion came to, in a form that can be compared with another time."""

    assertion: str
    value: str | None = None  # a number, as a decimal
    fingerprint: str = ""
    measures: tuple[Measure, ...] = ()  # ascending by object
    lines: tuple[str, ...] = ()  # of a schema, ascending: what a difference is shown by
    question: str = ""  # tells by which question; empty: not known


@dataclass(frozen=True, slots=True)
class Known:
    """What an assertion came to at another time: in earlier runs, when somebody accepted it, at the source."""

    assertion: str
    against: Against
    at: datetime | None = None  # when that was; of several runs, the newest
    runs: int = 0  # of how many runs it is made
    measured: Measured | None = None  # None: nothing is known yet, or `error` says why it is not
    error: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that a probe found to be wrong: names and numbers only."""

    object: str
    message: str
    kind: str = "assertion-failed"  # a failure kind


@dataclass(frozen=True, slots=True)
class Unseen:
    """Something that a probe did not look at."""

    object: str
    reason: str
    owed: bool = True  # it should have been looked at; False: a known limit of the method, told and no more


@dataclass(frozen=True, slots=True)
class Examined:
    """What a probe looked at, and what it came to. None examined is an error, whatever else is said here."""

    unit: str  # what is counted: `table`, `index`
    count: int  # how many were examined
    flawed: int = 0  # violations: what an expectation counts
    flaws: tuple[Flaw, ...] = ()  # the first of them
    unseen: tuple[Unseen, ...] = ()  # the first of them
    unseen_count: int = 0
    owed: int = 0  # how many of the unseen should have been looked at
    left_out: int = 0  # how many the operator's `tables` and `exclude` left out
    measures: tuple[Measure, ...] = ()  # ascending by object
    lines: tuple[str, ...] = ()
    rows: int = 0
    bytes: int = 0
    remarks: tuple[str, ...] = ()  # for `proven`: what this probe shows here, and what it does not


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
    examined: Examined | None = None  # of a probe
    fingerprint: str = ""  # of all rows, whatever their order, where the expectation is `same_as`
    sampled: int = 0  # of how many rows keys were kept as evidence
    unsampled: str = ""  # why they could not be kept, in words without row values


@dataclass(frozen=True, slots=True)
class Observation:
    """What a source found, unasked, in what was restored. It can keep a run from being green, never make it so."""

    name: str
    expected: str
    observed: str
    kind: str = ""  # a failure kind; empty: it is as it should be
    message: str = ""  # what is wrong, in plain words
    warning: bool = False  # worth telling, and no more
    seconds: float = 0.0
    value: str | None = None
    partial: bool = False  # part of the backup may not be in what was restored, and it is not the backup's fault


OBSERVATIONS = (
    "databases",
    "dump-age",
    "dump-checksum",
    "dump-complete",
    "dump-database",
    "dump-restored",
    "dump-size",
    "objects-compared",
    "objects-read",
)
"""Names of observations; no assertion may be called so."""


@dataclass(frozen=True, slots=True)
class Answers:
    """All answers of a run, and what was true of the server that gave them."""

    answers: tuple[Answer, ...]
    asked_at: datetime
    server_version: str = ""
    observations: tuple[Observation, ...] = ()
    proven: tuple[str, ...] = ()  # how far the proof goes, in plain words; also what it does not show
    known: tuple[Known, ...] = ()  # what references recorded, as far as the check asks for it
    level: Level = Level.RESTORED  # how far the source alone went, without the questions
    unread: tuple[str, ...] = ()  # what is said of what was not read, unless all of it was
    holding: tuple[str, ...] | None = None  # databases that hold tables; None: not known of every one


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
    by: Literal["check", "source"] = "check"  # who wanted to know: an assertion or objective, or the source itself


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
    proven: tuple[str, ...] = ()  # how far the proof goes
    level: Level = Level.NOTHING
    measured: tuple[Measured, ...] = ()  # what later runs are compared with; kept beside the proof, not in it
