"""restorecheck installed on a world of the demo AWS: its files, its command line, and a witness of what it touched.

Every `Product.run` takes a description of everything in all accounts before and after, down to the bytes of every
snapshot, and fails the test if anything but restorecheck's own differs, or if anything of its own is left.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import pytest
from demo_world import BASE, EXTERNAL_ID, REGION, SCRATCH, SOURCE, SUBNET_GROUP, World, until

from restorecheck.config import load
from restorecheck.demo.aws.process import DemoAws
from restorecheck.engines.clock import WallClock
from restorecheck.engines.inline import InlineDurable
from restorecheck.model import Report
from restorecheck.ports import LivePorts
from restorecheck.schedule import run_id
from restorecheck.state import make_state, open_store
from restorecheck.store import Store
from restorecheck.verify import verify

ROOT = Path(__file__).parents[1]
PREFIX = "restorecheck-"
FINAL = f"rds-final-{PREFIX}"
"""What Aurora leaves behind of a cluster that a run restored."""
MADE = {"instances", "snapshots", "clusters", "cluster-snapshots"}
"""Kinds that a run makes in RDS."""
QUICK = {"poll": "0.1s", "copy": "60s", "restore": "60s", "open": "30s", "examine": "5m", "teardown": "60s"}


def toml(value: object) -> str:
    """Write a value as TOML; JSON's strings, numbers and lists are TOML's, too."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {toml(v)}" for key, v in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


@dataclass
class Ran:
    """What one command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.out))

    @property
    def report(self) -> dict[str, Any]:
        """The only report."""
        [report] = self.json["reports"]
        return dict(report)


class Serving:
    """A service that runs: what it logs, what it answers, how it ends."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process, self.said = process, list[str]()
        self._readers = [threading.Thread(target=self._read, args=(s,)) for s in (process.stdout, process.stderr)]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: IO[str]) -> None:
        with stream:
            self.said.extend(line.rstrip("\n") for line in stream)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """What was logged so far; every line must be JSON."""
        return [dict(json.loads(line)) for line in list(self.said)]

    def logged(self, event: str, **fields: object) -> list[dict[str, Any]]:
        """Return the lines of an event that have these fields."""
        return [one for one in self.lines if one["event"] == event and fields.items() <= one.items()]

    def hears(self, event: str, at_most: float = 60.0, **fields: object) -> dict[str, Any]:
        """Wait for a line, and return the first."""

        def probe() -> dict[str, Any] | None:
            found = self.logged(event, **fields)
            assert found or self.process.poll() is None, f"ended with {self.process.poll()}: {self.said}"
            return found[0] if found else None

        return until(probe, at_most)

    def ask(self, path: str, method: str = "GET") -> tuple[int, str]:
        """Send a request and return status and body."""
        address = self.hears("service.started")["listen"].removeprefix("http://")
        connection = http.client.HTTPConnection(address, timeout=20)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def aspect(self, name: str) -> dict[str, Any]:
        """Return one aspect of /-/ready, and under `status` the answer's; empty if there is none of this name."""
        status, body = self.ask("/-/ready?format=json")
        found = [one for one in json.loads(body)["aspects"] if one["name"] == name]
        return {"status": status, **found[0]} if found else {}

    def end(self, number: int = signal.SIGTERM, at_most: float = 40.0) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.ended(at_most)

    def ended(self, at_most: float = 40.0) -> int:
        """Wait for the end of the process, and return its exit code."""
        code = self.process.wait(at_most)
        for reader in self._readers:
            reader.join()
        return code

    def kill(self) -> None:
        """Kill it, if it is still there."""
        if self.process.poll() is None:
            self.process.kill()
        self.ended()


@dataclass
class Product:
    """One configured restorecheck."""

    world: World
    home: Path
    limits: dict[str, str] = field(default_factory=lambda: dict(QUICK))
    service: dict[str, object] = field(default_factory=dict)
    top: dict[str, object] = field(default_factory=dict)
    more: str = ""
    """TOML that is written at the end of config.toml."""

    def configure(self, **scratch: object) -> Path:
        """Write config.toml; `scratch` changes keys of the placement."""
        world = self.world
        place = {
            "subnet_group": SUBNET_GROUP,
            "security_groups": [world.security_group],
            "key": world.scratch_key,
            "instance_class": "db.t4g.micro",
        } | scratch
        lines = [
            *(f"{name} = {toml(value)}" for name, value in self.top.items()),
            f'endpoint_url = "{world.aws.url}"',
            *(["[service]"] if self.service else []),
            *(f"{name} = {toml(value)}" for name, value in self.service.items()),
            "[source_accounts.production]",
            f'id = "{SOURCE}"',
            f'role = "{world.source_role}"',
            f'external_id = "{EXTERNAL_ID}"',
            f'regions = ["{REGION}"]',
            f'share_key = {{ {REGION} = "{world.source_key}" }}',
            "[scratch_accounts.lab]",
            f'id = "{SCRATCH}"',
            f'role = "{world.scratch_role}"',
            f'external_id = "{EXTERNAL_ID}"',
            "[scratch_accounts.lab.limits]",
            *(f"{name} = {toml(value)}" for name, value in self.limits.items()),
            f"[scratch_accounts.lab.regions.{REGION}]",
            *(f"{name} = {toml(value)}" for name, value in place.items()),
        ]
        (self.home / "checks").mkdir(parents=True, exist_ok=True)
        path = self.home / "config.toml"
        path.write_text("\n".join(lines) + "\n" + self.more)
        return path

    def check(
        self,
        name: str = "shop-db",
        instance: str = "shop",
        asserts: Sequence[Mapping[str, object]] = (),
        source: Mapping[str, object] | None = None,
        **check: object,
    ) -> None:
        """Write one check; without assertions it asks for at least one row in `orders`."""
        asserts = asserts or ({"name": "present", "sql": "select count(*) from orders", "expect": {"at_least": 1}},)
        place: dict[str, object] = {"type": "rds", "instance": instance, "database": "shop"}
        self.declare(name, place | dict(source or {}), asserts, **check)

    def declare(
        self, name: str, source: Mapping[str, object], asserts: Sequence[Mapping[str, object]] = (), **check: object
    ) -> None:
        """Write one check of any type of source; without assertions, that it restores is all it asks."""
        declared: dict[str, object] = {"name": name, "rpo": "25h", "rto": "2h"} | check
        if not asserts:
            declared["restores"] = True
        place: dict[str, object] = {"account": "production", "region": REGION} | dict(source)
        lines = ["[check]", *(f"{k} = {toml(v)}" for k, v in declared.items())]
        lines += ["[source]", *(f"{k} = {toml(v)}" for k, v in place.items()), "[scratch]", 'account = "lab"']
        for one in asserts:
            lines += ["[[assert]]", *(f"{k} = {toml(v)}" for k, v in one.items())]
        (self.home / "checks" / f"{name}.toml").write_text("\n".join(lines) + "\n")

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a process that may assume the roles, and nothing else of AWS."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        keys = self.world.aws.credentials(BASE)
        return kept | {
            "PYTHONPATH": str(ROOT),
            "AWS_ACCESS_KEY_ID": keys["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": keys["aws_secret_access_key"],
            "AWS_EC2_METADATA_DISABLED": "true",
            "COLUMNS": "200",
        }

    def popen(self, *arguments: str, script: Path | None = None, **more: str) -> subprocess.Popen[str]:
        """Start a command; `script` stands in for the command line's own entry."""
        command = [sys.executable, *([str(script)] if script else ["-m", "restorecheck"]), *arguments]
        return subprocess.Popen(
            command,
            cwd=self.home,
            env=self.environment | more,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(
        self, *arguments: str, script: Path | None = None, timeout: float = 120, left: bool = False, **more: str
    ) -> Ran:
        """Run a command to its end; `left` says that this one may leave something of its own behind."""
        before = self.estate()
        process = self.popen(*arguments, script=script, **more)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"{arguments} did not end within {timeout} s\n{out}\n{err}") from None
        self.compare(before, left=left, told=f"{arguments}\n{out}\n{err}")
        return Ran(process.returncode, out, err)

    def say(self, *arguments: str, **more: str) -> Ran:
        """Run a command that needs no AWS to its end, and look at nothing but what it says."""
        process = self.popen(*arguments, **more)
        out, err = process.communicate(timeout=120)
        return Ran(process.returncode, out, err)

    def verify(
        self, check: str = "shop-db", *, left: bool = False, clock: WallClock | None = None, cancelled: bool = False
    ) -> Report:
        """Run a check in this process, without the command line and without records: for many small stories."""
        clock = clock or WallClock()
        config = load(self.home / "config.toml")
        make_state(config.state)
        ports = LivePorts(config, clock, None)
        before = self.estate()
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            durable = InlineDurable(run_id(check, clock.now()), clock, None, lambda: cancelled)
            report = asyncio.run(verify(durable, ports))
        self.compare(before, left=left, told=str(report))
        return report

    @contextmanager
    def serving(self, *arguments: str, script: Path | None = None, **more: str) -> Iterator[Serving]:
        """Start a service on a free port; it is killed at the end if it is still there."""
        process = self.popen("serve", "--listen", "127.0.0.1:0", *arguments, script=script, **more)
        service = Serving(process)
        try:
            yield service
        except BaseException as e:
            e.add_note("\n".join(["the service said:", *service.said]))
            raise
        finally:
            service.kill()

    @contextmanager
    def store(self) -> Iterator[Store]:
        """Open the store as one more process would."""
        opened = open_store(load(self.home / "config.toml").state)
        try:
            yield opened
        finally:
            opened.close()

    def compare(self, before: dict[str, dict[str, Any]], *, left: bool, told: str) -> None:
        """Fail if anything that is not ours has changed, or (unless `left`) if anything of ours is there."""
        if not left:  # a guardian outlives its server by a moment
            with contextlib.suppress(AssertionError):
                until(lambda: not processes_of(self.work), 30)
        after = self.estate()
        assert after["theirs"] == before["theirs"], f"changed what is not ours: {told}"
        assert left or not after["ours"], f"left {sorted(after['ours'])}: {told}"

    def estate(self) -> dict[str, dict[str, Any]]:
        """Describe everything in all accounts, and the runs' directories here, split into what is ours and what is not.

        In the scratch account's buckets, ours is what lies below a prefix of a run.
        """
        ours: dict[str, Any] = {}
        theirs: dict[str, Any] = {}
        for account, regions in self.world.aws.digest([SOURCE, SCRATCH]).items():
            for region, kinds in regions.items():
                for kind, resources in kinds.items():
                    for name, described in resources.items():
                        where = f"{account}/{region}/{kind}/{name}"
                        if (account, kind) == (SCRATCH, "objects"):
                            theirs[where] = described["versioning"]
                            for key, seen in self.world.held(name).items():
                                (ours if key.startswith(PREFIX) else theirs)[f"{where}/{key}"] = seen
                            continue
                        made = kind in MADE and name.startswith((PREFIX, FINAL))
                        (ours if made else theirs)[where] = described
        return {"ours": ours | self.working(), "theirs": theirs}

    @property
    def work(self) -> Path:
        """Where runs work on this machine."""
        return Path(str(self.top.get("workplace", self.home / "state" / "work")))

    def working(self) -> dict[str, str]:
        """Return the directories of runs on this machine, and the processes that have to do with them."""
        work = self.work
        found = {f"directory {path.name}": "there" for path in (work.glob(f"{PREFIX}*") if work.is_dir() else ())}
        return found | {f"process {pid}": told for pid, told in processes_of(work).items()}


def on_paper(home: Path) -> Product:
    """restorecheck with one check, and accounts of an AWS where nobody answers: for what is said before it is asked."""

    def key(account: str) -> str:
        return f"arn:aws:kms:{REGION}:{account}:key/00000000-0000-4000-8000-000000000000"

    world = World(
        aws=DemoAws("http://127.0.0.1:1"),
        source_role=f"arn:aws:iam::{SOURCE}:role/restorecheck-source",
        scratch_role=f"arn:aws:iam::{SCRATCH}:role/restorecheck-scratch",
        source_key=key(SOURCE),
        scratch_key=key(SCRATCH),
        vpc="vpc-00000000",
        security_group="sg-00000000",
        source_rds=None,
        scratch_rds=None,
    )
    made = Product(world, home)
    made.configure()
    made.check()
    return made


def processes_of(directory: Path) -> dict[int, str]:
    """Return the command lines of processes that work in a directory or name it, by process id."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            told = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            if str(directory) in told or str(directory) in os.readlink(entry / "cwd"):
                found[int(entry.name)] = told
    return found
