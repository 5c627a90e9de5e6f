"""Kill the process at every edge of every step, begin again: same verdict, nothing left, no finished step twice."""

from collections import Counter

import pytest
from journal import Edge, Journal, JournalDurable, Killed, SkipClock
from workflow.scripted import NOW, RUN, Cloud, ScriptedPorts, failing, verify

from restorecheck.model import Report

TROUBLES: dict[str, dict[str, list[str]]] = {
    "nothing": {},
    "no recovery point": {"find": ["no-recovery-point"]},
    "quota": {"begin restore": ["quota"]},
    "a failed restore": {"look restore": ["incompatible-restore"]},
    "a lost connection": {"examine": ["connection-lost"]},
    "a stuck teardown": {"begin drop import": ["permission"]},
    "nobody may look": {"prove": ["permission"]},
}


class Witness:
    """Counts what really ran, and what was finished before."""

    def __init__(self) -> None:
        self.ran: Counter[str] = Counter()
        self.recorded: set[str] = set()
        self.again: list[str] = []

    def started(self, run_id: str, step: str) -> None:
        if step in self.recorded:
            self.again.append(step)
        self.ran[step] += 1

    def looked(self, run_id: str, step: str, status: str) -> None:
        pass

    def finished(self, run_id: str, step: str, failed: str) -> None:
        self.recorded.add(step)


def cloud(trouble: str) -> Cloud:
    faults = {place: [failing(kind) for kind in kinds] for place, kinds in TROUBLES[trouble].items()}
    return Cloud(faults=faults)


def outcome(report: Report) -> tuple[object, ...]:
    return report.verdict, report.failure, [f.outcome for f in report.findings], report.leaked


def steps(trouble: str) -> int:
    journal = Journal()
    verify(JournalDurable(RUN, journal, SkipClock(NOW)), ScriptedPorts(cloud(trouble)))
    return len(journal.records)


@pytest.mark.parametrize("edge", ["before", "unrecorded", "after"])
@pytest.mark.parametrize("trouble", TROUBLES)
def test_killed_at_every_step(trouble: str, edge: Edge):
    undisturbed = cloud(trouble)
    expected = outcome(verify(JournalDurable(RUN, Journal(), SkipClock(NOW)), ScriptedPorts(undisturbed)))
    for place in range(steps(trouble)):
        world, journal, clock, witness = cloud(trouble), Journal(kill=(place, edge)), SkipClock(NOW), Witness()
        with pytest.raises(Killed):
            verify(JournalDurable(RUN, journal, clock, witness), ScriptedPorts(world))
        witness.recorded |= {name for name, _ in journal.records}
        report = verify(JournalDurable(RUN, journal, clock, witness), ScriptedPorts(world))
        where = f"{trouble}, {edge} step {place}"
        assert outcome(report) == expected, where
        assert world.pieces == undisturbed.pieces, where
        assert sorted(world.made) == sorted(undisturbed.made), where
        assert witness.again == [], where
        assert world.reports == {RUN: report}, where
        assert world.foreign == {"production": "untouched"}


def test_killed_at_every_step_of_one_run_in_turn():
    """Forty lives: every life dies at the step that it was born for."""
    world, journal, clock, lives = cloud("nothing"), Journal(), SkipClock(NOW), 0
    while True:
        journal.kill = (len(journal.records), "unrecorded" if lives % 2 else "after")
        try:
            report = verify(JournalDurable(RUN, journal, clock), ScriptedPorts(world))
            break
        except Killed:
            lives += 1
            if lives % 2 == 0:  # an unrecorded death is followed by one that gets further
                continue
            assert lives < 200
    assert str(report.verdict) == "passed"
    assert world.pieces == {}
    assert lives > 20
