"""Lambda as a tick sees it: calls with a time that is left, and executions by name that the test lets end."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from journal import SkipClock
from kept_bucket import KeptBucket
from store_places import AT

from restorecheck.config import Config, load
from restorecheck.engines.lambda_fleet import Execution
from restorecheck.errors import RestorecheckError
from restorecheck.fence import Fence
from restorecheck.functions.configuration import Loaded
from restorecheck.functions.keeping import InBucket
from restorecheck.functions.ticking import Tick, Ticked, World
from restorecheck.model import Failure, Report, Verdict
from restorecheck.schedule import check_of, time_of
from restorecheck.store import Store
from restorecheck.store.bucket import BucketState

BASE = Path(__file__).parent / "unit" / "bad_config" / "base"
ARN = "arn:aws:lambda:eu-central-1:333333333333:function:restorecheck-tick"
RUN_ARN = "arn:aws:lambda:eu-central-1:333333333333:function:restorecheck-run:live"


@dataclass
class Call:
    """One call of a function, as Lambda describes it."""

    aws_request_id: str = "request-1"
    left: float = 300.0
    invoked_function_arn: str = ARN

    def get_remaining_time_in_millis(self) -> int:
        return int(self.left * 1000)


@dataclass
class FakeLambda:
    """Executions of one function. It starts one once for each name; `before` may raise."""

    now: Callable[[], datetime]
    executions: dict[str, Execution] = field(default_factory=dict)
    begun: list[str] = field(default_factory=list)
    before: Callable[[str], None] = lambda operation: None

    def start(self, run_id: str) -> None:
        self.before("start")
        if run_id not in self.executions:
            self.executions[run_id] = Execution("RUNNING", self.now())
            self.begun.append(run_id)
        self.before("started")

    def running(self) -> set[str]:
        self.before("running")
        return {run for run, one in self.executions.items() if one.status == "RUNNING"}

    def status(self, run_id: str) -> Execution | None:
        self.before("status")
        return self.executions.get(run_id)

    def ends(self, run_id: str, status: str = "SUCCEEDED", **more: Any) -> None:
        self.executions[run_id] = replace(self.executions[run_id], status=status, ended=self.now(), **more)


def proof(run_id: str, verdict: Verdict = Verdict.PASSED, failed: str = "assertion-failed") -> Report:
    """Return what a run came to."""
    at = time_of(run_id) or AT
    failure = None if verdict is Verdict.PASSED else Failure(failed, "examine", "it does not hold", "look")
    return Report(run_id, check_of(run_id) or "", verdict, at, at + timedelta(minutes=9), failure)


def configured(
    home: Path, *, receivers: dict[str, str] | None = None, checks: tuple[str, ...] = ("orders-db",)
) -> Path:
    """Write a configuration that works on Lambda, and return its config.toml. `receivers` are webhooks."""
    lines = ['state = "s3://restorecheck-state/prod?region=eu-central-1"', (BASE / "config.toml").read_text()]
    for name, url in (receivers or {}).items():
        lines += [f"[receivers.{name}]", 'type = "webhook"', f'url = "{url}"']
    lines += ["[scratch_accounts.lab.limits]", 'examine = "10m"']
    told = f"[defaults]\nreceivers = {json.dumps(sorted(receivers or {}))}"
    home.mkdir(parents=True, exist_ok=True)
    (home / "config.toml").write_text("\n".join(lines).replace("[defaults]", told) + "\n")
    (home / "checks").mkdir(exist_ok=True)
    check = (BASE / "checks" / "orders-db.toml").read_text().replace("[check]", '[check]\nschedule = "*/30 * * * *"')
    for name in checks:
        (home / "checks" / f"{name}.toml").write_text(check.replace('"orders-db"', f'"{name}"'))
    return home / "config.toml"


class Town:
    """A configuration, a bucket, a Lambda, and ticks on a clock that the test turns."""

    def __init__(self, home: Path, *, receivers: dict[str, str] | None = None, **more: Any) -> None:
        self.home, self.clock = home, SkipClock(AT - timedelta(minutes=4))
        self.config: Config = load(configured(home, receivers=receivers, **more))
        self.bucket, self.aws = KeptBucket(), FakeLambda(lambda: self.clock.time)
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.out = io.StringIO()
        self.wrong: RestorecheckError | None = None
        self.calls = 0

    def state(self) -> BucketState:
        return BucketState(self.bucket, self.home / "copies", self._seconds)

    def _seconds(self) -> float:
        return self.clock.time.timestamp()

    def tick(self, call: Call | None = None, **more: Any) -> Ticked:
        """Tick once, as one process that has just begun."""
        self.calls += 1
        call = call or Call(f"request-{self.calls}")
        keeping = InBucket(self.state(), lambda store: None, self.tell)
        loaded = Loaded(self.config, self.clock.time, self.wrong)
        fields: dict[str, Any] = {
            "loaded": loaded,
            "keeping": keeping,
            "starter": self.aws,
            "fence": lambda: Fence({}, {}),
            "clock": self.clock,
            "me": call.aws_request_id,
            "left": lambda: call.get_remaining_time_in_millis() / 1000,
            "tell": self.tell,
            "stream": self.out,
        }
        return Tick(World(**(fields | more))).run()

    def tell(self, event: str, **facts: Any) -> None:
        self.told.append((event, facts))

    def events(self, name: str) -> list[dict[str, Any]]:
        return [facts for event, facts in self.told if event == name]

    def later(self, minutes: float) -> None:
        self.clock.skip(minutes * 60)

    def finish(self, run_id: str, verdict: Verdict = Verdict.PASSED) -> None:
        """Let an execution keep its record and end."""
        self.state().put(proof(run_id, verdict))
        self.aws.ends(run_id)

    def read(self, act: Callable[[Store], Any]) -> Any:
        """Ask the newest copy of the state."""
        state = self.state()
        try:
            return act(state.open())
        finally:
            state.close()

    def proofs(self) -> dict[str, tuple[Verdict, str]]:
        """Return verdict and failure kind of every finished run, as the newest copy has them."""
        found: list[Report] = self.read(lambda store: store.proofs.runs())
        return {one.run_id: (one.verdict, one.failure.kind if one.failure else "") for one in found}

    def metrics(self) -> list[dict[str, Any]]:
        """Return the lines of standard output so far: every one must be a document of the embedded metric format."""
        found = [json.loads(line) for line in self.out.getvalue().splitlines()]
        assert all(one["_aws"]["CloudWatchMetrics"] for one in found)
        return found
