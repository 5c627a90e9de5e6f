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
    VERSIONS = "versions"  # of the objects in a bucket, as they were current at a time
    DUMP = "dump"  # an object, or several, that a dump program wrote


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
class FileView:
    """Restored objects as one relation of a query: SQL sees the name, never a path."""

    name: str
    pattern: str  # of keys below the source's prefix; `*` stops at `/`, `**` does not
    columns: tuple[
        tuple[str, str], ...
    ] = ()  # name and type of each column, for CSV: guessing passes what is malformed
    may_be_empty: bool = False  # no row, or no file at all, is fine


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
    files: tuple[FileView, ...] = ()  # sources of objects only


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
class AuroraSource:
    """Where the recovery points of one Aurora cluster are, and which of them to take."""

    account: str
    region: str
    cluster: str
    database: str | None = None  # None: every assertion names its own
    pick: Literal["latest", "oldest", "random"] = "latest"
    within: timedelta | None = None
    snapshots: tuple[SnapshotKind, ...] = (SnapshotKind.AUTOMATED, SnapshotKind.MANUAL)
    share_key: str | None = None
    copies: bool = False  # copy into the scratch account first, instead of restoring from the share itself
    type: Literal["aurora"] = "aurora"


@dataclass(frozen=True, slots=True)
class Portion:
    """How many of the objects: so many, such a share of them (0 to 1), or, if neither is said, all."""

    count: int | None = None
    share: float | None = None

    @property
    def all(self) -> bool:
        """Whether none is left out."""
        return self.count is None and self.share is None


@dataclass(frozen=True, slots=True)
class S3ObjectsSource:
    """Objects of a versioned bucket below a prefix, as they were current at a time."""

    account: str
    region: str
    bucket: str
    prefix: str = ""
    at: datetime | timedelta | None = None  # a fixed time, or an age; None: the time of the run
    restore: Portion = Portion()  # which of the objects are restored; picked by the run id
    read: Portion = Portion(count=1000)  # which of the restored objects are read to their end
    transfer: Literal["copy", "stream"] = "copy"  # by the scratch role inside S3, or through us: read there, write here
    at_once: int = 32  # requests in flight
    most_objects: int | None = None  # a run that would restore more ends as unproven, before it writes anything
    most_bytes: int | None = None
    type: Literal["s3-objects"] = "s3-objects"


@dataclass(frozen=True, slots=True)
class S3DumpSource:
    """Dumps of a database in a versioned bucket."""

    account: str
    region: str
    bucket: str
    object: str  # pattern of the keys of all dumps of this database: `*` stops at `/`
    database: str  # the database that was dumped, and that is asked
    form: Literal["file", "directory", "parts"] = "file"  # directory: `object` names its toc.dat; parts: as split
    engine: Literal["postgresql", "mysql"] = "postgresql"
    at: datetime | timedelta | None = None  # as of S3ObjectsSource
    checksum: str | None = None  # suffix of the key of an object that holds the dump's SHA-256, such as ".sha256"
    decrypt: tuple[str, ...] = ()  # a command that reads the object and writes the dump
    jobs: int | None = None  # of pg_restore; None: as many as there are cores
    roles: tuple[str, ...] = ()  # roles that the dump speaks of, made before it is restored
    server: str | None = None  # restore into this one: a URL without a password; None: into one that we start
    most_bytes: int | None = None  # of the dump
    type: Literal["s3-dump"] = "s3-dump"


AnySource = RdsSource | AuroraSource | S3ObjectsSource | S3DumpSource


@dataclass(frozen=True, slots=True)
class Placement:
    """Where scratch is put: nothing of it may be a default, and nothing of it public.

    What a kind of source has no use for is empty.
    """

    account: str  # the scratch account's id
    region: str
    subnet_group: str = ""
    security_groups: tuple[str, ...] = ()
    key: str = ""  # KMS key of the scratch account
    instance_class: str = ""
    parameter_group: str | None = None
    option_group: str | None = None
    cluster_parameter_group: str | None = None  # clusters only
    capacity: tuple[float, float] | None = None  # least and most ACU of a cluster whose class is db.serverless
    bucket: str = ""  # for restored objects


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
    source: AnySource
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
