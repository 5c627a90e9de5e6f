"""`restorecheck serve` as a process: schedules, signals, kills, reloads, and weather, on the demo AWS."""

import json
import os
import re
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from demo_world import EXTERNAL_ID, LONG, SCRATCH, SOURCE, instance_in, until
from postgres_server import PASSWORD, embedded, server
from product import Product, Serving
from store_places import postgres_place

from restorecheck.demo.aws.postgres import SUPERUSER
from restorecheck.model import Miss, Report, RunState, Verdict
from restorecheck.schedule import scratch_name

MORTAL = Path(__file__).parent / "mortal.py"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def ready(product: Product) -> Product:
    product.world.snapshot("shop", "weekly")
    return product


def now() -> datetime:
    return datetime.now(UTC)


def daily(at: datetime) -> str:
    """Return the schedule of one time a day."""
    return f"{at.minute} {at.hour} * * *"


def looked_at(product: Product, at: datetime, *checks: str) -> None:
    """Make the store believe that the schedules were looked at until then, and no longer."""
    with product.store() as store:
        for check in checks or ("shop-db",):
            store.ledger.schedule(check, at, [], [])


def falls_due(product: Product, name: str = "shop-db", **check: object) -> str:
    """Let a check be due at once when somebody serves; returns its run id."""
    at = (now() - MINUTE).replace(second=0, microsecond=0)
    product.check(name, schedule=daily(at), timezone="UTC", **check)
    looked_at(product, at - MINUTE, name)
    return f"{name}-{at:%Y%m%dt%H%Mz}"


def reports(product: Product) -> list[Report]:
    with product.store() as store:
        return store.proofs.runs()


def report_of(product: Product, run: str, at_most: float = 60.0) -> Report:
    """Wait for the report of a run."""
    with product.store() as store:

        def ended() -> bool:
            entry = store.ledger.entry(run)
            return entry is not None and entry.state is RunState.ENDED

        until(ended, at_most)
        return store.proofs.run(run)


def missed(product: Product) -> list[Miss]:
    with product.store() as store:
        return store.ledger.missed()


@contextmanager
def untouched(product: Product) -> Iterator[None]:
    """Fail if, at the end, what is not ours has changed, or if anything of ours is left."""
    before = product.estate()
    yield
    product.compare(before, left=False, told="the service")


def restores(product: Product) -> list[str]:
    calls = product.world.aws.calls()
    return [
        c["parameters"]["DBInstanceIdentifier"]
        for c in calls
        if c["operation"] == "RestoreDBInstanceFromDBSnapshot" and c["status"] == 200
    ]


def begins_to_wait(service: Serving, run: str) -> dict[str, Any]:
    """Wait until a restore is under way: AWS has said so."""
    return service.hears("step.looked", run=run, step="restore: wait", status="creating")


# --- the schedule ----------------------------------------------------------------------------------------------------


def test_a_check_that_falls_due_runs_once_is_recorded_once_and_gives_nothing_away(ready: Product):
    run = falls_due(ready)
    with untouched(ready), ready.serving("--log-level", "debug") as service:
        assert report_of(ready, run).verdict is Verdict.PASSED
        assert service.hears("run-ended", run=run, verdict="passed", trigger="schedule")
        until(lambda: service.ask("/-/ready")[0] == 200)
        assert service.ask("/-/healthy") == (200, "ok\n")
        assert service.ask("/-/reload", "POST")[0] == 403
        assert service.end() == 0
        of_runs = [line for line in service.lines if "run" in line]
        assert {line["check"] for line in of_runs} == {"shop-db"}
        assert len([line for line in of_runs if line["event"] == "run.begun"]) == 1
        said = "\n".join(service.said)
    secrets = [EXTERNAL_ID, (ready.home / "state" / "service.key").read_text().strip(), "canary-"]
    secrets.append(ready.environment["AWS_SECRET_ACCESS_KEY"] + '"')
    assert [secret for secret in secrets if secret in said] == []
    assert re.search(r"[Pp]assword=(?!\*)", said) is None
    with ready.serving() as service:  # it was run: a service that begins anew does not run it again
        until(lambda: service.aspect("scheduler")["ok"])
        assert service.end(signal.SIGINT) == 0
        assert service.logged("run.due") == []
    assert [one.run_id for one in reports(ready)] == [run]
    assert missed(ready) == []
    assert len(set(restores(ready))) == 1


@pytest.mark.long
def test_what_was_missed_while_nobody_served_is_caught_up_or_not_and_recorded_either_way(ready: Product):
    at = (now() - timedelta(hours=3)).replace(second=0, microsecond=0)
    ready.check("up-db", schedule=daily(at), timezone="UTC", catch_up=True)
    ready.check("not-db", schedule=daily(at), timezone="UTC", catch_up=False)
    looked_at(ready, at - timedelta(days=2), "up-db", "not-db")
    with untouched(ready), ready.serving() as service:
        run = service.hears("run.due", check="up-db", trigger="catch-up")["run"]
        assert run == f"up-db-{at:%Y%m%dt%H%Mz}"
        assert report_of(ready, run).verdict is Verdict.PASSED
        service.hears("run-missed", check="not-db", reason="down")
        assert service.end() == 0
        assert service.logged("run.due", check="not-db") == []
    found = {(miss.check, (at - miss.scheduled_for).days): (miss.reason, miss.caught_up_by) for miss in missed(ready)}
    assert found == {("up-db", n): ("down", run) for n in range(3) if ("up-db", n) in found} | {
        ("not-db", n): ("down", None) for n in range(3) if ("not-db", n) in found
    }
    assert {check for check, _ in found} == {"up-db", "not-db"}
    history = ready.run("history")
    assert "nobody served; made up for by" in history.out
    assert history.out.count("missed") >= 4


# --- the end of a process, and the next ------------------------------------------------------------------------------


def finished_once(product: Product) -> None:
    """Fail if a step that was recorded ran again."""
    finished: set[str] = set()
    for line in (product.home / "witness").read_text().splitlines():
        event, _, step = line.partition(" ")
        assert event == "recorded" or step not in finished, f"{step} was finished and ran again"
        if event == "recorded":
            finished.add(step)
    assert {"restore", "restore: wait", "examine", "prove"} <= finished  # `record` may park: its process ends


@pytest.mark.long
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)])
def test_a_service_that_ends_in_the_middle_of_a_restore_loses_nothing(ready: Product, number: int, code: int):
    witness = str(ready.home / "witness")
    ready.world.aws.timings(create=LONG)
    run = falls_due(ready)
    with untouched(ready):
        with ready.serving(script=MORTAL, WITNESS=witness) as service:
            begins_to_wait(service, run)
            assert service.end(number) == code
        assert reports(ready) == []
        ready.world.aws.skip(LONG)
        with ready.serving(script=MORTAL, WITNESS=witness) as service:
            assert service.hears("run.taken-over", run=run)
            assert report_of(ready, run).verdict is Verdict.PASSED
            assert service.end() == 0
    finished_once(ready)
    assert [one.run_id for one in reports(ready)] == [run]
    assert len(set(restores(ready))) == 1


@pytest.mark.long
def test_a_second_signal_stops_at_once_and_nothing_is_lost_by_that_either(ready: Product):
    rows = "orders a, orders b, generate_series(1, 12) c(id)"
    sql = f"select count(a.customer || b.customer || c.id) from {rows}"
    run = falls_due(ready, asserts=[{"name": "slow", "sql": sql, "expect": {"at_least": 1}}])
    with untouched(ready):
        with ready.serving() as service:
            service.hears("step.started", run=run, step="examine")
            until(lambda: asking(ready, run))
            service.process.send_signal(signal.SIGTERM)
            assert service.hears("service.draining")["calls"] == 1
            assert service.aspect("process")["status"] == 503
            assert service.end(signal.SIGTERM) == 130  # had it waited for the question, it would be 0
        with ready.serving() as service:
            assert report_of(ready, run).failure is None
            assert service.end() == 0


def asking(product: Product, run: str) -> bool:
    """Say whether the server of a run's scratch instance is at work on a question."""
    directory = product.world.aws.instance_directory(SCRATCH, scratch_name(run))
    lines = (directory / "postmaster.pid").read_text().splitlines()
    sql = "select count(*) from pg_stat_activity where state = 'active' and query like 'FETCH %'"
    with psycopg.connect(host=lines[4], port=lines[3], user=SUPERUSER, dbname="shop") as connection:
        return connection.execute(sql).fetchone() != (0,)


@pytest.mark.long
def test_two_services_in_one_directory_are_one_too_many(product: Product):
    with product.serving() as service:
        until(lambda: service.ask("/-/ready")[0] == 200)
        second = product.run("serve", "--listen", "127.0.0.1:0")
        assert second.code == 2
        assert "another `restorecheck serve` uses" in second.err
        taken = product.run("serve", "--listen", service.hears("service.started")["listen"].removeprefix("http://"))
        assert taken.code == 2
        assert service.end() == 0
    assert product.run("serve", "--log-format", "xml").code == 2


# --- the configuration ------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_reload_takes_a_good_file_and_leaves_a_wrong_one(product: Product):
    product.service["reload"] = True
    path = product.configure()
    with product.serving() as service:
        until(lambda: service.ask("/-/ready")[0] == 200)
        good = path.read_text()
        path.write_text(good + "\nnonsense = 1\n")
        service.process.send_signal(signal.SIGHUP)
        assert "nonsense" in service.hears("configuration.refused")["why"]
        aspect = until(lambda: None if (a := service.aspect("configuration"))["ok"] else a)
        assert (aspect["status"], aspect["blocks"]) == (200, False)
        assert "nonsense" in aspect["text"]
        status, body = service.ask("/-/reload", "POST")
        assert (status, "nonsense" in body) == (500, True)
        path.write_text('state = "elsewhere"\n' + good)
        status, body = service.ask("/-/reload", "POST")
        assert (status, "cannot be changed while serving" in body) == (500, True)
        assert not (product.home / "elsewhere").exists()
        path.write_text(good)
        product.check("second-db")
        assert service.ask("/-/reload", "POST") == (200, "loaded 2 checks\n")
        assert service.aspect("configuration")["text"].startswith("2 checks")
        at = now() + timedelta(hours=12)
        product.check("third-db", schedule=daily(at), timezone="UTC")
        service.process.send_signal(signal.SIGHUP)
        service.hears("configuration.loaded", checks=3)
        with product.store() as store:
            until(lambda: "third-db" in store.ledger.considered())
        assert service.end() == 0


@pytest.mark.long
def test_a_run_whose_check_and_accounts_leave_the_file_ends_as_if_they_were_there(ready: Product):
    """First they leave while it goes on, then it is taken up by a process that never knew them."""
    ready.world.aws.timings(create=LONG)
    run = falls_due(ready)
    path = ready.home / "config.toml"
    with untouched(ready):
        with ready.serving() as service:
            begins_to_wait(service, run)
            text = path.read_text().replace(SOURCE, "444444444444").replace(SCRATCH, "555555555555")
            path.write_text(text)
            (ready.home / "checks" / "shop-db.toml").unlink()
            ready.check("other-db")
            service.process.send_signal(signal.SIGHUP)
            service.hears("configuration.loaded")
            ready.world.aws.skip(LONG)
            service.hears("step.finished", run=run, step="restore: wait")
            assert service.end(signal.SIGKILL) == -signal.SIGKILL
        with ready.serving() as service:
            assert report_of(ready, run).verdict is Verdict.PASSED
            assert service.end() == 0


@pytest.mark.long
def test_a_run_past_its_deadline_is_torn_down_and_unproven(ready: Product):
    ready.limits |= {"run": "12s", "copy": "9s", "restore": "12s", "open": "9s", "examine": "9s"}
    ready.configure()
    ready.world.aws.timings(create=LONG)
    present = {"name": "present", "sql": "select count(*) from orders", "expect": {"at_least": 1}, "timeout": "1s"}
    run = falls_due(ready, asserts=[present])
    with untouched(ready), ready.serving() as service:
        report = report_of(ready, run)
        assert service.end() == 0
    assert (report.verdict, report.failure.kind) == (Verdict.UNPROVEN, "deadline")
    assert "drop instance" in [phase.name for phase in report.phases]


# --- weather ---------------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_aws_that_does_not_answer_for_a_while_costs_no_verdict(ready: Product):
    ready.world.aws.timings(create=LONG)
    run = falls_due(ready)
    with untouched(ready), ready.serving() as service:
        begins_to_wait(service, run)
        ready.world.aws.outage(on=True)
        aspect = until(lambda: service.aspect("aws") or None)
        assert (aspect["status"], aspect["ok"], aspect["blocks"]) == (200, False, False)
        assert SCRATCH in aspect["text"]
        assert reports(ready) == []
        ready.world.aws.outage(on=False)
        ready.world.aws.skip(LONG)
        assert report_of(ready, run).verdict is Verdict.PASSED
        until(lambda: service.aspect("aws") == {})
        assert service.end() == 0


@pytest.mark.long
def test_a_full_disk_is_said_loses_no_verdict_and_heals_by_itself(ready: Product):
    """No file of the process may grow any more: for SQLite the same as a disk without room."""
    ready.world.aws.timings(create=LONG)
    run = falls_due(ready)
    with untouched(ready), ready.serving() as service:
        begins_to_wait(service, run)
        pid, room = service.process.pid, resource.RLIM_INFINITY
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, room))
        aspect = until(lambda: None if (a := service.aspect("store"))["ok"] else a)
        assert aspect["status"] == 503
        assert re.search(r": .+, since \d\d:\d\d:\d\d UTC$", aspect["text"])
        until(lambda: any(line["why"] in aspect["text"] for line in service.logged("store.trouble")))
        ready.world.aws.skip(LONG)
        # What the run waits for is there, and cannot be recorded.
        instance_in(ready.world.scratch_rds, scratch_name(run))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (room, room))
        service.hears("store.reached")
        assert report_of(ready, run).verdict is Verdict.PASSED
        until(lambda: service.ask("/-/ready")[0] == 200)
        assert service.end() == 0
    assert [one.run_id for one in reports(ready)] == [run]


@pytest.mark.long
def test_who_stops_while_the_disk_is_full_ends_all_the_same(ready: Product):
    ready.world.aws.timings(create=LONG)
    run = falls_due(ready)
    with untouched(ready):
        with ready.serving() as service:
            begins_to_wait(service, run)
            resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
            until(lambda: service.aspect("store")["status"] == 503)
            assert service.end(at_most=60) == 0
        ready.world.aws.skip(LONG)
        with ready.serving() as service:
            assert report_of(ready, run).verdict is Verdict.PASSED
            assert service.end() == 0


@pytest.mark.long
def test_the_log_is_json_and_every_line_of_a_run_says_whose_it_is(product: Product):
    run = falls_due(product)  # there is no backup: broken, and quickly so
    with product.serving("--log-format", "json") as service:
        assert report_of(product, run).failure.kind == "no-recovery-point"
        assert service.end() == 0
        steps = [line for line in service.lines if line["event"].startswith("step.")]
    assert steps
    assert {(line["check"], line["run"]) for line in steps} == {("shop-db", run)}
    assert all(json.dumps(line) and line["timestamp"].endswith("Z") for line in steps)
    assert os.path.exists(product.home / "state" / "restorecheck.sqlite")


# --- replicas --------------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_replica_that_stands_still_is_taken_over_and_begins_anew_when_it_moves_again(ready: Product):
    with server(embedded()) as database:
        ready.top |= {"state": postgres_place(database).url, "service_key": "the.key"}
        ready.service |= {"heartbeat": "1s", "takeover": "6s"}
        ready.limits["restore"] = "10m"
        (ready.home / "the.key").write_text("5e" * 32 + "\n")
        (ready.home / "the.key").chmod(0o600)
        ready.configure()
        ready.world.aws.timings(create=LONG)
        run = falls_due(ready)
        with untouched(ready), ready.serving() as one, ready.serving() as other:
            begun = until(lambda: [s for s in (one, other) if s.logged("run.begun", run=run)], 60)
            [first] = begun
            second = other if first is one else one
            second.hears("replica.joined")
            begins_to_wait(first, run)
            first.process.send_signal(signal.SIGSTOP)
            assert second.hears("run.taken-over", run=run)["replica"] == first.logged("replica.joined")[0]["replica"]
            first.process.send_signal(signal.SIGCONT)
            first.hears("replica.lost")
            ready.world.aws.skip(LONG)
            until(lambda: len(first.logged("replica.joined")) == 2, 60)
            assert report_of(ready, run).verdict is Verdict.PASSED
            assert {s.end() for s in (one, other)} == {0}
            said = "\n".join([*one.said, *other.said])
            assert PASSWORD not in said
            assert "5e" * 32 not in said
        assert [report.run_id for report in reports(ready)] == [run]
        assert len(one.logged("run.begun") + other.logged("run.begun")) == 1
        assert len(set(restores(ready))) == 1
