"""The crew of MySQL's probes against sessions that fail as told: who is accused, who is asked again, when it ends."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, repeat
from typing import Any

import pymysql
import pytest

from restorecheck.databases.crew import Done
from restorecheck.databases.mysql_probes import crew, looks
from restorecheck.databases.mysql_probes.sight import GaveUpError, Sight, Task
from restorecheck.errors import QueryError
from restorecheck.model import Assertion, Expectation, Probe, Unseen

Outcome = str | BaseException


class Session:
    """A connection that a task asks for its next outcome."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.is_open = True

    def cursor(self) -> contextlib.AbstractContextManager[Session]:
        return contextlib.nullcontext(self)

    def execute(self, query: str) -> None:
        self.world.queries.append(query)

    def rollback(self) -> None:
        self.world.queries.append("ROLLBACK")

    def close(self) -> None:
        self.is_open = False


class Dog:
    """A watchdog that bites when told."""

    def __init__(self, bit: bool) -> None:
        self.bit = bit


class World:
    """A server whose every object answers what it was given, the last of it for ever."""

    def __init__(self, answers: dict[str, list[Outcome]], *, refused_after: int = 10**9, bites: bool = False) -> None:
        self.answers = answers
        self.refused_after = refused_after
        self.bites = bites
        self.queries: list[str] = []
        self.sessions: list[Session] = []
        self.now = 0.0

    def connect(self) -> Any:
        if len(self.sessions) >= self.refused_after:
            raise QueryError("could not connect", kind="database-unreachable", retryable=True)
        self.sessions.append(Session(self))
        return self.sessions[-1]

    @contextlib.contextmanager
    def guard(self, _connection: Any, seconds: float) -> Iterator[Dog]:
        assert seconds > 0
        yield Dog(self.bites)

    def sight(self, name: str = "readable", *, at_once: int = 1, deadline: float = 60.0) -> Sight:
        return Sight(
            Probe(name), deadline, lambda: self.now, self.connect, self.guard, lambda: (), lambda _: None, at_once
        )

    def task(self, name: str, weight: int = 1) -> Task[str]:
        def run(_connection: Any) -> str:
            left = self.answers[name]
            outcome = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        return Task(name, run, weight)

    def run(self, *names: str, **keys: Any) -> list[Done[str]]:
        return crew.run(self.sight(**keys), [self.task(name) for name in names])


LOST = pymysql.OperationalError(2013, "Lost connection")
DAMAGE = pymysql.OperationalError(1034, "Index for table 'secret value' is corrupt; try to repair it")


def test_every_task_has_its_snapshot_and_sessions_are_used_again() -> None:
    world = World({"a": ["1"], "b": ["2"]})
    assert [done.value for done in world.run("a", "b")] == ["1", "2"]
    assert world.queries == ["START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", "ROLLBACK"] * 2
    assert [session.is_open for session in world.sessions] == [False]


def test_damage_is_a_flaw_and_does_not_stop_the_others() -> None:
    world = World({"a": [DAMAGE], "b": ["2"]})
    a, b = world.run("a", "b")
    assert (a.flaw and a.flaw.kind, b.value) == ("data-damaged", "2")
    assert a.flaw is not None
    assert "1034" in a.flaw.message
    assert "secret" not in a.flaw.message


def test_a_table_that_was_listed_and_is_not_there_is_damage() -> None:
    [done] = World({"a": [pymysql.ProgrammingError(1146, "Table 'd.a' doesn't exist")]}).run("a")
    assert done.flaw is not None
    assert done.flaw.kind == "data-damaged"


@pytest.mark.parametrize(
    "error",
    [
        pymysql.OperationalError(1142, "SELECT command denied"),
        pymysql.OperationalError(1317, "Query execution was interrupted"),
        pymysql.OperationalError(1038, "Out of sort memory"),
    ],
)
def test_what_is_no_damage_is_owed(error: Exception) -> None:
    [done] = World({"a": [error]}).run("a")
    assert done.unseen is not None
    assert done.unseen.owed


def test_a_door_that_was_closed_while_the_server_was_down_is_tried_again() -> None:
    world = World({"b": ["2"]})
    closed = threading.Event()
    ways_in = chain([True, False], repeat(True))
    outcomes = iter([LOST, "1"])

    def connect() -> Any:
        if next(ways_in):
            return Session(world)
        closed.set()
        raise QueryError("could not connect", kind="database-unreachable")

    def run(_connection: Any) -> str:
        assert closed.wait(10)
        outcome = next(outcomes)
        if isinstance(outcome, str):
            return outcome
        raise outcome

    sight = replace(world.sight(at_once=2), connect=connect)
    assert [done.value for done in crew.run(sight, [Task("a", run, weight=9), world.task("b")])] == ["1", "2"]


def test_who_lost_a_session_in_company_is_asked_again_alone() -> None:
    world = World({"a": [LOST, "1"], "b": ["2"], "c": ["3"]})
    assert [done.value for done in world.run("a", "b", "c", at_once=3)] == ["1", "2", "3"]


def test_what_breaks_the_server_off_alone_too_is_accused() -> None:
    a, b = World({"a": [LOST], "b": ["2"]}).run("a", "b")
    assert a.flaw is not None
    assert (a.flaw.kind, a.flaw.message) == ("connection-lost", "the server broke off while it read a, twice")
    assert b.value == "2"


def test_an_administrators_command_is_no_damage() -> None:
    [done] = World({"a": [pymysql.OperationalError(1927, "Connection was killed")]}).run("a")
    assert done.unseen is not None
    assert "administrator" in done.unseen.reason


def test_a_server_that_does_not_come_back_leaves_what_it_was_asked_by_name() -> None:
    a, b = World({"a": [LOST], "b": ["2"]}, refused_after=1).run("a", "b")
    assert a.unseen is not None
    assert a.unseen.reason == "the server broke off while this was read, and did not come back: could not connect"
    assert (b.unseen and b.unseen.reason, b.unseen and b.unseen.owed) == ("could not connect", True)


def test_a_server_that_is_not_there_at_all_is_an_error() -> None:
    with pytest.raises(QueryError):
        World({"a": ["1"]}, refused_after=0).run("a")


def test_nothing_is_tried_after_five_crashes() -> None:
    names = [f"t{n}" for n in range(9)]
    dones = World({name: [LOST] for name in names}).run(*names)
    assert sum(done.flaw is not None for done in dones) == 2  # each is accused by its second crash
    assert {done.unseen.reason for done in dones if done.unseen} == {
        "the server broke off 5 times: nothing more was tried"
    }


def test_many_lost_at_once_are_tried_alone_until_it_is_enough() -> None:
    names = [f"t{n}" for n in range(6)]
    dones = World({name: [LOST] for name in names}).run(*names, at_once=6)
    assert 1 <= sum(done.flaw is not None for done in dones) <= 4
    assert all(done.flaw or done.unseen for done in dones)


def test_nothing_begins_after_the_deadline_and_what_was_cut_off_is_no_answer() -> None:
    [late] = World({"a": ["1"]}).run("a", deadline=0.0)
    assert late.unseen == Unseen("a", crew.OVER)
    bitten, after = World({"a": ["1"], "b": ["2"]}, bites=True).run("a", "b")
    assert (bitten.value, bitten.unseen, after.unseen) == (None, Unseen("a", crew.OVER), Unseen("b", crew.OVER))
    world = World({"a": ["1"]})

    def slow(_connection: Any) -> str:
        world.now = 99.0
        raise pymysql.OperationalError(1969, "Query execution was interrupted (max_statement_time exceeded)")

    [done] = crew.run(world.sight(), [Task("a", slow)])
    assert done.unseen == Unseen("a", crew.OVER)


def test_a_fault_of_ours_is_raised() -> None:
    with pytest.raises(GaveUpError):
        World({"a": [GaveUpError("question", "no")], "b": ["1"]}).run("a", "b", at_once=2)


def test_what_a_probe_cannot_do_without_ends_it() -> None:
    def one(outcome: Outcome) -> str:
        world = World({"a": [outcome]})
        return crew.one(world.sight(), "the list", world.task("a").run)

    assert one("1") == "1"
    with pytest.raises(GaveUpError, match="the list: ") as damaged:
        one(DAMAGE)
    assert damaged.value.kind == "data-damaged"
    with pytest.raises(GaveUpError) as refused:
        one(pymysql.OperationalError(1142, "denied"))
    assert refused.value.kind == "could-not-look"


def test_a_probe_that_gives_up_answers_with_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    def gives_up(_sight: Sight) -> Any:
        raise GaveUpError("could-not-look", "nothing to be seen")

    monkeypatch.setitem(looks.LOOKS, "readable", gives_up)
    answer = looks.answer(Assertion("one", "", Expectation()), World({}).sight())
    assert (answer.kind, answer.error, answer.examined) == ("could-not-look", "nothing to be seen", None)
