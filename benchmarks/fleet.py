"""How the service stands a thousand checks that fall due in the same minute: time, calls to AWS, memory.

Starts `restorecheck serve` on the demo AWS and a real PostgreSQL, all checks due at once, 40 running at a time: each
restores an unencrypted snapshot that its owner shares. Ends with one line, `RESULT {json}`; fails unless every run
passed, nothing is left and memory is flat over the last half. CHECKS (1000), RUNS (40). Run by `make bench-fleet`, not
by `make bench`: it takes many minutes.
"""

from __future__ import annotations

import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests")]

from demo_world import World, furnish
from postgres_server import PASSWORD, SUPERUSER, embedded, server
from product import Product

from restorecheck.demo.aws.process import DemoAws
from restorecheck.schedule import run_id
from restorecheck.store import Store

TIMINGS = {"create": 3.0, "backup": 0.0, "snapshot": 0.1, "copy": 1.0, "delete": 2.0, "password": 1.0}
POLL = 1.0
LIMITS: dict[str, Any] = {"poll": f"{POLL:.0f}s", "teardown": "1h"}
STALL = 300.0
"""Seconds without a new verdict after which it is given up."""


@dataclass
class Sample:
    """The memory of the service when so many runs had ended."""

    ended: int
    rss_mib: float


@dataclass
class Fleet:
    """One service and its checks."""

    world: World
    home: Path
    address: str
    checks: int
    runs: int
    samples: list[Sample] = field(default_factory=list)

    def build(self) -> datetime:
        """Make the database, its shared snapshot and the checks; returns the minute in which all are due."""
        self.world.database("shop", "create table orders as select generate_series(1, 100) as id")
        self.world.snapshot("shop", "shop-weekly")
        self.world.share("shop-weekly")
        product = Product(self.world, self.home, LIMITS | {"instances": self.runs})
        path = product.configure()
        shared = f'state = "{self.address}"\nservice_key = "service.key"\n'
        path.write_text(shared + path.read_text() + f"[service]\nruns = {self.runs}\n")
        (self.home / "service.key").write_text("5e" * 32 + "\n")
        (self.home / "service.key").chmod(0o600)
        at = (datetime.now(UTC) + timedelta(seconds=60 + self.checks / 20)).replace(second=0, microsecond=0)
        at += timedelta(minutes=1)
        for number in range(self.checks):
            product.check(
                f"shop-{number:04}",
                source={"snapshots": ["shared"]},
                schedule=f"{at.minute} {at.hour} * * *",
                timezone="UTC",
                rto="6h",
            )
        self.environment = product.environment
        return at

    def serve(self, at: datetime) -> float:
        """Serve until every run has ended; returns the seconds from the minute in which all were due."""
        command = [sys.executable, "-m", "restorecheck", "serve", "--config", "config.toml", "--listen", "127.0.0.1:0"]
        with (self.home / "service.log").open("wb") as log:
            service = subprocess.Popen(
                [*command, "--log-format", "json"],
                cwd=self.home,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            return self._watch(service, at)
        finally:
            service.send_signal(signal.SIGTERM)
            try:
                service.wait(60)
            except subprocess.TimeoutExpired:
                service.kill()
                service.wait()

    def _watch(self, service: subprocess.Popen[bytes], at: datetime) -> float:
        store = Store.open(self.address)
        ended, heard, told = 0, time.monotonic() + max(0.0, (at - datetime.now(UTC)).total_seconds()), 0
        try:
            while ended < self.checks:
                if service.poll() is not None:
                    raise SystemExit(f"the service ended with code {service.returncode}\n{self._tail()}")
                found = len(store.proofs.newest())
                if found > ended:
                    ended, heard = found, time.monotonic()
                elif time.monotonic() - heard > STALL:
                    break
                self.samples.append(Sample(ended, rss_mib(service.pid)))
                if ended >= told + max(1, self.checks // 10):
                    told = ended
                    say(f"{ended} of {self.checks} have ended, {self.samples[-1].rss_mib:.0f} MiB")
                time.sleep(1.0)
            return (datetime.now(UTC) - at).total_seconds()
        finally:
            store.close()

    def _tail(self) -> str:
        return "\n".join((self.home / "service.log").read_text(errors="replace").splitlines()[-20:])

    def wrong(self, at: datetime) -> list[str]:
        """Return what is not as it should be: a run that did not pass, or something that is left."""
        store = Store.open(self.address)
        try:
            reports = {report.run_id: report for report in store.proofs.runs()}
        finally:
            store.close()
        found = []
        for number in range(self.checks):
            report = reports.get(run_id(f"shop-{number:04}", at))
            if report is None or report.verdict.value != "passed" or report.leaked:
                found.append(f"shop-{number:04}: {report.failure or report.leaked if report else 'no verdict'}")
        ours = Product(self.world, self.home).estate()["ours"]
        return found + [f"left: {name}" for name in sorted(ours)]


def say(line: str) -> None:
    """Tell whoever looks on."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def rss_mib(pid: int) -> float:
    """Return the resident memory of a process, in MiB."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def memory(samples: Iterable[Sample], checks: int) -> tuple[float, float]:
    """Return the median memory around the half of the runs, and over the last tenth of them."""
    listed = list(samples)
    half = [s.rss_mib for s in listed if 0.45 * checks <= s.ended <= 0.55 * checks]
    end = [s.rss_mib for s in listed if s.ended >= 0.9 * checks]
    return statistics.median(half or [0.0]), statistics.median(end or [0.0])


def looks(log: Path) -> int:
    """Return how often the waits of all runs looked: so many descriptions it would be if each asked for itself."""
    count = 0
    for line in log.read_text().splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if event.get("event") == "step.finished" and str(event.get("step", "")).endswith(": wait"):
            count += int(event["seconds"] // POLL) + 1
    return count


def calls(tally: Mapping[str, Any]) -> tuple[Counter[str], Counter[str]]:
    """Return the calls of the service by operation, and by minute."""
    by_operation: Counter[str] = Counter()
    by_minute: Counter[str] = Counter()
    for one in tally["calls"]:
        if one["role"].startswith("restorecheck-") or one["operation"] == "AssumeRole":
            by_operation[one["operation"]] += one["calls"]
            by_minute[one["minute"]] += one["calls"]
    return by_operation, by_minute


def main() -> int:
    """Run it, and judge."""
    checks, runs = int(os.environ.get("CHECKS") or 1000), int(os.environ.get("RUNS") or 40)
    home = Path(tempfile.mkdtemp(prefix="restorecheck-fleet-"))
    postgres = server(embedded(), {"max_connections": "120", "log_statement": "none"})
    with DemoAws.start(timings=TIMINGS) as aws, postgres as running:
        with running.superuser() as connection:
            connection.execute("create database restorecheck")
        address = f"postgresql://{SUPERUSER}:{PASSWORD}@127.0.0.1:{running.port}/restorecheck"
        fleet = Fleet(furnish(aws), home, address, checks, runs)
        at = fleet.build()
        say(f"{checks} checks are due at {at:%H:%M} UTC, {runs} may run at once; files in {home}")
        aws.clear_calls()
        seconds = fleet.serve(at)
        wrong, (by_operation, by_minute) = fleet.wrong(at), calls(aws.tally())
    half, end = memory(fleet.samples, checks)
    describes = sum(count for name, count in by_operation.items() if name.startswith("Describe"))
    flat = end <= half * 1.1 + 10
    result = {
        "checks": checks,
        "seconds": round(seconds),
        "api_calls_per_minute": round(sum(by_operation.values()) / (seconds / 60)),
        "rss_mib_half": round(half),
        "rss_mib_end": round(end),
        "passed": checks - sum(not line.startswith("left: ") for line in wrong),
        "left": sum(line.startswith("left: ") for line in wrong),
        "runs_at_once": runs,
        "api_calls_per_minute_most": max(by_minute.values(), default=0),
        "api_calls_per_run": round(sum(by_operation.values()) / checks, 1),
        "describes": describes,
        "looks_of_waits": looks(home / "service.log"),
        "by_operation": dict(by_operation.most_common()),
        "rss_mib_most": round(max(sample.rss_mib for sample in fleet.samples)),
    }
    for line in wrong[:20]:
        say(line)
    if not flat:
        say(f"memory grows: {half:.0f} MiB at half, {end:.0f} MiB at the end")
    say("RESULT " + json.dumps(result))
    return 0 if flat and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
