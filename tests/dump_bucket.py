"""A versioned bucket in memory behind the contract of the S3 sources, and a restorer that restores nothing.

Bytes and names are what a test puts in; whatever the contract says about errors a test can bring about.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from restorecheck.databases.interface import ALONE, NEEDS, Beside, DatabaseSeen, Login
from restorecheck.errors import AwsError, QueryError, RestorecheckError
from restorecheck.fence import Permit, Role
from restorecheck.model import (
    Answer,
    Assertion,
    Cell,
    Check,
    Expectation,
    Limits,
    Observation,
    Placement,
    Plan,
    S3DumpSource,
)
from restorecheck.passwords import Passwords
from restorecheck.sources.s3_dump import S3Dump, World
from restorecheck.sources.s3_dump.loads import Described, Loaded
from restorecheck.sources.versions.interface import Checksums, Head, Place, Read, Seen

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
RUN = "orders-dump-20261121t0300z"
SOURCE = S3DumpSource("111111111111", "eu-central-1", "backups", "dumps/*.dump", "orders")


@dataclass
class Version:
    key: str
    id: str
    modified: datetime
    body: bytes | None  # None: a delete marker
    etag: str = ""
    storage_class: str = "STANDARD"
    checksums: Checksums = field(default_factory=Checksums)
    encryption: str = "AES256"
    archive: str = ""


@dataclass
class Bucket:
    """What is in it, what was asked of it, and what is to go wrong."""

    versions: list[Version] = field(default_factory=list)  # in the order in which they were written
    status: str = "Enabled"
    listed: list[str] = field(default_factory=list)
    read_keys: list[str] = field(default_factory=list)
    faults: dict[str, list[RestorecheckError]] = field(default_factory=dict)  # by key, or "pages"
    corrupt: dict[str, int] = field(default_factory=dict)  # key -> how many reads still come out wrong
    block: int = 7
    between: Callable[[], None] = lambda: None  # called before each block

    def put(self, key: str, body: bytes | None, ago: float = 60, **more: Any) -> Version:
        """Write a version so many minutes before NOW."""
        etag = hashlib.md5(body, usedforsecurity=False).hexdigest() if body is not None else ""
        values = {"etag": etag, **more}
        version = Version(key, f"v{len(self.versions)}", NOW - timedelta(minutes=ago), body, **values)
        self.versions.append(version)
        return version

    def find(self, place: Place) -> Version | None:
        return next((v for v in self.versions if (v.key, v.id) == (place.key, place.version)), None)

    # --- the contract of objects -----------------------------------------------------------------------------------

    def pages(self, bucket: str, owner: str, prefix: str) -> Iterator[bytes]:
        self.listed.append(prefix)
        if self.faults.get("pages"):
            raise self.faults["pages"].pop(0)
        assert (bucket, owner) == ("backups", "111111111111")
        chosen = [v for v in self.versions if v.key.startswith(prefix)]
        latest = {v.key: v.id for v in chosen}
        lines = []
        for key in sorted(latest, key=str.encode):
            for v in reversed([v for v in chosen if v.key == key]):
                kind = "DeleteMarker" if v.body is None else "Version"
                size = (
                    ""
                    if v.body is None
                    else f"<ETag>&quot;{v.etag}&quot;</ETag><Size>{len(v.body)}</Size>"
                    f"<StorageClass>{v.storage_class}</StorageClass>"
                )
                lines.append(
                    f"<{kind}><Key>{escape(v.key)}</Key><VersionId>{v.id}</VersionId>"
                    f"<IsLatest>{str(v.id == latest[key]).lower()}</IsLatest>"
                    f"<LastModified>{v.modified.isoformat()}</LastModified>{size}</{kind}>"
                )
        yield f"<ListVersionsResult>{''.join(lines)}</ListVersionsResult>".encode()

    def head(self, jobs: Iterable[Head], at_once: int) -> Iterator[Seen]:
        for job in jobs:
            v = self.find(job.place)
            if v is None or v.body is None:
                yield Seen(job.place, error=AwsError("NoSuchVersion", "gone", kind="snapshot-state", retryable=False))
                continue
            yield Seen(job.place, len(v.body), v.etag, v.checksums, encryption=v.encryption, archive=v.archive)

    def read(self, jobs: Iterable[Read], at_once: int) -> Iterator[Seen]:
        for job in jobs:
            yield self._read(job)

    def _read(self, job: Read) -> Seen:
        self.read_keys.append(job.place.key)
        if self.faults.get(job.place.key):
            return Seen(job.place, error=self.faults[job.place.key].pop(0))
        v = self.find(job.place)
        assert v
        assert v.body is not None
        body = v.body
        if self.corrupt.get(v.key, 0):
            self.corrupt[v.key] -= 1
            body = bytes([body[0] ^ 1]) + body[1:]
        try:
            for at in range(0, len(body), self.block):
                self.between()
                if job.sink:
                    job.sink(body[at : at + self.block])
        except RestorecheckError as e:
            return Seen(job.place, error=e)
        return Seen(job.place, len(body), v.etag, digests={name: _digest(name, body) for name in job.digests})


def _digest(name: str, body: bytes) -> str:
    if name == "crc64nvme":
        return crc64nvme(body).to_bytes(8, "big").hex()
    return hashlib.new(name, body).hexdigest()


def crc64nvme(body: bytes) -> int:
    """CRC-64/NVME, bit by bit."""
    crc = 0xFFFFFFFFFFFFFFFF
    for byte in body:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x9A6C9329AC4BC9B5 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFFFFFFFFFF


def full(**values: bytes) -> Checksums:
    """Return checksums of a whole object, from their bytes."""
    return Checksums({name: base64.b64encode(value).decode() for name, value in values.items()}, full=True)


@dataclass
class FakeGate:
    bucket: Bucket
    entered: list[tuple[str, str]] = field(default_factory=list)

    def permit(self, **values: Any) -> Permit:
        return Permit(frozenset({"111111111111"}), frozenset({"222222222222"}), **values)

    def hand(self, role: Role, account: str, region: str) -> FakeGate:
        self.entered.append((str(role), account))
        return self

    def objects(self, role: Role, account: str, region: str) -> Bucket:
        self.entered.append((str(role), account))
        return self.bucket

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        assert (service, operation) == ("s3", "GetBucketVersioning")
        return {"Status": self.bucket.status} if self.bucket.status else {}


@dataclass
class FakeLoader:
    """Restores whatever it is given, in its own words."""

    fakes: Fakes
    directory: Path
    closed: bool = False

    def foresee(self, first: bytes, password: str) -> None:
        self.fakes.foreseen.append((first, password))
        if error := self.fakes.faults.pop("foresee", None):
            raise error

    def inspect(self, files: Sequence[Path], within: timedelta, stop: Callable[[], bool]) -> Described:
        self.fakes.inspected.append({f.name: f.read_bytes() for f in files})
        if error := self.fakes.faults.pop("inspect", None):
            raise error
        return self.fakes.described

    def load(self, password: str, within: timedelta, stop: Callable[[], bool]) -> Loaded:
        self.fakes.between(stop)
        if error := self.fakes.faults.pop("load", None):
            raise error
        self.fakes.loads += 1
        self.fakes.passwords.append(password)
        return Loaded(Login("127.0.0.1", 5432, "owner", password, "orders"), "18.1", self.fakes.observed, ("loaded",))

    def close(self) -> None:
        self.closed = True


DESCRIBED = Described("custom format", "orders", "18.1", unprovable=("a flipped byte is not noticed",))


@dataclass
class Fakes:
    """The world of a test, and what happened in it."""

    directory: Path
    bucket: Bucket = field(default_factory=Bucket)
    source: S3DumpSource = SOURCE
    described: Described = DESCRIBED
    observed: tuple[Observation, ...] = (Observation("dump-restored", "no error", "no error"),)
    faults: dict[str, RestorecheckError] = field(default_factory=dict)  # inspect, load, prepare, knock, databases
    passwords: list[str] = field(default_factory=list)
    foreseen: list[tuple[bytes, str]] = field(default_factory=list)
    inspected: list[dict[str, bytes]] = field(default_factory=list)
    loaders: list[FakeLoader] = field(default_factory=list)
    loads: int = 0
    prepared: list[str] = field(default_factory=list)
    free: int = 1 << 40
    server: Any = None
    answers: tuple[Answer, ...] = ()  # instead of a good one to each question
    beside: Beside = ALONE  # as it was given with the last questions
    between: Callable[[Callable[[], bool]], None] = lambda stop: None

    def __post_init__(self) -> None:
        self.gate = FakeGate(self.bucket)
        self.world = self.new_process()

    def new_process(self) -> World:
        """Return the world of a process that knows nothing of one before it."""
        return World(
            fence=self.gate,
            databases={"postgresql": FakeDatabase(self)},
            loaders=self._loader,
            passwords=Passwords(b"k" * 32),
            now=lambda: NOW,
            monotonic=lambda: 0.0,
            workplace=lambda run: self.directory / f"restorecheck-{run}",
            free=lambda path: self.free,
            patience=0.05,
            pause=0.0,
            servers=(lambda url: self.server) if self.server else None,
        )

    def _loader(self, source: S3DumpSource, directory: Path, declared: Callable[[], Login] | None) -> FakeLoader:
        if declared:
            declared()
        self.loaders.append(FakeLoader(self, directory))
        return self.loaders[-1]

    def dump(self, world: World | None = None, **source: Any) -> S3Dump:
        """Return the source of a check; later ones of the same world are of the same process."""
        return S3Dump(plan(replace(self.source, **source)), world or self.world)


class FakeDatabase:
    def __init__(self, fakes: Fakes) -> None:
        self._fakes = fakes

    def _trip(self, what: str) -> None:
        if error := self._fakes.faults.pop(what, None):
            raise error

    def prepare(self, master: Login, reader: Login, needs: Mapping[str, tuple[str, ...]] = NEEDS) -> None:
        self._trip("prepare")
        self._fakes.prepared.append(reader.user)

    def knock(self, reader: Login) -> str:
        self._trip("knock")
        return "18.1"

    def databases(self, reader: Login) -> tuple[DatabaseSeen, ...]:
        self._trip("databases")
        return (DatabaseSeen("orders", 3), DatabaseSeen("postgres", 0))

    def ask(
        self,
        reader: Login,
        assertions: Sequence[Assertion],
        salt: str,
        within: timedelta,
        beside: Beside = ALONE,
    ) -> tuple[Answer, ...]:
        self._fakes.beside = beside
        return self._fakes.answers or tuple(
            Answer(a.name, rows=1, columns=1, cells=(Cell("number", "1"),)) for a in assertions
        )


def unreachable() -> QueryError:
    """Return what a server that is starting answers."""
    return QueryError("not yet", retryable=True)


def plan(source: S3DumpSource, **changes: Any) -> Plan:
    """Return the plan of a check with one question."""
    check = Check(
        name="orders-dump",
        source=source,
        placement=Placement("222222222222", "eu-central-1"),
        limits=Limits(),
        assertions=(Assertion("rows", "select count(*) from t", Expectation(at_least=Cell("number", "1"))),),
        rpo=timedelta(hours=25),
        rto=timedelta(hours=2),
    )
    return Plan(RUN, replace(check, **changes), NOW)
