from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from restorecheck.errors import RestorecheckError
from restorecheck.model import Failure, Finding, Outcome, Phase, Report, Verdict
from restorecheck.store import RunStore

AT = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def report(check: str = "orders-db", hours: int = 0, verdict: Verdict = Verdict.PASSED) -> Report:
    began = AT + timedelta(hours=hours)
    return Report(
        run_id=f"{check}-{began:%Y%m%dt%H%Mz}",
        check=check,
        verdict=verdict,
        started=began,
        ended=began + timedelta(minutes=9),
        failure=None if verdict is Verdict.PASSED else Failure("quota", "restore", "no room", "make room"),
        findings=(Finding("present", Outcome.PASS, "at least 1", "2"),),
        phases=(Phase("plan", began, began),),
    )


@pytest.fixture
def store(tmp_path: Path):
    made = RunStore.in_directory(tmp_path)
    yield made
    made.close()


def test_a_report_comes_back_whole(store: RunStore):
    kept = report(verdict=Verdict.UNPROVEN)
    store.save(kept)
    assert store.run(kept.run_id) == kept


def test_saving_a_run_again_replaces_it(store: RunStore):
    store.save(report())
    again = report(verdict=Verdict.BROKEN)
    store.save(again)
    assert store.runs() == [again]


def test_an_unknown_run_is_an_error_with_a_hint(store: RunStore):
    with pytest.raises(RestorecheckError, match="no finished run 'x'") as e:
        store.run("x")
    assert "history" in e.value.hint


def test_runs_are_newest_first_and_can_be_narrowed(store: RunStore):
    kept = [report(hours=n) for n in range(4)] + [report("users-db", hours=9)]
    for one in kept:
        store.save(one)
    assert store.runs() == kept[::-1]
    assert store.runs(limit=2) == [kept[4], kept[3]]
    assert store.runs(["orders-db"], limit=1) == [kept[3]]
    assert store.runs(since=AT + timedelta(hours=3)) == [kept[4], kept[3]]
    assert store.runs(["nobody"]) == []


def test_what_one_process_kept_another_reads(tmp_path: Path):
    first, second = RunStore.in_directory(tmp_path), RunStore.in_directory(tmp_path)
    first.save(report())
    assert second.runs() == [report()]
    first.close()
    second.close()
