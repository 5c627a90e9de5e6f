"""What an operator does beside a service that runs: cancel, pause, resume, next, status, history, run."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from demo_world import LONG, until
from product import Product, Ran, on_paper

from restorecheck.model import Miss, Report, RunState, Verdict
from restorecheck.store import Store


@pytest.fixture
def ready(product: Product) -> Product:
    product.world.snapshot("shop", "weekly")
    return product


@contextmanager
def idle_or_gone(product: Product) -> Iterator[None]:
    """Fail if, at the end, what is not ours has changed, or if anything of ours is left."""
    before = product.estate()
    yield
    product.compare(before, left=False, told="the service")


def asked(product: Product, *arguments: str, code: int = 0) -> Ran:
    """Run a command beside a service: the service may change things meanwhile."""
    process = product.popen(*arguments)
    out, err = process.communicate(timeout=120)
    assert process.returncode == code, (arguments, out, err)
    return Ran(process.returncode, out, err)


def ended(store: Store, run: str) -> Report:
    def probe() -> bool:
        entry = store.ledger.entry(run)
        return entry is not None and entry.state is RunState.ENDED

    until(probe, 60)
    return store.proofs.run(run)


def now() -> datetime:
    return datetime.now(UTC)


@pytest.mark.long
def test_a_run_is_left_to_the_service_seen_and_cancelled_and_one_that_waits_for_it_too(ready: Product):
    ready.limits |= {"instances": 1, "restore": "1h"}  # type: ignore[dict-item]
    ready.configure()
    ready.check("second-db")
    ready.world.aws.timings(create=3600)
    with idle_or_gone(ready), ready.serving() as service, ready.store() as store:
        until(lambda: service.ask("/-/ready")[0] == 200)
        first = asked(ready, "run", "shop-db", "--detach").out.strip()
        service.hears("step.looked", run=first, step="restore: wait", status="creating")
        [second] = asked(ready, "run", "second-db", "--detach", "--json").json["runs"]

        for name in ("--detach", "--json"):  # a check that is being run is not run twice
            refused = asked(ready, "run", "shop-db", name, code=2)
            assert f"is being run already, by process {service.process.pid}" in refused.out + refused.err

        seen = asked(ready, "status", "--json").json["status"]
        assert [(r["role"], r["pid"]) for r in seen["replicas"]] == [("serve", service.process.pid)]
        [running], [waiting] = seen["running"], seen["waiting"]
        assert (running["run_id"], running["trigger"], running["cancelled"]) == (first, "hand", False)
        assert running["began"] > running["scheduled_for"][:10]
        assert waiting["run_id"] == second
        told = asked(ready, "status").out
        assert "serves, 1 under way" in told
        assert f": {first}" in told
        assert f"waits for its turn: {second}" in told

        assert "tears down" in asked(ready, "cancel", second).err
        assert asked(ready, "cancel", first, "--json").json["run"] == first
        for run in (second, first):
            report = ended(store, run)
            assert (report.verdict, report.failure.kind) == (Verdict.UNPROVEN, "cancelled"), run
            assert report.leaked == ()
        assert "has ended already" in asked(ready, "cancel", first, code=2).err
        assert "there is no run" in asked(ready, "cancel", "shop-db-20200101t0000z", code=2).err
        assert service.end() == 0


@pytest.mark.long
def test_a_run_by_hand_beside_a_service_waits_for_its_turn_like_any_other(ready: Product):
    ready.limits["instances"] = 1  # type: ignore[assignment]
    ready.configure()
    ready.check("second-db")
    ready.world.aws.timings(create=2)
    with idle_or_gone(ready), ready.serving() as service, ready.store() as store:
        until(lambda: service.ask("/-/ready")[0] == 200)
        first = asked(ready, "run", "shop-db", "--detach").out.strip()
        service.hears("step.started", run=first, step="restore")
        by_hand = asked(ready, "run", "second-db", "--json").report
        assert by_hand["verdict"] == "passed"
        theirs = ended(store, first)
        assert datetime.fromisoformat(by_hand["started"]) >= theirs.ended  # the only place was taken until then
        assert service.logged("run.begun", run=by_hand["run_id"]) == []  # a run by hand stays with who asked for it
        assert service.end() == 0


@pytest.mark.long
def test_a_service_goes_on_with_a_run_by_hand_whose_process_died(ready: Product):
    ready.world.aws.timings(create=LONG)
    with idle_or_gone(ready), ready.serving() as service, ready.store() as store:
        until(lambda: service.ask("/-/ready")[0] == 200)
        by_hand = ready.popen("run", "shop-db")
        run = until(lambda: next((entry.run_id for entry in store.ledger.running()), None))
        by_hand.send_signal(signal.SIGKILL)
        by_hand.communicate()
        assert service.hears("run.taken-over", run=run)
        service.hears("step.looked", run=run, step="restore: wait", status="creating")
        ready.world.aws.skip(LONG)
        assert ended(store, run).verdict is Verdict.PASSED
        assert service.end() == 0


def test_a_run_is_not_left_to_nobody(tmp_path: Path):
    product = on_paper(tmp_path)
    ran = product.say("run", "shop-db", "--detach")
    assert ran.code == 2
    assert "nobody serves" in ran.err
    with product.store() as store:
        assert store.ledger.waiting() == []


@pytest.mark.long
def test_a_run_that_its_process_left_is_cancelled_by_whoever_takes_it_up(ready: Product):
    ready.limits["restore"] = "1h"
    ready.configure()
    ready.world.aws.timings(create=3600)
    before = ready.estate()
    process = ready.popen("run", "shop-db")
    assert process.stderr is not None
    for line in process.stderr:
        if "restore: creating" in line:
            break
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with ready.store() as store:
        [run] = [entry.run_id for entry in store.ledger.running()]
    assert "waits to be taken up" in asked(ready, "status").out
    assert "nobody serves now" in asked(ready, "cancel", run).err
    ran = asked(ready, "run", "shop-db", "--json", code=3)
    assert (ran.report["run_id"], ran.report["failure"]["kind"]) == (run, "cancelled")
    ready.compare(before, left=False, told=str(ran))


@pytest.mark.long
def test_a_pause_and_its_end(product: Product):
    at = now() + timedelta(hours=5)
    product.check(schedule=f"{at.minute} {at.hour} * * *", timezone="Europe/Berlin")
    product.check("second-db", schedule="0 3 * * *", timezone="UTC")
    assert "shop-db is paused until it is resumed" in product.run("pause", "shop-db").err
    paused = product.run("next", "--json", "-n", "3").json
    [stopped] = [one for one in paused["next"] if one["check"] == "shop-db"]
    assert (stopped["scheduled_for"], stopped["paused"], stopped["paused_until"]) == (None, True, None)
    assert "paused until it is resumed" in product.run("status").out
    until_then = f"{now() + timedelta(days=40):%Y-%m-%d}"
    told = product.run("pause", "shop-db", "second-db", "--until", until_then, "--json").json["paused"]
    assert set(told) == {"shop-db", "second-db"}
    assert told["second-db"] == f"{until_then}T00:00:00+00:00"
    assert told["shop-db"] < told["second-db"]  # midnight of the check's own zone
    assert f"paused until {until_then}"[:20] in product.run("status").out
    assert len(product.run("status", "--json").json["status"]["paused"]) == 2
    [text] = [line for line in product.run("next", "-n", "1").out.splitlines() if "second-db" in line or "shop" in line]
    assert "until" in text
    over = product.run("pause", "shop-db", "--until", "2020-01-01")
    assert (over.code, "is over already" in over.err) == (2, True)
    wrong = product.run("pause", "shop-db", "--until", "tomorrow")
    assert (wrong.code, "is not a time" in wrong.err) == (2, True)
    assert product.run("pause", "no-db").code == 2
    assert product.run("resume", "shop-db", "second-db", "--json").json["resumed"] == ["shop-db", "second-db"]
    again = product.run("resume", "shop-db").err
    assert "shop-db was not paused" in again
    declared = product.home / "checks" / "second-db.toml"
    declared.write_text(declared.read_text().replace("[check]", "[check]\npaused_until = 2999-01-01"))
    assert "its file says paused_until" in product.run("resume", "second-db").err


@pytest.mark.long
def test_nothing_of_a_paused_check_is_due(product: Product):
    at = (now() - timedelta(minutes=1)).replace(second=0, microsecond=0)
    for name in ("shop-db", "second-db"):
        product.check(name, schedule=f"{at.minute} {at.hour} * * *", timezone="UTC")
    with product.store() as store:
        for name in ("shop-db", "second-db"):
            store.ledger.schedule(name, at - timedelta(minutes=1), [], [])
        store.pauses.pause("shop-db", at - timedelta(minutes=2), None)
        with product.serving() as service:
            run = service.hears("run.due", check="second-db")["run"]
            ended(store, run)
            assert service.end() == 0
        assert {report.check for report in store.proofs.runs()} == {"second-db"}
        assert store.ledger.missed() == []


@pytest.mark.long
def test_history_since(ready: Product):
    ready.run("run", "shop-db")
    ready.check("second-db")
    old = now() - timedelta(days=8)
    with ready.store() as store:
        store.ledger.schedule("second-db", now(), [], [Miss("second-db", old, "down")])
        store.ledger.schedule("shop-db", now(), [], [Miss("shop-db", now() - timedelta(hours=1), "overlapped")])
    recent = ready.run("history", "--since", "7d", "--json").json
    assert [report["check"] for report in recent["reports"]] == ["shop-db"]
    assert [(miss["check"], miss["reason"]) for miss in recent["missed"]] == [("shop-db", "overlapped")]
    every = ready.run("history", "--since", f"{old - timedelta(days=1):%Y-%m-%d}", "--json").json
    assert len(every["missed"]) == 2
    nothing = ready.run("history", "second-db", "--since", "1h")
    assert (nothing.code, nothing.out) == (0, "")
    assert "no run has finished since" in nothing.err
    told = ready.run("history").out
    assert "nobody served" in told
    assert "the run before had not begun yet" in told
    assert ready.run("history", "--since", "yesterday").code == 2


def test_status_of_a_place_where_nothing_ever_was(tmp_path: Path):
    product = on_paper(tmp_path)
    product.check(schedule="0 3 * * *", timezone="UTC")
    product.check("hand-db")
    told = product.say("status")
    assert "nobody serves" in told.err
    assert "never" in told.out
    assert "has no schedule" in told.out
    seen = product.say("status", "--json").json
    assert (seen["command"], seen["exit_code"]) == ("status", 0)
    empty = {"replicas": [], "running": [], "waiting": [], "paused": [], "sweep": None}
    assert {key: seen["status"][key] for key in empty} == empty
    [hand, shop] = seen["status"]["checks"]
    assert (hand["check"], hand["next"], hand["last_verdict"]) == ("hand-db", None, None)
    assert datetime.fromisoformat(shop["next"]) > now()


@pytest.mark.long
def test_a_sweep_of_the_service_is_seen_in_its_status(product: Product):
    product.service["sweep"] = "1h"
    product.configure()
    with product.serving() as service:
        summary = service.hears("sweep.done")["summary"]
        until(lambda: asked(product, "status", "--json").json["status"]["sweep"])
        assert f"UTC: {summary}" in asked(product, "status").out
        assert service.end() == 0
