"""The service as functions on Lambda: real runs on the demo AWS, executed by the SDK's local runner, state in its S3.

What stands in for Lambda is the runner alone; every invocation of a run is a new process as far as it can tell.
"""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from aws_durable_execution_sdk_python_testing import DurableFunctionTestRunner
from demo_world import BASE, LONG, REGION, SOURCE, until
from lambda_world import Call
from monitoring import Catcher, catching
from postgres_server import PASSWORD, SUPERUSER, embedded, server
from product import Product
from store_places import at_once

from restorecheck.config import load
from restorecheck.engines.clock import WallClock
from restorecheck.engines.lambda_entry import durable
from restorecheck.engines.lambda_fleet import Execution
from restorecheck.errors import RestorecheckError
from restorecheck.functions.house import House
from restorecheck.model import Entry, Trigger, Verdict
from restorecheck.schedule import run_id
from restorecheck.state import bucket_state, open_store
from restorecheck.store import Store

BUCKET = "restorecheck-state"


class Ahead(WallClock):
    """The wall clock of another day."""

    def __init__(self, by: timedelta = timedelta()) -> None:
        self.by = by

    def now(self) -> datetime:
        return super().now() + self.by


@dataclass
class LocalLambda:
    """A Starter over the SDK's local runner. `dies` are runs whose invocations die once they have restored."""

    environment: dict[str, str]
    home: Path
    dies: set[str] = field(default_factory=set)
    begun: list[str] = field(default_factory=list)
    invoked: dict[str, int] = field(default_factory=dict)
    arns: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._homes, self._lock = count(), threading.Lock()
        self.runner = DurableFunctionTestRunner(self._handler)
        self.runner._executor.RETRY_BACKOFF_SECONDS = 0

    def _handler(self, event: Any, context: Any) -> Any:
        run = context_run(event)
        self.invoked[run] = self.invoked.get(run, 0) + 1
        if run in self.dies and self.invoked[run] > 3:
            raise RuntimeError("Runtime exited with error: signal: killed")
        home = self.home / f"process-{next(self._homes)}"
        return durable(House(self.environment, home, WallClock()).run)(event, context)

    def start(self, run: str) -> None:
        with self._lock:
            if run not in self.arns:
                self.begun.append(run)
                payload = json.dumps({"run": run})
                self.arns[run] = self.runner.run_async(input=payload, execution_timeout=600, execution_name=run)

    def running(self) -> set[str]:
        return {run for run in self.arns if (found := self.status(run)) is not None and found.status == "RUNNING"}

    def status(self, run: str) -> Execution | None:
        if run not in self.arns:
            return None
        execution = self.runner._store.load(self.arns[run])
        began = execution.get_operation_execution_started().start_timestamp
        if not execution.is_complete:
            return Execution("RUNNING", began)
        result = execution.result
        error = str(result.error.type or "") if result.error is not None else ""
        return Execution(execution.current_status().value, began, began, result.result, error)

    def wait(self, run: str) -> None:
        until(lambda: run not in self.running(), 120)

    def close(self) -> None:
        self.runner.close()
        self.runner._scheduler._loop.close()


def context_run(event: Any) -> str:
    """Return the run of an invocation, as the service sends it."""
    state = event.initial_execution_state.operations[0]
    return str(json.loads(state.execution_details.input_payload)["run"])


@dataclass
class Lambdas:
    """The three functions, installed in the service's account."""

    product: Product
    environment: dict[str, str]
    aws: LocalLambda
    home: Path
    ticks: int = 0
    out: io.StringIO = field(default_factory=io.StringIO)

    def house(self, clock: WallClock | None = None) -> House:
        self.ticks += 1
        home = self.home / f"tick-{self.ticks}"
        return House(self.environment, home, clock or WallClock(), starter=self.aws, stream=self.out)

    def tick(self, left: float = 300.0) -> dict[str, Any]:
        house = self.house()
        return dict(house.tick(Call(f"request-{self.ticks}", left)))

    def upload(self) -> None:
        """Put the configuration where the functions read it."""
        s3 = self.product.world.aws.client("s3", BASE)
        for path in (*self.product.home.rglob("*.toml"), *self.product.home.glob("service.key")):
            s3.put_object(Bucket=BUCKET, Key=f"config/{path.relative_to(self.product.home)}", Body=path.read_bytes())

    @contextmanager
    def store(self, *, change: bool = False) -> Iterator[Store]:
        declared = load(self.product.home / "config.toml").state
        if declared.bucket is None:
            opened = open_store(declared)
            try:
                yield opened
            finally:
                opened.close()
            return
        state = bucket_state(declared, self.home / "operator")
        try:
            yield state.open()
            if change:
                state.commit()
        finally:
            state.close()

    def due(self, *checks: str, at: datetime | None = None) -> list[str]:
        """Let runs be due now, as an operator who asks for them does."""
        now = (at or WallClock().now()).replace(microsecond=0)
        runs = [run_id(check, now) for check in checks]
        with self.store(change=True) as store:
            for check, run in zip(checks, runs, strict=True):
                assert store.ledger.add(Entry(run, check, "222222222222", now, now, Trigger.HAND))
        return runs

    def to_the_end(self, runs: list[str]) -> None:
        """Tick until these runs have ended; the scratch account has room for one at a time."""
        while set(self.proofs()) < set(runs):
            for run in self.tick()["began"]:
                self.aws.wait(run)

    def proofs(self) -> dict[str, tuple[Verdict, str]]:
        with self.store() as store:
            return {one.run_id: (one.verdict, one.failure.kind if one.failure else "") for one in store.proofs.runs()}


@pytest.fixture
def hook() -> Iterator[Catcher]:
    with catching() as catcher:
        yield catcher


@pytest.fixture
def lambdas(
    product: Product, hook: Catcher, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Lambdas]:
    product.top = {"state": f"s3://{BUCKET}/state?region={REGION}"}
    yield from installed(product, hook, tmp_path_factory.mktemp("lambda"), monkeypatch)


@pytest.fixture
def replicas(
    product: Product, hook: Catcher, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Lambdas]:
    """The functions over a PostgreSQL database of their own."""
    with server(embedded(), {"log_statement": "none"}) as running:
        address = f"postgresql://{SUPERUSER}:{PASSWORD}@127.0.0.1:{running.port}/postgres"
        product.top = {"state": address, "service_key": "service.key"}
        (product.home / "service.key").write_text("5e" * 32)
        yield from installed(product, hook, tmp_path_factory.mktemp("lambda"), monkeypatch)


def installed(product: Product, hook: Catcher, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lambdas]:
    product.world.bucket(BUCKET, BASE)
    product.world.aws.automated_snapshot(SOURCE, "shop")
    product.more = f"[receivers.hook]\ntype = 'webhook'\nurl = '{hook.url}'\n"
    product.configure()
    product.check(receivers=["hook"])
    lots = {"name": "many", "sql": "select count(*) from orders", "expect": {"at_least": 5000}}
    product.check("lost-db", asserts=[lots], receivers=["hook"])
    for name, value in product.environment.items():
        monkeypatch.setenv(name, value)
    environment = {
        "RESTORECHECK_CONFIG": f"s3://{BUCKET}/config/",
        "RESTORECHECK_ENDPOINT_URL": product.world.aws.url,
        "AWS_REGION": REGION,
    }
    made = Lambdas(product, environment, LocalLambda(environment, home), home)
    made.upload()
    try:
        yield made
    finally:
        made.aws.close()


def told(hook: Catcher, check: str) -> list[str]:
    return [
        f"{alert['status']} {alert['labels']['verdict']}"
        for post in hook.posts
        for alert in post.json["alerts"]
        if alert["labels"].get("check") == check
    ]


@pytest.mark.long
def test_a_sound_and_a_broken_backup_from_their_tick_to_the_webhook(lambdas: Lambdas, hook: Catcher) -> None:
    before = lambdas.product.estate()
    lambdas.tick()
    runs = lambdas.due("shop-db", "lost-db")
    lambdas.to_the_end(runs)
    sound, lost = runs
    assert lambdas.proofs() == {sound: (Verdict.PASSED, ""), lost: (Verdict.BROKEN, "assertion-failed")}
    assert (told(hook, "shop-db"), told(hook, "lost-db")) == ([], ["firing broken"])
    lambdas.tick()
    assert told(hook, "lost-db") == ["firing broken"]
    assert sorted(lambdas.aws.begun) == sorted(runs)
    assert min(lambdas.aws.invoked.values()) > 3  # each wait ended its invocation
    lambdas.product.compare(before, left=False, told=str(runs))

    lines = [json.loads(line) for line in lambdas.out.getvalue().splitlines()]
    newest = {line["check"]: line for line in lines if "check" in line}
    assert (newest["shop-db"]["Broken"], newest["lost-db"]["Broken"]) == (0, 1)
    assert lines[-3]["ChecksBroken"] == 1
    assert lines[-3]["StoreUp"] == 1

    s3 = lambdas.product.world.aws.client("s3", BASE)
    record = json.loads(s3.get_object(Bucket=BUCKET, Key=f"state/runs/lost-db/{lost}.json")["Body"].read())
    assert record["report"]["verdict"] == "broken"


@pytest.mark.long
def test_an_execution_that_failed_ends_as_unproven_and_the_sweep_removes_what_it_left(lambdas: Lambdas) -> None:
    before = lambdas.product.estate()
    [run] = lambdas.due("shop-db")
    lambdas.aws.dies.add(run)
    lambdas.tick()
    lambdas.aws.wait(run)
    assert lambdas.product.estate()["ours"]
    lambdas.tick()
    assert lambdas.proofs() == {run: (Verdict.UNPROVEN, "internal")}
    with lambdas.store() as store:
        [report] = store.proofs.runs()
    assert report.failure is not None
    assert (report.failure.phase, report.failure.message) == ("execution", "it failed: RuntimeError")

    left = set(lambdas.product.estate()["ours"])
    lambdas.house().sweep(Call())
    assert set(lambdas.product.estate()["ours"]) == left  # its lease has not expired
    later = Ahead(timedelta(hours=25))
    for _ in range(4):  # an instance goes before what it was restored from
        lambdas.house(later).sweep(Call())
    until(lambda: not lambdas.product.estate()["ours"], 30)
    lambdas.product.compare(before, left=False, told=run)
    with lambdas.store() as store:
        note: Any = store.notes.get("sweep")
    assert note is not None


@pytest.mark.long
def test_a_configuration_that_is_wrong_is_raised_and_measured_at_every_tick(lambdas: Lambdas) -> None:
    house = lambdas.house()
    house.tick(Call("first"))
    (lambdas.product.home / "config.toml").write_text("state =")
    lambdas.upload()
    for request in ("second", "third"):
        with pytest.raises(RestorecheckError, match="configuration: "):
            house.tick(Call(request))
    warm = [json.loads(line) for line in lambdas.out.getvalue().splitlines()]
    assert [line["ConfigurationLoaded"] for line in warm if "StoreUp" in line] == [1, 0, 0]
    with pytest.raises(RestorecheckError):
        lambdas.tick()
    cold = json.loads(lambdas.out.getvalue().splitlines()[-1])
    assert (cold["ConfigurationLoaded"], "StoreUp" in cold) == (0, False)
    lambdas.product.configure()
    lambdas.upload()
    assert house.tick(Call("fourth"))["busy"] is False


@pytest.mark.long
def test_a_run_is_cancelled_while_it_goes_on(lambdas: Lambdas) -> None:
    before = lambdas.product.estate()
    lambdas.product.world.aws.timings(create=LONG)
    [run] = lambdas.due("shop-db")
    lambdas.tick()
    with lambdas.store(change=True) as store:
        store.ledger.cancel(run)
    lambdas.tick()
    lambdas.aws.wait(run)
    lambdas.tick()
    assert lambdas.proofs() == {run: (Verdict.UNPROVEN, "cancelled")}
    lambdas.product.compare(before, left=False, told=run)


@pytest.mark.long
def test_with_a_database_two_ticks_at_once_begin_a_run_once_and_a_cancel_is_heard(
    replicas: Lambdas, hook: Catcher
) -> None:
    before = replicas.product.estate()
    replicas.tick()
    [lost] = replicas.due("lost-db")
    houses = replicas.house(), replicas.house()
    at_once(*(lambda house=house, n=n: house.tick(Call(f"twin-{n}")) for n, house in enumerate(houses)))
    assert replicas.aws.begun == [lost]
    replicas.aws.wait(lost)
    assert replicas.proofs() == {lost: (Verdict.BROKEN, "assertion-failed")}  # kept by the run itself
    houses = replicas.house(), replicas.house()
    at_once(*(lambda house=house, n=n: house.tick(Call(f"twins-{n}")) for n, house in enumerate(houses)))
    assert told(hook, "lost-db") == ["firing broken"]

    replicas.product.world.aws.timings(create=LONG)
    [cancelled] = replicas.due("shop-db")
    assert replicas.tick()["began"] == [cancelled]
    with replicas.store() as store:
        store.ledger.cancel(cancelled)
    replicas.aws.wait(cancelled)
    replicas.tick()
    assert replicas.proofs()[cancelled] == (Verdict.UNPROVEN, "cancelled")
    assert replicas.aws.begun == [lost, cancelled]
    replicas.product.compare(before, left=False, told=cancelled)
