"""A run of a check of objects, killed at every edge of every step and in the middle of its work: the same proof."""

from __future__ import annotations

from collections import Counter

import pytest
from fake_buckets import Died
from journal import Edge, Journal, JournalDurable, Killed, SkipClock
from objects_lab import LONG, RUN, Lab
from workflow.scripted import NOW, verify

from restorecheck.errors import RestorecheckError, SourceError
from restorecheck.model import Plan, Report, Verdict
from restorecheck.sources.s3_objects import S3Objects

KEYS = ("a", "b", "c/d", "é", LONG)
STEPS = ["plan", "find", "lease", "lease: wait", "restore", "restore: wait", "examine", "drop objects"]
STEPS += ["drop objects: wait", "prove", "record"]


class LabPorts:
    """The ports of one life: each has a source of its own."""

    def __init__(self, lab: Lab) -> None:
        self.life = lab.life()

    def plan(self, run_id: str) -> Plan:
        return self.life._reach.plan

    def source(self, plan: Plan) -> S3Objects:
        return self.life

    def salt(self, run_id: str) -> str:
        return "salt"

    def record(self, report: Report) -> None:
        pass


def proof(report: Report) -> tuple[object, ...]:
    return report.verdict, report.failure, report.point, report.leaked, report.proven, len(report.findings)


def lived(lab: Lab, journal: Journal | None = None) -> Report:
    return verify(JournalDurable(RUN, journal or Journal(), SkipClock(NOW)), LabPorts(lab))  # type: ignore[arg-type]


def test_a_run_passes_and_leaves_nothing() -> None:
    lab, journal = Lab(keys=KEYS), Journal()
    report = lived(lab, journal)
    assert report.verdict is Verdict.PASSED
    assert [name for name, _ in journal.records] == STEPS
    assert [f.name for f in report.findings if f.by == "source"] == ["objects-compared", "objects-read"]
    assert report.proven
    assert lab.scratch.keys == {}


@pytest.mark.parametrize("edge", ["before", "unrecorded", "after"])
def test_killed_at_every_step_it_ends_as_if_nothing_had_happened(edge: Edge) -> None:
    expected = proof(lived(Lab(keys=KEYS)))
    for place in range(len(STEPS)):
        lab, journal = Lab(keys=KEYS), Journal(kill=(place, edge))
        with pytest.raises(Killed):
            lived(lab, journal)
        assert proof(lived(lab, journal)) == expected, STEPS[place]
        assert max(Counter(lab.s3.copied).values()) == 1
        assert lab.scratch.keys == {}
        assert len(lab.backup.keys) == len(KEYS)


@pytest.mark.parametrize("copies", range(1, len(KEYS) + 1))
def test_killed_after_every_single_copy_it_copies_nothing_twice(copies: int) -> None:
    expected = proof(lived(Lab(keys=KEYS)))
    lab, journal = Lab(keys=KEYS), Journal()
    lab.s3.die_after = copies
    with pytest.raises(Died):
        lived(lab, journal)
    lab.s3.die_after = None
    assert proof(lived(lab, journal)) == expected
    assert len(lab.s3.copied) == len(KEYS)


def test_a_copy_that_is_refused_ends_unproven_and_leaves_nothing() -> None:
    lab = Lab(keys=KEYS)

    def trouble(what: str, _place: object) -> RestorecheckError | None:
        return SourceError("no", kind="permission") if what == "scratch copy" else None

    lab.s3.trouble = trouble
    report = lived(lab)
    assert report.verdict is Verdict.UNPROVEN
    assert report.failure is not None
    assert (report.failure.kind, report.failure.phase) == ("permission", "restore")
    assert lab.scratch.keys == {}


def test_a_lying_copy_is_broken_and_leaves_nothing() -> None:
    lab = Lab(keys=KEYS)
    lab.s3.lie = lambda place, body: body[::-1] if place.key == "data/b" else body
    report = lived(lab)
    assert report.verdict is Verdict.BROKEN
    assert report.failure is not None
    assert report.failure.kind == "objects-differ"
    assert lab.scratch.keys == {}


def test_what_cannot_be_deleted_is_leaked_beside_the_verdict() -> None:
    lab = Lab(keys=KEYS)
    put = lab.scratch.put
    lab.scratch.put = lambda *a, **more: put(*a, **more, locked="k/" in a[0])  # type: ignore[method-assign]
    report = lived(lab)
    assert report.verdict is Verdict.PASSED
    assert [left.arn for left in report.leaked] == [f"arn:aws:s3:::scratch/restorecheck-{RUN}/"]
