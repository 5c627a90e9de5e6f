"""Several services over one PostgreSQL: each due check once, whatever becomes of a process, a clock, the database."""

import re
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest
from demo_world import LONG, SOURCE, World, until
from postgres_server import PASSWORD, SUPERUSER, Server, embedded, server
from product import Serving
from replicated import SERVICE, SWEEP, TAKEOVER, Replicated

from restorecheck.config import load
from restorecheck.engines.clock import WallClock
from restorecheck.engines.dbos import DbosEngine
from restorecheck.errors import StoreError
from restorecheck.logs import LogListener
from restorecheck.schedule import run_id
from restorecheck.state import same_key

NUMBERS = count(1)
SOON = 20.0
"""Seconds beside the takeover in which a busy machine has another replica at it."""
CONNECTIONS = 15
"""The most that docs/replicas.md promises of one replica."""


@pytest.fixture(scope="module")
def database() -> Iterator[Server]:
    with server(embedded(), {"max_connections": "150", "log_statement": "none"}) as running:
        yield running


@pytest.fixture
def product(shop: World, tmp_path: Path, database: Server) -> Replicated:
    name = f"restorecheck_{next(NUMBERS)}"
    with database.superuser() as connection:
        connection.execute(f"create database {name}".encode())
    made = Replicated(shop, tmp_path, server=database, name=name)
    made.configure()
    made.check()
    shop.aws.automated_snapshot(SOURCE, "shop")
    return made


def ready(replica: Serving) -> bool:
    """Say whether it answers that it is ready; one that begins anew does not answer for a moment."""
    try:
        return replica.ask("/-/ready")[0] == 200
    except OSError:
        return False


def unready_for(replica: Serving, why: str) -> bool:
    try:
        status, text = replica.ask("/-/ready")
    except OSError:
        return False
    return status == 503 and bool(re.search(why, text))


# --- each due check once ----------------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("number", [2, 3])
def test_each_due_check_runs_once_though_the_clocks_are_minutes_apart(product: Replicated, number: int):
    names = [f"shop-{n}" for n in range(number)]
    before, at = product.estate(), product.due(*names)
    with product.replicas(0):
        for off in ("60", "-60", "0")[:number]:
            product.another(OWN=off)
        reports = product.ended(number)
        assert {report.run_id for report in reports} == {run_id(name, at) for name in names}
        assert {report.verdict for report in reports} == {"passed"}
        product.assert_nothing_twice()
        with product.store() as store:
            assert store.ledger.missed() == []
        for replica in product.running:
            replica.hears("replica.joined")
        until(lambda: len(_moments(product, "sweep.done")) > 2)
        swept, born = len(_moments(product, "sweep.done")), min(_moments(product, "service.started"))
        most = (datetime.now(UTC) - born).total_seconds() / SWEEP + 1  # one after another, whoever does it
        assert swept <= most
        assert len(_moments(product, "store.pruned")) == 1
        held = product.asked("select count(*) from pg_stat_activity where application_name like 'restorecheck%'")
        assert held[0][0] <= CONNECTIONS * number
        assert [replica.end() for replica in product.running] == [0] * number
    product.compare(before, left=False, told=str(reports))
    said = "\n".join(line for replica in product.running for line in replica.said)
    assert PASSWORD not in said
    assert "run.begun" in said


def _moments(product: Replicated, event: str) -> list[datetime]:
    found = [line for replica in product.running for line in replica.logged(event)]
    return [datetime.fromisoformat(line["timestamp"]) for line in found]


# --- one that dies ----------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_one_killed_in_the_middle_of_a_step_is_taken_over(product: Replicated):
    before = product.estate()
    product.due("shop-db")
    product.hold("restore", "unrecorded")
    with product.replicas(2):
        dead = product.held()
        at = product.kill(dead)
        [report] = product.ended()
        assert report.verdict == "passed"
        assert _taken_up(product, "restore", at) < TAKEOVER + SOON
        product.assert_nothing_twice()
    product.compare(before, left=False, told=str(report))


@pytest.mark.long
def test_one_killed_in_the_middle_of_a_wait_is_taken_over(product: Replicated):
    before = product.estate()
    product.world.aws.timings(create=8)
    product.due("shop-db")
    with product.replicas(2):
        at = product.kill(product.at_work("restore: wait"))
        [report] = product.ended()
        assert report.verdict == "passed"
        assert _taken_up(product, "restore: wait", at) < TAKEOVER + SOON
        product.assert_nothing_twice()
    product.compare(before, left=False, told=str(report))


@pytest.mark.long
def test_one_that_is_told_to_stop_hands_over_at_once(product: Replicated):
    before = product.estate()
    takeover = 60
    product.serve_from(product.address, SERVICE.replace(f"{TAKEOVER:.0f}s", f"{takeover}s"))
    product.world.aws.timings(create=8)
    product.due("shop-db")
    with product.replicas(2):
        leaving = product.at_work("restore: wait")
        at = product.note("stopped", leaving)
        assert leaving.end() == 0
        [report] = product.ended()
        assert report.verdict == "passed"
        assert _taken_up(product, "restore: wait", at) < takeover  # it was not waited for
        product.assert_nothing_twice()
    product.compare(before, left=False, told=str(report))


def _taken_up(product: Replicated, step: str, since: float) -> float:
    """Return after how many seconds a step was begun again."""
    return (
        min(one.at for one in product.lines() if (one.event, one.step) == ("started", step) and one.at > since) - since
    )


# --- one that is frozen -----------------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("edge", ["before", "unrecorded"])
def test_one_that_was_frozen_does_nothing_of_a_run_that_was_taken_over(product: Replicated, edge: str):
    """It notices late on purpose: what keeps it from acting meanwhile must not be how fast it ends."""
    before = product.estate()
    product.due("shop-db")
    product.hold("restore", edge)
    with product.replicas(2, LATE_END="3"):
        frozen = product.held()
        life = next(line.life for line in product.lines() if line.event == "held")
        product.freeze(frozen)
        [report] = product.ended()
        assert report.verdict == "passed"
        product.go()
        at = product.thaw(frozen)
        pid = frozen.process.pid
        until(lambda: [one for one in product.lines() if one.event == "born" and one.pid == pid and one.life != life])
        late = [one for one in product.lines() if one.life == life and one.at > at]
        assert [one.event for one in late] == ["lost"], late
        until(lambda: ready(frozen))
        until(lambda: len(frozen.logged("replica.joined")) == 2)  # what it said is read a moment later
        product.assert_nothing_twice()
        assert len(product.ended()) == 1
    product.compare(before, left=False, told=str(report))


# --- the database is away ---------------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_database_that_is_away_for_longer_than_the_takeover_costs_time_and_nothing_else(
    product: Replicated, database: Server
):
    before = product.estate()
    product.world.aws.timings(create=6)
    product.due("shop-db")
    with product.replicas(2):
        product.at_work("restore: wait")
        database.stop()
        try:
            for replica in product.running:
                replica.hears("replica.lost")
            for replica in product.running:
                until(lambda replica=replica: unready_for(replica, r"store: .*refused"))
        finally:
            database.start()
        [report] = product.ended()
        assert report.verdict == "passed"
        product.assert_nothing_twice()
        for replica in product.running:
            until(lambda replica=replica: ready(replica))
            assert replica.process.poll() is None
            assert PASSWORD not in "\n".join(replica.said)
    product.compare(before, left=False, told=str(report))


@pytest.mark.long
def test_one_that_is_told_to_stop_while_the_database_is_away_does_not_begin_anew(product: Replicated, database: Server):
    product.world.aws.timings(create=20)
    product.due("shop-db")
    with product.replicas(1) as [replica]:
        product.at_work("restore: wait")
        database.stop()
        try:
            assert replica.end(signal.SIGTERM, 30) == 0
        finally:
            database.start()
        assert len(replica.logged("service.started")) == 1
    with product.replicas(1):
        assert product.ended()[0].verdict == "passed"


@pytest.mark.long
def test_a_database_that_is_not_there_yet_is_waited_for(product: Replicated, database: Server):
    database.stop()
    try:
        with product.replicas(0):
            replica = product.another()
            until(lambda: unready_for(replica, r"store: .*refused"))
            database.start()
            replica.hears("replica.joined")
            until(lambda: ready(replica))
            assert replica.end() == 0
            assert PASSWORD not in "\n".join(replica.said)
    finally:
        if database.process is None or database.process.poll() is not None:
            database.start()


@pytest.mark.long
def test_records_that_cannot_be_reached_are_a_matter_of_waiting_and_show_no_password(product: Replicated):
    async def nothing(durable: object) -> None:
        del durable

    address = re.sub(r":\d+/", ":1/", product.address)  # nobody listens there
    engine = DbosEngine(address, nothing, WallClock(), LogListener(), name="x-1", shown="postgresql://***@x/y")
    with pytest.raises(StoreError) as error:
        engine.start()
    assert error.value.retryable
    assert PASSWORD not in f"{error.value.message} {error.value.hint} {error.value.__cause__}"


# --- keys and passwords -----------------------------------------------------------------------------------------------


@pytest.mark.long
def test_another_service_key_and_a_missing_one_are_refused_by_name(product: Replicated):
    with product.store() as store:
        same_key(store, load(product.home / "config.toml").state)
    key = product.home / "service.key"
    key.write_text("66" * 32 + "\n")
    for command in (("serve", "--listen", "127.0.0.1:0"), ("run", "shop-db")):
        refused = product.command(*command)
        assert (refused.code, "is not the service key that this store was begun with" in refused.err) == (2, True)
        assert str(key) in refused.err
    key.unlink()
    refused = product.command("serve", "--listen", "127.0.0.1:0")
    assert (refused.code, "openssl rand -hex 32 > service.key" in refused.err) == (2, True)
    assert not key.exists()  # replicas that each make one up would not be replicas


@pytest.mark.long
def test_no_command_prints_the_password_whatever_is_wrong_with_the_database(product: Replicated):
    right = product.address
    wrong = {
        "wrong password": right.replace(PASSWORD, "se-cret%401"),
        "in the query": right.replace(f":{PASSWORD}@", "@") + "?password=se-cret%401",
        "no such database": right + "_not",
        "bad option": right + "?sslmode=bogus",
        "nobody there": re.sub(r":\d+/", ":1/", right),
    }
    begun = {}
    for number, (what, address) in enumerate(wrong.items()):
        product.serve_from(address)
        config = product.home / f"config-{number}.toml"
        (product.home / "config.toml").rename(config)
        begun[what] = product.popen("status", "--config", str(config))
        product.configure()
    ended = {what: (*process.communicate(timeout=60), process.returncode) for what, process in begun.items()}
    for what, (out, err, code) in ended.items():
        assert code in {2, 3}, what
        assert not re.search(rf"se-cret|{PASSWORD}|Traceback", out + err), f"{what}: {out}{err}"
        assert "the store postgresql://" in err, what


@pytest.mark.long
def test_the_password_may_stand_in_a_file_of_postgresql(product: Replicated):
    assert product.server
    file = product.home / "pgpass"
    file.write_text(f"127.0.0.1:{product.server.port}:*:{SUPERUSER}:{PASSWORD}\n")
    file.chmod(0o600)
    product.serve_from(product.address.replace(f":{PASSWORD}@", "@"), SERVICE)
    with product.replicas(0):
        replica = product.another(PGPASSFILE=str(file))
        replica.hears("replica.joined")
        assert replica.end() == 0


# --- commands ---------------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_commands_work_beside_replicas(product: Replicated):
    product.limits["restore"] = "1h"
    product.configure()
    before = product.estate()
    with product.replicas(2):
        detached = product.command("run", "shop-db", "--detach", "--json").json["runs"]
        [report] = product.ended()
        assert [report.run_id] == detached
        here = product.command("run", "shop-db", "--json")
        assert (here.code, here.report["verdict"]) == (0, "passed")
        history = product.command("history", "--json").json["reports"]
        assert {one["run_id"] for one in history} == {report.run_id, here.report["run_id"]}
        status = product.command("status", "--json").json["status"]
        assert {one["pid"] for one in status["replicas"]} == {one.process.pid for one in product.running}
        product.world.aws.timings(create=LONG)
        [run] = product.command("run", "shop-db", "--detach", "--json").json["runs"]
        until(lambda: [o for o in product.lines() if (o.event, o.run, o.step) == ("started", run, "restore: wait")])
        refused = product.command("run", "shop-db")
        assert refused.code == 2
        assert "is being run already" in refused.err
        assert product.command("cancel", run).code == 0
        cancelled = product.ended(3)[0]
        assert cancelled.failure
        assert (cancelled.run_id, cancelled.verdict, cancelled.failure.kind) == (run, "unproven", "cancelled")
    product.compare(before, left=False, told=str(history))
