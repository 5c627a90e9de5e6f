"""The workflow on Lambda: killed and suspended at every step, and the limits of an invocation end it by name."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python_testing import DurableFunctionTestRunner
from journal import Edge, Journal, JournalDurable, Killed, SkipClock
from local_lambda import Kill, Lived, closing, lived
from objects_lab import Lab
from workflow.scripted import BUILT, NOW, POINT, RUN, Cloud, ScriptedPorts, check, verify
from workflow.test_crash_matrix import TROUBLES, Witness, cloud, outcome
from workflow.test_objects_crashes import KEYS, LabPorts, proof
from workflow.test_objects_crashes import STEPS as OBJECT_STEPS
from workflow.test_objects_crashes import lived as lived_through

from restorecheck import verify as workflow
from restorecheck.durable import Durable, Look, Wait, decode
from restorecheck.engines.aws_lambda import LIVES, driven, execute
from restorecheck.engines.clock import WallClock
from restorecheck.engines.invocation import Invocation
from restorecheck.engines.rounds import LAST, UNSEEN, Rounds
from restorecheck.errors import StepFailedError
from restorecheck.model import Answer, Answers, Cell, Limits, Plan, Report, Verdict
from restorecheck.model.invocations import LARGEST, OPERATIONS, RESERVE
from restorecheck.sources.interface import Stage

FAR = NOW + timedelta(days=1)
STEPS = 5 + 4 * len(BUILT)
EDGES: tuple[Edge, ...] = ("before", "unrecorded", "after")


def on_lambda(world: Cloud, **more: Any) -> Lived:
    return lived(RUN, lambda durable: workflow.verify(durable, ScriptedPorts(world)), SkipClock(NOW), **more)


def report_of(ended: Lived) -> Report:
    assert ended.report is not None, ended.error
    return decode(ended.report, Report)


def undisturbed(trouble: str) -> tuple[Cloud, Report, int]:
    world, journal = cloud(trouble), Journal()
    report = verify(JournalDurable(RUN, journal, SkipClock(NOW)), ScriptedPorts(world))
    return world, report, len(journal.records)


# --- killed and suspended at every step -------------------------------------------------------------------------------


def test_every_wait_ends_its_invocation_and_the_report_is_that_of_a_run_in_one_go() -> None:
    world, expected, steps = undisturbed("nothing")
    ended = on_lambda(mine := cloud("nothing"))
    report = report_of(ended)
    assert len(ended.operations) == steps == STEPS
    assert ended.invocations == 1 + 2 * len(BUILT)
    assert outcome(report) == outcome(expected)
    assert [p.name for p in report.phases] == [p.name for p in expected.phases]
    assert [round(p.seconds) for p in report.phases] == [round(p.seconds) for p in expected.phases]
    assert replace(report, phases=(), ended=NOW, restore_seconds=0, findings=()) == replace(
        expected, phases=(), ended=NOW, restore_seconds=0, findings=()
    )
    assert (mine.made, mine.pieces) == (world.made, {})


def killed(trouble: str, place: int, edge: Edge, expected: tuple[object, ...], undisturbed: Cloud) -> None:
    world, witness = cloud(trouble), Witness()
    ended = on_lambda(world, listener=witness, kill=Kill(place, edge))
    where = f"{trouble}, {edge} operation {place}, {ended.operations}"
    report = report_of(ended)
    assert outcome(report) == expected, where
    assert world.pieces == undisturbed.pieces, where
    assert sorted(world.made) == sorted(undisturbed.made), where
    assert witness.again == [], where
    assert world.reports == {RUN: report}, where
    assert world.foreign == {"production": "untouched"}


@pytest.mark.parametrize(
    ("place", "edge"),
    [(0, "unrecorded"), (4, "before"), (5, "unrecorded"), (10, "unrecorded"), (12, "after"), (STEPS - 1, "unrecorded")],
)
def test_killed_at_a_step_it_ends_as_if_nothing_had_happened(place: int, edge: Edge) -> None:
    world, report, _ = undisturbed("nothing")
    killed("nothing", place, edge, outcome(report), world)


@pytest.mark.long
@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("trouble", TROUBLES)
def test_killed_at_every_step(trouble: str, edge: Edge) -> None:
    world, report, steps = undisturbed(trouble)
    for place in range(steps):
        killed(trouble, place, edge, outcome(report), world)


class Stingy:
    """Invocations that find too little time left, whatever they want to begin, and those after them that do not."""

    def __init__(self) -> None:
        self.invocations = 0

    def __call__(self) -> Callable[[], float]:
        self.invocations += 1
        asked = [0]

        def remaining() -> float:
            asked[0] += 1
            return 900.0 if asked[0] == 1 else 30.0

        return remaining


@pytest.mark.parametrize(
    "trouble", ["nothing", *(pytest.param(t, marks=pytest.mark.long) for t in TROUBLES if t != "nothing")]
)
def test_suspended_before_every_step(trouble: str) -> None:
    """Every step, and every look, finds that it had better begin in another invocation."""
    world, expected, steps = undisturbed(trouble)
    ended = on_lambda(mine := cloud(trouble), remaining=Stingy())
    report = report_of(ended)
    assert outcome(report) == outcome(expected)
    assert (mine.pieces, sorted(mine.made)) == (world.pieces, sorted(world.made))
    assert ended.invocations > steps
    assert {json.loads(text)["operations"] for text in ended.payloads if "envelope" not in text} == {2}
    assert mine.reports == {RUN: report}


def test_a_step_that_kills_every_invocation_ends_by_name_and_the_run_tears_down() -> None:
    """Memory that is never enough: AWS would begin the step again for ever."""
    world = Cloud()
    kill = Kill(2 + 2 * len(BUILT), "before", times=99)
    report = report_of(on_lambda(world, kill=kill))
    assert 99 - kill.times == LIVES
    assert report.verdict is Verdict.UNPROVEN
    assert report.failure is not None
    assert (report.failure.kind, report.failure.phase) == ("deadline", "examine")
    assert "invocations died" in report.failure.message
    assert "container" in report.failure.hint
    assert (world.pieces, report.leaked) == ({}, ())


# --- objects, on a machine that is new in every invocation ------------------------------------------------------------


def objects_on_lambda(lab: Lab, **more: Any) -> Lived:
    """Every invocation has a source of its own, which remembers nothing."""
    return lived(RUN, lambda durable: workflow.verify(durable, LabPorts(lab)), SkipClock(NOW), **more)  # type: ignore[arg-type]


def test_objects_are_restored_compared_and_removed_on_machines_that_remember_nothing() -> None:
    lab = Lab(keys=KEYS, slice=0.0)
    ended = objects_on_lambda(lab)
    assert proof(report_of(ended)) == proof(lived_through(Lab(keys=KEYS)))
    assert ended.operations == OBJECT_STEPS
    assert lab.scratch.keys == {}


@pytest.mark.long
@pytest.mark.parametrize("edge", EDGES)
def test_objects_killed_at_every_step(edge: Edge) -> None:
    expected = proof(lived_through(Lab(keys=KEYS)))
    for place in range(len(OBJECT_STEPS)):
        lab = Lab(keys=KEYS)
        assert proof(report_of(objects_on_lambda(lab, kill=Kill(place, edge)))) == expected, OBJECT_STEPS[place]
        assert max(Counter(lab.s3.copied).values()) == 1
        assert lab.scratch.keys == {}


# --- the time of an invocation ----------------------------------------------------------------------------------------


class Slow(ScriptedPorts):
    """A source whose examination, or one of whose looks, is never done."""

    def __init__(self, world: Cloud, slow: str) -> None:
        super().__init__(world)
        self.slow, self.go = slow, threading.Event()

    def source(self, plan: Any) -> Any:
        found = super().source(plan)
        if self.slow == "examine":
            found.examine = lambda _: self.go.wait(60)
        else:
            plain = found.stages
            found.stages = lambda point: [self._slowed(stage) for stage in plain(point)]
        return found

    def _slowed(self, stage: Stage) -> Stage:
        def look() -> Look:
            self.go.wait(60)
            return Look(done=True, status="at last")

        return replace(stage, look=look) if stage.name == self.slow else stage


def ends_while(slow: str, kill: Kill | None = None) -> tuple[Lived, Cloud]:
    """Run a check whose step never ends, in invocations that come to their ends at once when it has begun."""
    world = Cloud()
    ports = Slow(world, slow)
    begun: list[str] = []

    class Begun(Witness):
        def started(self, run_id: str, step: str) -> None:
            begun.append(step)

    def remaining() -> Callable[[], float]:
        asked = [0]

        def left() -> float:
            asked[0] += 1
            return 5.0 if asked[0] > 1 and begun and begun[-1] in {"examine", f"{slow}: wait"} else 900.0

        return left

    try:
        body = lambda durable: workflow.verify(durable, ports)  # noqa: E731
        return lived(RUN, body, SkipClock(NOW), Begun(), remaining=remaining, kill=kill), world
    finally:
        ports.go.set()


def test_an_examination_that_would_outlive_its_invocation_ends_by_name() -> None:
    ended, world = ends_while("examine")
    report = report_of(ended)
    assert (report.verdict, report.failure and report.failure.kind) == (Verdict.UNPROVEN, "deadline")
    assert report.failure is not None
    assert "15 minutes" in report.failure.message
    assert "container" in report.failure.hint
    assert ended.deaths == []  # it only reads
    assert (world.pieces, report.leaked) == ({}, ())


def test_a_look_that_would_outlive_its_invocation_ends_its_process_first_and_then_the_wait() -> None:
    """It may still write: no thread of it must be there when the teardown begins."""
    ended, world = ends_while("restore")
    report = report_of(ended)
    assert (report.verdict, report.failure and report.failure.kind) == (Verdict.UNPROVEN, "deadline")
    assert report.failure is not None
    assert "one look took longer" in report.failure.message
    assert ended.deaths == ["the process ended itself"]
    assert report.failure.phase == "restore"
    assert (world.pieces, report.leaked) == ({}, ())


def test_a_look_that_overran_ends_its_process_also_when_that_could_not_be_recorded() -> None:
    """Else its thread would go on beside the next invocation, which looks again."""
    ended, world = ends_while("restore", Kill(7, "unrecorded"))
    assert ended.operations[7] == "restore: wait"
    assert ended.deaths == ["the process ended itself"] * 2
    report = report_of(ended)
    assert (report.verdict, report.failure and report.failure.kind) == (Verdict.UNPROVEN, "deadline")
    assert (world.pieces, report.leaked) == ({}, ())


@pytest.mark.parametrize("by", [FAR, None])
@pytest.mark.parametrize("first", [1, 2])
def test_a_look_that_kills_every_invocation_ends_by_name_once_its_time_is_up(by: Any, first: int) -> None:
    """AWS would begin it again without end, and an execution that it ends tears nothing down."""
    clock, looks = SkipClock(NOW), [0]

    def probe() -> Look:
        looks[0] += 1
        if looks[0] >= first:
            clock.skip(600)  # for so long every one of them lives
            raise Killed("out of memory")
        return Look(done=False, status="creating")

    ended = lived(RUN, waiting(probe, timedelta(minutes=30), by=by), clock)
    assert text(ended).startswith(
        "deadline: the time allowed for this ran out, and for 1:00:00 no look came to its end"
    )
    assert len(ended.deaths) == looks[0] - (first - 1)
    assert timedelta(hours=1.5) < clock.time - NOW < timedelta(hours=2)


@pytest.mark.parametrize(("after", "looked"), [(LAST, 1), (LAST + timedelta(seconds=1), 0)])
@pytest.mark.parametrize("kept", [True, False])
def test_the_last_look_is_tried_for_so_long_whether_the_state_outlived_the_deaths_in_it_or_not(
    after: timedelta, looked: int, kept: bool
) -> None:
    clock, looks = SkipClock(NOW), [0]

    def probe() -> Look:
        looks[0] += 1
        return Look(done=True, status="done")

    wait = Wait(timedelta(seconds=30), timedelta(minutes=5), NOW + timedelta(minutes=5))
    rounds = Rounds(wait, Invocation(lambda: 900.0), clock, False, 1, *[lambda *_: None] * 3)
    state: Any = {**UNSEEN, "began": NOW.isoformat(), "last": wait.deadline.isoformat()} if kept else UNSEEN
    clock.set_forward(wait.deadline + after - NOW - timedelta(seconds=0.001))
    envelope = rounds.round(state, 9, probe)["envelope"]
    assert (looks[0], "failed" in envelope, envelope["operations"]) == (looked, not looked, 10)
    assert rounds.round(UNSEEN, 1, probe)["envelope"] is None  # which nobody has tried yet


@pytest.mark.parametrize("deaths", [1, 3])
def test_a_last_look_that_died_is_taken_again(deaths: int) -> None:
    clock, looks = SkipClock(NOW), [0]

    def probe() -> Look:
        looks[0] += 1
        if looks[0] > 1 and looks[0] <= 1 + deaths:
            clock.skip(900)
            raise Killed("the time of this invocation was up")
        return Look(looks[0] > 1, "creating")

    ended = lived(RUN, waiting(probe, timedelta(seconds=30), by=None), clock)
    assert text(ended) == "done"
    assert looks == [2 + deaths]


def test_a_machine_whose_clock_is_behind_makes_no_wait_that_took_less_than_no_time() -> None:
    clock, looks = SkipClock(NOW), [0]

    def probe() -> Look:
        looks[0] += 1
        if looks[0] == 1:
            clock.set_forward(timedelta(minutes=-5))
        return Look(looks[0] == 2, "creating")

    ended = lived(RUN, waiting(probe), clock)
    [envelope] = [json.loads(p)["envelope"] for p in ended.payloads if "envelope" in p]
    assert envelope["ended"] == envelope["started"]


def test_a_wait_that_works_goes_on_in_one_invocation_for_as_long_as_that_lasts() -> None:
    clock, looks = SkipClock(NOW), [0]

    def work() -> Look:
        clock.skip(60)
        looks[0] += 1
        return Look(looks[0] == 30, f"{looks[0]} of 30", again=True)

    ended = lived(RUN, waiting(work), clock)
    assert ended.report is not None, ended.error
    assert looks == [30]
    assert ended.invocations == 3  # of fifteen minutes each, of which three are kept


@pytest.mark.parametrize(
    ("there", "said"), [(3, "done"), (4, "deadline: the time allowed for this ran out; last seen")]
)
def test_a_restart_does_not_give_a_wait_more_time_and_one_last_look_is_taken(there: int, said: str) -> None:
    """The function was away for two hours after the second look."""
    clock, looks = SkipClock(NOW), [0]

    def probe() -> Look:
        looks[0] += 1
        if looks[0] == 2:
            clock.set_forward(timedelta(hours=2))
        return Look(looks[0] == there, "creating")

    assert text(lived(RUN, waiting(probe, timedelta(hours=1)), clock)).startswith(said)
    assert looks == [3]


def waiting(
    probe: Callable[[], Look], at_most: timedelta = timedelta(hours=20), *, by: Any = FAR, every: float = 30
) -> Callable[[Durable], Any]:
    async def body(durable: Durable) -> Report:
        await durable.step("begin", lambda: None, of=type(None))
        said = "done"
        try:
            await durable.until("wait", probe, timedelta(seconds=every), at_most, by=by)
        except StepFailedError as e:
            said = f"{e.kind}: {e.message}"
        return Report(durable.run_id, "orders-db", Verdict.UNPROVEN, NOW, NOW, notes=(said,))

    return body


def text(ended: Lived) -> str:
    return report_of(ended).notes[0]


# --- what AWS allows --------------------------------------------------------------------------------------------------


def test_answers_that_no_record_holds_end_by_name_and_the_run_tears_down() -> None:
    world = Cloud()
    ports = ScriptedPorts(world)
    plain = ports.source

    def source(plan: Any) -> Any:
        found = plain(plan)
        cells = tuple(Cell("text", "x" * 1000) for _ in range(300))
        found.examine = lambda _: Answers((Answer("present", rows=1, columns=300, cells=cells),), asked_at=NOW)
        return found

    ports.source = source  # type: ignore[method-assign]
    ended = lived(RUN, lambda durable: workflow.verify(durable, ports), SkipClock(NOW))
    report = report_of(ended)
    assert report.failure is not None
    assert (report.failure.kind, report.failure.phase) == ("limit", "examine")
    assert f"{LARGEST:,}" in report.failure.message
    assert max(map(len, ended.payloads)) <= LARGEST
    assert (world.pieces, report.leaked) == ({}, ())


@pytest.mark.long
def test_a_wait_that_would_use_up_the_operations_of_its_run_ends_by_name() -> None:
    ended = lived(RUN, waiting(lambda: Look(done=False, status="creating"), every=1), SkipClock(NOW), at_most=170)
    assert text(ended).startswith("deadline: after 2,6")
    assert OPERATIONS - RESERVE <= ended.attempts + len(ended.operations) <= OPERATIONS - RESERVE + 2


@pytest.mark.long
def test_a_teardown_that_lasts_too_long_is_looked_at_more_rarely_instead_of_being_given_up() -> None:
    looks = [0]

    def probe() -> Look:
        looks[0] += 1
        return Look(looks[0] == 2760, "deleting")

    ended = lived(RUN, waiting(probe, by=None, every=1), SkipClock(NOW), at_most=170)
    assert text(ended) == "done"
    [phase] = [json.loads(p)["envelope"] for p in ended.payloads if "envelope" in p]
    assert looks == [2760]
    assert phase["operations"] < OPERATIONS


def test_records_of_a_whole_run_are_small() -> None:
    assert max(map(len, on_lambda(Cloud()).payloads)) < 10_000


# --- the engine -------------------------------------------------------------------------------------------------------


def test_a_workflow_that_awaits_outside_of_a_step_is_a_bug_that_is_named() -> None:
    class Elsewhere:
        def __await__(self) -> Any:
            yield "for the loop that is not there"

    async def body() -> None:
        await Elsewhere()

    with pytest.raises(AssertionError, match="outside of a step"):
        driven(body())


def test_what_began_again_in_another_invocation_is_told_as_begun_twice_and_finished_once() -> None:
    class Ears(Witness):
        def __init__(self) -> None:
            super().__init__()
            self.heard: Counter[str] = Counter()

        def finished(self, run_id: str, step: str, failed: str) -> None:
            self.heard[step] += 1

    ears = Ears()
    on_lambda(Cloud(), listener=ears, kill=Kill(2, "unrecorded"))
    assert ears.ran[BUILT[0]] == 2
    assert ears.ran["find"] == 1


def test_a_check_that_polls_more_often_than_once_a_second_polls_once_a_second() -> None:
    clock, looks = SkipClock(NOW), [0]

    def probe() -> Look:
        looks[0] += 1
        return Look(looks[0] == 4, "creating")

    assert text(lived(RUN, waiting(probe, every=0.2), clock)) == "done"
    assert 3 <= clock.monotonic() < 3.5


def test_limits_of_a_check_are_what_ends_its_waits_on_lambda_too() -> None:
    stuck = Cloud(at_most=timedelta(minutes=10))
    stuck.trip = lambda what: stuck.pieces.update(restore=9) if what == "look restore" else None  # type: ignore[method-assign]
    declared = check(limits=Limits(poll=timedelta(minutes=1)))
    ended = lived(RUN, lambda d: workflow.verify(d, ScriptedPorts(stuck, declared)), SkipClock(NOW))
    waited = next(p for p in report_of(ended).phases if p.name == "restore: wait")
    assert 599 < waited.seconds < 602
    assert stuck.pieces == {}


def test_a_handler_needs_nothing_but_the_context_that_the_sdk_gives_it() -> None:
    """As it is deployed: the wall clock, and what Lambda says of the time that is left."""
    began = datetime.now(UTC)
    world = Cloud(point=replace(POINT, created=began, newest=began))
    ports = ScriptedPorts(world, check(limits=Limits(poll=timedelta(seconds=1))))

    @durable_execution
    def handler(event: Any, context: Any) -> Any:
        return execute(context, RUN, lambda durable: workflow.verify(durable, ports), WallClock())

    ports.plan = lambda run_id: Plan(run_id, ports.declared, began)  # type: ignore[method-assign]
    with closing(DurableFunctionTestRunner(handler)) as runner:
        result = runner.run(input="{}", execution_name=RUN, execution_timeout=60)
    report = decode(json.loads(result.result or "null"), Report)
    assert (report.verdict, report.failure, world.pieces) == (Verdict.PASSED, None, {})


def test_a_process_that_must_not_live_on_ends_at_once() -> None:
    script = "import restorecheck.engines.aws_lambda as engine\ntry:\n engine._end_process()\nfinally:\n print('no')"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert (ran.returncode, ran.stdout) == (1, b"")
