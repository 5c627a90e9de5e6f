from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from coverage_gate import GATES, WIDTH, Gate, count, judge, main, percent

JUNIT = (
    '<testsuites><testsuite name="pytest" tests="{tests}" failures="{failures}" errors="0" skipped="1"/></testsuites>'
)


def measured(lines: int, covered: int, branches: int = 0, taken: int = 0) -> dict[str, Any]:
    return {
        "summary": {
            "num_statements": lines,
            "covered_lines": covered,
            "num_branches": branches,
            "covered_branches": taken,
        },
        "missing_lines": list(range(covered + 1, lines + 1)),
        "missing_branches": [[n, -1] for n in range(taken + 1, branches + 1)],
    }


ALL_COVERED = {
    "restorecheck/verify.py": measured(10, 10, 4, 4),
    "restorecheck/fence/table.py": measured(5, 5),
    "restorecheck/assertions/judge.py": measured(5, 5),
    "restorecheck/config/shape.py": measured(5, 5),
}


def run(tmp_path: Path, files: dict[str, Any] | None, *, tests: int = 4, failures: int = 0, exit_code: int = 0) -> int:
    if files is not None:
        (tmp_path / "c.json").write_text(json.dumps({"files": files}))
    (tmp_path / "t.xml").write_text(JUNIT.format(tests=tests, failures=failures))
    where = ["--coverage", str(tmp_path / "c.json"), "--tests", str(tmp_path / "t.xml")]
    return main(["--pytest-exit", str(exit_code), *where])


def test_all_covered_passes_and_the_last_line_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, ALL_COVERED) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "3 passed, 0 failed, 1 skipped"


def test_one_branch_that_no_test_takes_fails_its_gate_and_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, {**ALL_COVERED, "restorecheck/verify.py": measured(10, 10, 4, 3)}) == 1
    out = capsys.readouterr().out
    assert "restorecheck/verify.py: 4->exit" in out
    assert out.splitlines()[-1] == "3 passed, 1 failed, 1 skipped"


def test_a_gate_that_matches_nothing_fails() -> None:
    lines, failed = judge(ALL_COVERED, [Gate("restorecheck/web/", 100)])
    assert (failed, "nothing measured" in lines[0]) == (1, True)


def test_without_a_coverage_report_every_gate_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, None) == 1
    assert capsys.readouterr().out.splitlines()[-1] == f"3 passed, {len(GATES)} failed, 1 skipped"


@pytest.mark.parametrize("exit_code", [2, 3, 4, 5])
def test_a_pytest_that_could_not_do_its_work_is_a_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], exit_code: int
) -> None:
    assert run(tmp_path, ALL_COVERED, exit_code=exit_code) == 1
    assert "1 failed" in capsys.readouterr().out.splitlines()[-1]


def test_failed_tests_fail_whatever_is_covered(tmp_path: Path) -> None:
    assert run(tmp_path, ALL_COVERED, failures=2, exit_code=1) == 1


def test_a_part_is_a_directory_or_a_file_and_never_a_prefix_of_a_name() -> None:
    files = {"restorecheck/fence/a.py": measured(2, 1), "restorecheck/fence_post.py": measured(2, 2)}
    assert percent(files, "restorecheck/fence/") == 50
    assert percent(files, "restorecheck/fence.py") is None


def test_counts_are_read_from_every_suite(tmp_path: Path) -> None:
    (tmp_path / "t.xml").write_text(JUNIT.format(tests=9, failures=3))
    counts = count(tmp_path / "t.xml")
    assert (counts.passed, counts.failed, counts.skipped) == (5, 3, 1)


def test_what_is_not_reached_at_all_is_named_in_one_short_line() -> None:
    lines, _ = judge({"restorecheck/fence/a.py": measured(900, 0)}, [Gate("restorecheck/fence/", 100)])
    assert max(map(len, lines)) <= WIDTH + len(", ...")
    assert lines[1].endswith(", ...")
