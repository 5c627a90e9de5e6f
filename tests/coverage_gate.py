"""The coverage gates of `make test`, and its last line, which a program can read: `N passed, N failed`.

Reads coverage's JSON report and pytest's JUnit file. The parts that decide a verdict or a deletion are covered branch
by branch; the whole nearly so. A gate that matches no file fails: nothing measured is not everything covered.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET


@dataclass(frozen=True, slots=True)
class Gate:
    """A part of the package, as a file or a directory, and the percentage of lines and branches that tests reach."""

    part: str
    least: float


GATES = (
    Gate("restorecheck/fence/", 100),
    Gate("restorecheck/verify.py", 100),
    Gate("restorecheck/assertions/", 100),
    Gate("restorecheck/config/", 100),
    Gate("restorecheck/", 95),
)
WIDTH = 160  # of a line that says what was not reached


@dataclass(frozen=True, slots=True)
class Counts:
    """How many tests there were, by outcome; an error counts as a failure."""

    passed: int
    failed: int
    skipped: int


def percent(files: Mapping[str, Any], part: str) -> float | None:
    """Return the percentage of lines and branches covered in a part, or None if nothing of it was measured."""
    of_part = [data["summary"] for name, data in files.items() if _within(name, part)]
    there = sum(s["num_statements"] + s.get("num_branches", 0) for s in of_part)
    reached = sum(s["covered_lines"] + s.get("covered_branches", 0) for s in of_part)
    return 100.0 * reached / there if there else None


def _within(name: str, part: str) -> bool:
    path = name.replace("\\", "/")
    return path.startswith(part) if part.endswith("/") else path == part


def uncovered(files: Mapping[str, Any], part: str) -> list[str]:
    """Return `file: lines` for whatever of a part was not reached."""
    found = []
    for name, data in sorted(files.items()):
        missing = [str(n) for n in data["missing_lines"]]
        missing += [f"{a}->{b if b > 0 else 'exit'}" for a, b in data.get("missing_branches", ())]
        if _within(name, part) and missing:
            found.append(f"{name}: {', '.join(missing)}")
    return found


def judge(files: Mapping[str, Any], gates: Iterable[Gate] = GATES) -> tuple[list[str], int]:
    """Return what to print about the gates, and how many of them failed."""
    lines, failed = [], 0
    for gate in gates:
        reached = percent(files, gate.part)
        if reached is not None and reached >= gate.least:
            lines.append(f"coverage {gate.part:<26} {reached:6.2f} % (at least {gate.least:g} %)")
            continue
        failed += 1
        said = "nothing measured" if reached is None else f"{reached:.2f} %"
        lines.append(f"coverage {gate.part:<26} {said}: BELOW {gate.least:g} %")
        lines += [shorten(f"    not reached: {where}") for where in uncovered(files, gate.part)]
    return lines, failed


def shorten(line: str) -> str:
    """Return a line that fits on a screen: a file that nothing reaches would fill it."""
    return line if len(line) <= WIDTH else line[: line.rindex(",", 0, WIDTH)] + ", ..."


def count(junit: Path) -> Counts:
    """Read how many tests passed, failed and were skipped from pytest's JUnit file."""
    suites = list(ET.parse(junit).getroot().iter("testsuite"))
    tests, failures, errors, skipped = (
        sum(int(suite.get(key, "0")) for suite in suites) for key in ("tests", "failures", "errors", "skipped")
    )
    return Counts(passed=tests - failures - errors - skipped, failed=failures + errors, skipped=skipped)


def main(argv: list[str] | None = None) -> int:
    """Print the gates and the last line. Returns 0 only if pytest and every gate passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pytest-exit", type=int, required=True, help="what pytest returned")
    parser.add_argument("--coverage", type=Path, required=True, help="coverage's JSON report")
    parser.add_argument("--tests", type=Path, required=True, help="pytest's JUnit file")
    args = parser.parse_args(argv)

    try:
        files = json.loads(args.coverage.read_text())["files"]
    except FileNotFoundError:
        files = {}
    try:
        counts = count(args.tests)
    except FileNotFoundError:
        counts = Counts(0, 0, 0)
    lines, below = judge(files)
    print(*lines, sep="\n")
    failed = counts.failed + below
    if args.pytest_exit not in (0, 1):
        print(f"pytest itself ended with {args.pytest_exit}: interrupted, misused, or without a test")
        failed = max(failed, 1)
    if below:
        print(f"{below} of {len(GATES)} coverage gates failed; they count as failed below")
    print(f"{counts.passed} passed, {failed} failed" + (f", {counts.skipped} skipped" if counts.skipped else ""))
    return 1 if failed or args.pytest_exit else 0


if __name__ == "__main__":
    sys.exit(main())
