"""What an operator declares: a check, its source, its assertions, and what they are compared with. No secret."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal


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


@dataclass(frozen=True, slots=True)
class Against:
    """What an answer is held against where no constant can be declared: its own history, an acceptance, a reference."""

    kind: Literal["previous", "median", "max", "accepted", "reference"]
    runs: int | None = None  # median: of so many runs
    span: timedelta | None = None  # max: of the runs of so long
    reference: str = ""  # the name of a [reference.…]


@dataclass(frozen=True, slots=True)
class Expectation:
    """What must hold of an answer.

    Exactly one family is set: bounds, `equals`, `members`, `no_rows`, `same_as`, `exist_in` or `covers`.
    """

    at_least: Cell | None = None
    at_most: Cell | None = None
    equals: Cell | None = None
    members: tuple[Cell, ...] | None = None  # `set = [...]` in TOML
    no_rows: bool = False
    before: Literal["backup", "now"] | None = None  # bounds are ages, measured back from this instant
    of: Against | None = None  # bounds are ratios of this
    same_as: Against | None = None  # the same rows, or for a probe the same of everything that it measures
    exist_in: str = ""  # the name of an [objects.…]: every key that the query answers is that of an object there
    covers: str = ""  # the name of an [objects.…]: the query answers the key of every object there


@dataclass(frozen=True, slots=True)
class Probe:
    """A look that is built in, instead of a query. What there is, and which keys each takes: `probes.PROBES`."""

    name: str
    tables: tuple[str, ...] = ()  # patterns of `schema.table`, `*` for anything; empty: all of users
    exclude: tuple[str, ...] = ()  # patterns of what is left out; the proof says that it was
    required: tuple[str, ...] = ()  # names that must be there: of extensions, databases, readable tables
    role: str = ""  # roles: whose rights


@dataclass(frozen=True, slots=True)
class Samples:
    """Which columns of the rows that should not be there are kept as evidence, and of how many rows."""

    keys: tuple[str, ...]
    limit: int = 5


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
    """One read query, or one probe, with its expectation."""

    name: str
    sql: str  # empty: `probe` is the subject
    expect: Expectation
    severity: Literal["fail", "warn"] = "fail"
    timeout: timedelta = timedelta(minutes=5)
    database: str | None = None  # None: the source's database
    description: str = ""
    runbook: str = ""
    files: tuple[FileView, ...] = ()  # sources of objects only
    probe: Probe | None = None
    samples: Samples | None = None


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
    engine: Literal["postgresql", "mysql"] = "postgresql"  # who asks it; MariaDB counts as mysql


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
    engine: Literal["postgresql", "mysql"] = "postgresql"  # who asks it; MariaDB counts as mysql


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


def takes_newest(source: AnySource) -> bool:
    """Return whether a run takes the newest recovery point there is, and not an older one on purpose."""
    if isinstance(source, S3ObjectsSource | S3DumpSource):
        return source.at is None
    return source.pick == "latest"


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
    extended_support: bool = False  # whether a copy may be enrolled in RDS Extended Support, which is billed


@dataclass(frozen=True, slots=True)
class Reference:
    """Where the answers lie that were recorded when backups were made: manifests in a versioned bucket."""

    name: str
    account: str  # a source account
    region: str
    bucket: str
    object: str  # pattern of the keys of all manifests: `*` stops at `/`
    within: timedelta = timedelta(hours=24)  # how far from the recovery point a manifest may be


@dataclass(frozen=True, slots=True)
class ObjectSet:
    """Objects of a versioned bucket that rows of the database name, as they were current at the backup's time."""

    name: str
    account: str  # a source account
    region: str
    bucket: str
    prefix: str = ""  # not part of the keys that the rows name
    delay: timedelta = timedelta(0)  # objects that came so much later than the backup count as well


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
    references: tuple[Reference, ...] = ()
    objects: tuple[ObjectSet, ...] = ()
    critical: bool = False  # must be told by two ways of different kinds
    receivers: tuple[str, ...] = ()  # names of [receivers.…]; who is told
    owner: str = ""  # who owns the data: a label of what is told and measured
    retention: timedelta | None = None  # how long recovery points are kept, so when a proof is of nothing that exists
