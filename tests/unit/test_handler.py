"""The three functions as Lambda calls them: what they are told, what they raise, what is measured all the same."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from journal import SkipClock
from lambda_world import Call, FakeLambda, Town, configured
from store_places import AT, at_once, entry, notice, report, sqlite_place

from restorecheck.config import load
from restorecheck.engines.lambda_entry import again
from restorecheck.errors import RestorecheckError, StoreError
from restorecheck.fence import Role
from restorecheck.functions.house import House, _fits
from restorecheck.functions.keeping import InBucket, InDatabase
from restorecheck.functions.running import EVERY, Asked, run_of
from restorecheck.functions.sweeping import TimedGate, swept
from restorecheck.functions.told import Outcomes
from restorecheck.model import Verdict
from restorecheck.replica import ABANDONED, FUNCTIONS, TICKING, FunctionMembership, SharedMembership, living
from restorecheck.store import Delivery, Routed, Store
from restorecheck.store.bucket import ConflictError

RUN = "orders-db-20261121t0300z"


def house(home: Path, out: io.StringIO | None = None, **environment: str) -> House:
    clock = SkipClock(AT)
    return House(environment, home / "tmp", clock, starter=FakeLambda(clock.now), stream=out or io.StringIO())


def test_without_a_configuration_every_function_says_so_and_a_tick_measures_it(tmp_path: Path):
    out = io.StringIO()
    for call in (house(tmp_path, out).tick, house(tmp_path).sweep):
        with pytest.raises(RestorecheckError, match="RESTORECHECK_CONFIG is not set"):
            call(Call())
    [line] = out.getvalue().splitlines()
    assert json.loads(line)["ConfigurationLoaded"] == 0


@pytest.mark.parametrize("said", ["s3://", "s3://bucket", "s3://bucket/", "s3://bucket/../x/"])
def test_a_folder_of_no_bucket_is_refused(tmp_path: Path, said: str):
    with pytest.raises(RestorecheckError, match="names no folder of a bucket"):
        house(tmp_path, RESTORECHECK_CONFIG=said).tick(Call())


def test_what_cannot_work_on_lambda_is_refused_by_name(tmp_path: Path):
    path = configured(tmp_path)
    text = path.read_text()
    path.write_text(text.partition("\n")[2].replace('examine = "10m"', 'examine = "2h"'))
    with pytest.raises(RestorecheckError) as found:
        house(tmp_path, RESTORECHECK_CONFIG=str(path)).tick(Call())
    assert "state: is a directory" in found.value.message
    assert "orders-db: scratch.limits.examine: is 2h" in found.value.message
    assert "check-config --target lambda" in found.value.hint


def test_a_state_in_the_folder_of_the_configuration_is_refused(tmp_path: Path):
    config = load(configured(tmp_path))
    with pytest.raises(RestorecheckError, match="for the other"):
        _fits(config, ("restorecheck-state", "prod/", None))
    for folder in (None, ("restorecheck-state", "config/", None), ("another", "prod/", None)):
        _fits(config, folder)


def test_a_run_that_cannot_read_the_configuration_is_invoked_again_and_does_not_end(tmp_path: Path):
    with pytest.raises(type(again("")), match="RESTORECHECK_CONFIG"):
        house(tmp_path).run({"run": RUN}, None)


@pytest.mark.parametrize("event", [None, {}, {"run": 1}, {"run": "orders-db"}, [RUN]])
def test_an_event_that_names_no_run_is_refused(event: Any):
    with pytest.raises(RestorecheckError, match="names no run"):
        run_of(event)


def test_an_event_that_names_a_run_is_understood():
    assert run_of({"run": RUN}) == RUN


@pytest.mark.long
def test_the_module_that_lambda_imports_needs_none_of_what_only_the_service_uses():
    code = (
        "import sys, restorecheck.handler, restorecheck.functions.ticking, restorecheck.functions.running,"
        " restorecheck.functions.sweeping;"
        "print([m for m in ('dbos', 'typer', 'moto', 'restorecheck.cli', 'restorecheck.service')"
        " if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout.strip() == "[]"


# --- whether a run was cancelled -------------------------------------------------------------------------------------


def test_a_run_asks_whether_it_was_cancelled_now_and_then_and_believes_no_silence():
    clock, answers, asked = SkipClock(AT), [False, StoreError("down"), True], list[float]()

    def cancelled() -> bool:
        asked.append(clock.monotonic())
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    ask = Asked(cancelled, clock.monotonic)
    assert [ask(), ask()] == [False, False]
    clock.skip(EVERY)
    assert [ask(), ask()] == [False, False]
    clock.skip(EVERY)
    assert [ask(), ask(), len(asked)] == [True, True, 3]
    clock.skip(EVERY)
    assert ask()
    assert len(asked) == 3


# --- the state in a database -----------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return sqlite_place(tmp_path).open()


def test_in_a_database_a_report_is_kept_by_the_run_itself_and_a_cancel_is_read_from_the_ledger(store: Store):
    keeping = InDatabase(lambda: store)
    assert keeping.open() is keeping.open() is store
    assert keeping.kept(RUN) is None
    one = entry()
    store.ledger.add(one)
    assert not keeping.cancelled(one.run_id)
    store.ledger.cancel(one.run_id)
    assert keeping.cancelled(one.run_id)
    made = report()
    assert keeping.settle(made) == made
    keeping.keep(made)
    assert keeping.kept(made.run_id) == made
    assert keeping.settle(report(verdict=Verdict.UNPROVEN)) == made
    keeping.close()


def test_a_database_is_opened_once_whoever_asks_and_closed_at_the_end(tmp_path: Path):
    opened = list[Store]()
    place = sqlite_place(tmp_path)

    def anew() -> Store:
        opened.append(place.open())
        return opened[-1]

    keeping = InDatabase(anew)
    at_once(*(lambda: keeping.kept(RUN) for _ in range(4)))
    assert len(opened) == 1
    keeping.cancel(RUN)
    keeping.commit()
    keeping.close()
    assert keeping.known(load(configured(tmp_path / "c")).checks[0], AT) == ()
    assert len(opened) == 2
    keeping.close()
    place.close()


def test_a_database_that_cannot_be_read_says_nothing_of_a_run(store: Store):
    class Down:
        def run(self, run_id: str) -> None:
            raise StoreError("down")

    keeping = InDatabase(lambda: SimpleNamespace(proofs=Down()))  # type: ignore[arg-type, return-value]
    with pytest.raises(StoreError):
        keeping.kept(RUN)


# --- what was sent beside a copy that did not count ------------------------------------------------------------------


def test_what_was_heard_of_notices_is_noted_in_another_copy_and_nothing_else(store: Store):
    notices = [notice(check=name) for name in ("a-db", "b-db", "c-db", "d-db")]
    store.notices.route(lambda *_: Routed(deliveries=tuple(Delivery("hook", one) for one in notices)))
    outcomes = Outcomes()
    ids = sent, failed, dead, unsent = [one.id for one in notices]
    outcomes.hear("notice.sent", receiver="hook", notice=sent, acknowledged=True)
    outcomes.hear("notice.failed", receiver="hook", notice=failed, reason="http", why="503", again_in=60.0)
    outcomes.hear("notice.dead", receiver="hook", notice=dead, reason="http", why="410", hint="")
    outcomes.hear("notice.sent", receiver="hook", notice="of another copy", acknowledged=True)
    outcomes.hear("notices.not-kept", receiver="hook", why="")
    outcomes.note(store, "me")
    fates = {one.notice_id: (one.arrived, one.ended, one.reason) for one in store.notices.fates(ids)}
    assert fates == {
        sent: (True, True, ""),
        failed: (False, False, "http"),
        dead: (False, True, "http"),
        unsent: (False, False, ""),
    }


# --- a sweep that has only so much time ------------------------------------------------------------------------------


class Gate:
    def permit(self, **place: Any) -> Any:
        return place

    def hand(self, *where: Any) -> Any:
        return where


def test_a_sweep_is_let_in_until_its_time_is_up():
    left = [10.0]
    gate = TimedGate(Gate(), lambda: left[0])  # type: ignore[arg-type]
    where = {"source_account": "1", "scratch_account": "2", "region": "eu-1", "began": AT, "expires": AT}
    assert gate.permit(**where) == {**where, "bucket": ""}  # type: ignore[arg-type, comparison-overlap]
    assert gate.hand(Role.SCRATCH, "222222222222", "eu-central-1")
    left[0] = 0.0
    with pytest.raises(RestorecheckError) as found:
        gate.hand(Role.SCRATCH, "222222222222", "eu-central-1")
    assert found.value.kind == "deadline"


class Closed(Gate):
    """Lets nobody in."""

    def permit(self, *place: Any, **more: Any) -> Any:
        raise RestorecheckError("nobody is let in", kind="permission")

    hand = permit


def test_what_a_sweep_came_to_is_kept_also_if_somebody_else_changes_the_state_meanwhile(tmp_path: Path):
    town = Town(tmp_path)

    def meanwhile(operation: str, key: str) -> None:
        if (operation, key) == ("put", "store.sqlite.gz"):
            town.bucket.before = lambda operation, key: None
            town.tick()

    town.bucket.before = meanwhile
    keeping = InBucket(town.state(), lambda store: None, town.tell)
    found = swept(town.config, Closed(), keeping, clock=town.clock, left=lambda: 900.0, tell=town.tell)  # type: ignore[arg-type]
    keeping.close()
    assert len(found.blind) > 1
    assert len(town.events("tick.again")) == 1
    note = town.read(lambda store: store.notes.get("sweep"))
    assert note["summary"] == found.summary
    assert town.read(lambda store: store.notes.get("lambda-tick")) is not None


def test_what_a_sweep_came_to_and_cannot_be_kept_is_an_error(tmp_path: Path):
    class Contested:
        commits = 0

        def open(self) -> Store:
            return self.store

        def commit(self) -> None:
            self.commits += 1
            raise ConflictError("another was quicker", "")

    place, town, keeping = sqlite_place(tmp_path), Town(tmp_path / "town"), Contested()
    keeping.store = place.open()  # type: ignore[attr-defined]
    with pytest.raises(StoreError, match="each time that this sweep was to be written"):
        swept(town.config, Closed(), keeping, clock=town.clock, left=lambda: 900.0, tell=town.tell)  # type: ignore[arg-type]
    assert (keeping.commits, len(town.events("tick.again"))) == (5, 5)
    place.close()


# --- functions among replicas ----------------------------------------------------------------------------------------


def later(place: Any, seconds: float) -> None:
    place.sql(f"UPDATE replicas SET beat = beat - {seconds}")


def test_nobody_takes_the_runs_of_functions_while_an_execution_may_go_on(tmp_path: Path):
    place = sqlite_place(tmp_path)
    store = place.open()
    functions = FunctionMembership(store.replicas, timedelta(minutes=1))
    functions.join("serve")
    service = SharedMembership(
        store.replicas, heartbeat=timedelta(seconds=5), takeover=timedelta(minutes=1), lost=lambda why: None
    )
    later(place, ABANDONED.total_seconds() - 60)
    assert service.dead() == []
    assert [one.id for one in living(store.replicas.all(), None, timedelta(minutes=1))] == []
    later(place, 120)
    assert service.dead() == [FUNCTIONS]
    assert not functions.lapsed()
    place.close()


def test_functions_live_from_tick_to_tick_and_bury_processes_that_are_dead(tmp_path: Path):
    place = sqlite_place(tmp_path)
    store = place.open()
    store.replicas.join("host-1-abcdef01", "serve", "host", 1, "0")
    functions = FunctionMembership(store.replicas, timedelta(minutes=1))
    functions.join("serve")
    later(place, TICKING.total_seconds() - 1)
    assert [one.id for one in living(store.replicas.all(), None, timedelta(minutes=1))] == [FUNCTIONS]
    functions.join("serve")
    assert functions.dead() == ["host-1-abcdef01"]
    functions.leave()
    assert [one.id for one in store.replicas.all()] == [FUNCTIONS]
    place.close()
