"""What the corpus holds, that it notices what it is for, and (long) that every backup comes out as meant."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import corpus
from case import HEALTHY, Case
from demo_world import World, aws, fresh_aws, world
from field_kinds import KINDS, UNSTAGED

from restorecheck.failures import KINDS as FAILURES
from restorecheck.model import Failure, Finding, Leftover, Outcome, Report, Verdict

__all__ = ["aws", "fresh_aws", "world"]

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def report(verdict: Verdict = Verdict.PASSED, kind: str = "", *findings: Finding) -> Report:
    failure = Failure(kind, "examine", "because") if kind else None
    return Report("shop-db-20261121t0300z", "shop-db", verdict, NOW, NOW, failure, findings=findings)


def found(name: str, outcome: Outcome = Outcome.PASS) -> Finding:
    return Finding(name, outcome, "", "", "told" if outcome is not Outcome.PASS else "")


def staged(verdict: Verdict, failure: str = "", finding: str = "") -> Case:
    return Case("K14", "a table is gone", lambda _: report(), verdict, failure, finding)


def shapes(*names: str) -> Case:
    return Case(HEALTHY, "many", lambda _: report(), shapes=names)


def test_every_kind_is_staged_or_said_not_to_be_and_enough_is_healthy():
    assert corpus.unaccounted() == []
    staged_kinds = {c.kind for c in corpus.CASES} - {HEALTHY}
    assert staged_kinds | set(UNSTAGED) == set(KINDS) == {f"K{n}" for n in range(1, 54)}
    assert sum(len(c.shapes) or 1 for c in corpus.CASES if c.kind == HEALTHY) >= 40


def test_a_name_means_one_case_and_an_expected_kind_exists():
    names = Counter((c.kind, name) for c in corpus.CASES for name in c.shapes or (c.name,))
    assert [name for name, count in names.items() if count > 1] == []
    for one in corpus.CASES:
        assert one.failure == "" if one.verdict is Verdict.PASSED else FAILURES[one.failure].verdict is one.verdict, one
        assert one.kind != HEALTHY or one.verdict is Verdict.PASSED, one


def test_gaps_are_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(corpus, "CASES", [shapes("a"), staged(Verdict.BROKEN), Case("K2", "x", lambda _: report())])
    monkeypatch.setattr(corpus, "KINDS", {"K14": "a", "K15": "b"})
    monkeypatch.setattr(corpus, "UNSTAGED", {"K2": "why"})
    told = corpus.unaccounted()
    assert told == ["K15 is neither staged nor said why not", "K2 is staged, and said not to be", "K2 is no kind"]


@pytest.mark.parametrize(
    ("meant", "came", "wrong"),
    [
        (staged(Verdict.BROKEN, "assertion-failed"), report(Verdict.BROKEN, "assertion-failed"), ""),
        (staged(Verdict.BROKEN, "assertion-failed"), report(), "passed where broken (assertion-failed) was meant"),
        (staged(Verdict.BROKEN, "stale"), report(Verdict.BROKEN, "missing-object"), "broken (missing-object) where"),
        (staged(Verdict.BROKEN, "stale"), report(Verdict.UNPROVEN, "stale"), "unproven (stale) where"),
        (staged(Verdict.PASSED), report(Verdict.UNPROVEN, "learning"), "unproven (learning) where passed was meant"),
        (
            staged(Verdict.BROKEN, "assertion-failed", "rows"),
            report(Verdict.BROKEN, "assertion-failed", found("rows"), found("other", Outcome.FAIL)),
            "rows has nothing to say",
        ),
        (
            staged(Verdict.BROKEN, "assertion-failed", "rows"),
            report(Verdict.BROKEN, "assertion-failed", found("rows", Outcome.FAIL)),
            "",
        ),
    ],
)
def test_a_run_that_comes_out_otherwise_than_meant_is_wrong(meant: Case, came: Report, wrong: str):
    [(_, said)] = meant.outcomes(came)
    assert bool(said) == bool(wrong)
    assert wrong in said


def test_what_is_left_behind_is_wrong():
    left = Report("r", "c", Verdict.PASSED, NOW, NOW, leaked=(Leftover("arn:of-it"),))
    assert "arn:of-it" in staged(Verdict.PASSED).wrong(left)
    assert all("arn:of-it" in wrong for _, wrong in shapes("a", "b").outcomes(left))


def test_a_shape_is_wrong_by_its_own_findings_and_all_are_by_what_is_nobodys():
    many = shapes("a", "a-b")
    passed = (found("a-readable"), found("a-b-readable"))
    assert many.outcomes(report(Verdict.PASSED, "", *passed)) == [("a", ""), ("a-b", "")]
    [(_, first), (_, second)] = many.outcomes(
        report(Verdict.BROKEN, "assertion-failed", found("a-readable"), found("a-b-readable", Outcome.FAIL))
    )
    assert (first, "a-b-readable" in second) == ("", True)
    alone = report(Verdict.PASSED, "", found("a-readable"))
    assert many.outcomes(alone) == [("a", ""), ("a-b", "nothing was found of it")]
    stale = report(Verdict.BROKEN, "stale", *passed, found("rpo", Outcome.FAIL))
    assert all("stale" in wrong for _, wrong in many.outcomes(stale))
    nothing = report(Verdict.UNPROVEN, "permission")
    assert all("permission" in wrong for _, wrong in many.outcomes(nothing))


def test_a_shape_that_still_learns_in_a_run_that_passed_was_not_looked_at_twice():
    learns = (found("a-schema", Outcome.LEARNING),)
    assert shapes("a").outcomes(report(Verdict.PASSED, "", *learns))[0][1]
    assert shapes("a").outcomes(report(Verdict.BROKEN, "assertion-failed", *learns))[0][1] == ""


def test_the_figures_count_kinds_and_healthy_backups():
    outcomes = [
        corpus.Outcome("K14", "a", "broken"),
        corpus.Outcome("K14", "b", "passed", "passed where broken was meant"),
        corpus.Outcome("K15", "c", "broken"),
        corpus.Outcome("K16", "d", "", skipped="there is no mariadbd"),
        corpus.Outcome(HEALTHY, "e", "passed"),
        corpus.Outcome(HEALTHY, "f", "broken", "alarm"),
    ]
    assert corpus.result(outcomes) == {"kinds_staged": 2, "caught": 1, "healthy": 2, "false_alarms": 1}


def test_words_choose_a_kind_or_a_part_of_a_name():
    assert {c.kind for c in corpus.chosen(["K9"])} == {"K9"}
    assert "temporal" in {s for c in corpus.chosen(["keys and extensions"]) for s in c.shapes}
    assert corpus.chosen(["nothing is called so"]) == []
    assert corpus.chosen([]) == corpus.CASES


def _called(one: Case) -> str:
    return re.sub(r"[^\w.]+", "-", f"{one.kind} {one.name}").strip("-")


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory into which the servers of dumps, which run as somebody else under root, can see."""
    with tempfile.TemporaryDirectory(prefix="restorecheck-corpus-") as name:
        yield Path(name)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("one", sorted(corpus.in_order(corpus.CASES), key=lambda c: -len(c.shapes)), ids=_called)
def test_a_broken_backup_is_caught_and_a_healthy_one_is_not_accused(one: Case, world: World, home: Path):
    outcomes = corpus.run(one, world, home)
    if skipped := next((o.skipped for o in outcomes if o.skipped), ""):
        pytest.skip(skipped)
    assert "".join(f"\n{o.line}" for o in outcomes if o.wrong) == ""


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_command_runs_what_its_words_choose_side_by_side_and_counts():
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("corpus.py")), "K38", "K7"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout.rpartition("RESULT ")[2]) == {
        "kinds_staged": 2, "caught": 2, "healthy": 0, "false_alarms": 0,
    }  # fmt: skip
    assert [line.split()[0] for line in done.stdout.splitlines() if line.endswith("  ok")] == ["K7", "K38", "K38"]
